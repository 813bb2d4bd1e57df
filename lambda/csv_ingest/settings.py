"""What the function is told about its surroundings."""

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The function's whole configuration: one environment variable a field, in upper case, none optional."""

    upload_bucket: str
    rows_table: str
    files_table: str
    id_column: str
    delimiter: str
    encoding: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings; raises KeyError naming the variable that is missing."""
        return cls(**{field.name: environ[field.name.upper()] for field in fields(cls)})


LOGGING_ENVIRONMENT = frozenset({"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"})
"""The variables that Powertools reads by itself: the names under which logs and metrics are found."""
