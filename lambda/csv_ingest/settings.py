"""What the functions are told about their surroundings."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from csv_ingest.rows import Format


@dataclass(frozen=True, kw_only=True)
class _FromEnvironment:
    """A function's whole configuration: one environment variable a field, in upper case, none optional."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; raises KeyError naming the variable that is missing."""
        return cls(**{field.name: environ[field.name.upper()] for field in fields(cls)})


@dataclass(frozen=True, kw_only=True)
class Settings(_FromEnvironment):
    """What the ingest function is told."""

    upload_bucket: str
    rows_table: str
    files_table: str
    failure_queue: str
    """The URL of the queue."""
    id_column: str
    delimiter: str
    encoding: str
    max_file_mb: str

    @property
    def max_file_bytes(self) -> int:
        return int(self.max_file_mb) * 1_000_000

    @property
    def format(self) -> Format:
        return Format(self.id_column, self.delimiter, self.encoding)


@dataclass(frozen=True, kw_only=True)
class SweepSettings(_FromEnvironment):
    """What the sweep is told."""

    upload_bucket: str
    files_table: str
    ingest_function: str
    key_prefix: str
    key_suffixes: str
    """Separated by commas."""
