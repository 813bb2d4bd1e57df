"""How the functions are configured: by their environment variables, and by nothing else."""

import json
import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import NamedTuple, Self

from csv_ingest.errors import PipelineError
from csv_ingest.file_format import Column, FileFormat
from csv_ingest.intake import Intake, Taker
from csv_ingest.target import MERGE

LOGGING_VARIABLES = frozenset({"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"})
"""What Powertools reads by itself: the names under which logs and metrics are found."""


class NotConfigured(PipelineError):
    """A function's environment lacks a variable. The message names it, and says what to do."""


@dataclass(frozen=True, kw_only=True)
class _FromEnvironment:
    """A function's whole configuration: one environment variable per field, in upper case.

    A variable that earlier releases did not have has a default, which is what their functions did. So the code of a
    release works with the environment of any earlier one: during a deployment, which changes both one after the other,
    and when the operators' commands are newer than the deployment.
    """

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the variables; raises NotConfigured naming each that is missing and has no default.

        A function's code can be newer than its environment, for seconds during a deployment.
        """
        needed = [field.name.upper() for field in fields(cls) if field.default is MISSING]
        if missing := [name for name in needed if name not in environ]:
            raise NotConfigured(f"the function's environment lacks {', '.join(missing)}: deploy the stack again")
        return cls(**{name.lower(): environ[name] for name in cls.variables() if name in environ})

    @classmethod
    def variables(cls) -> list[str]:
        """The names of the variables. stacks/contract.py has the same: a test compares them."""
        return [field.name.upper() for field in fields(cls)]


@dataclass(frozen=True, kw_only=True)
class IngestConfig(_FromEnvironment):
    """The configuration of the ingest function of a feed."""

    feed: str = "default"
    """Its name."""
    upload_bucket: str
    rows_table: str
    database: str = "{}"
    """A JSON object: where the rows table is, if it is in PostgreSQL; empty if it is in DynamoDB."""
    files_table: str
    failure_queue: str
    """The URL of the queue."""
    id_column: str
    delimiter: str
    encoding: str
    decimal_separator: str = "."
    columns: str = "{}"
    """A JSON object: the declaration of each column by its name."""
    write_mode: str = "append"
    """`append`: the rows of each upload beside those of others; `merge`: of each id, the newest upload's row."""
    max_file_mb: str
    max_rejected: str = "none"
    """How many rejected rows a file may have: a number, a share such as `50%`, or `none`, which is no limit."""
    existing_table: str = ""
    """`true` if the settings name the rows table in DynamoDB, which is not the deployment's own."""
    release: str = ""
    """The release that deployed the function; empty before 1.1.0. No code depends on it."""

    @property
    def max_file_bytes(self) -> int:
        return int(self.max_file_mb) * 1_000_000

    @property
    def format(self) -> FileFormat:
        """How the files of the feed are read; raises ValueError if the columns are not declared as they must be."""
        columns = tuple(Column.parse(*each) for each in json.loads(self.columns).items())
        return FileFormat(self.id_column, self.delimiter, self.encoding, self.decimal_separator, columns)

    @property
    def merges(self) -> bool:
        """Whether a row takes the place of the row that an older upload has of its id."""
        return self.write_mode == MERGE

    @property
    def postgresql(self) -> "Database | None":
        """The database that has the rows table; None if it is in DynamoDB."""
        given = json.loads(self.database)
        return Database(**given) if given else None


class Database(NamedTuple):
    """A PostgreSQL database, and how to log in."""

    host: str
    port: int
    name: str
    user: str
    secret: str
    """The ARN of the secret that has the password; empty for IAM authentication."""
    ca: str
    """The certificate, as PEM, of the authority that signed the server's; empty for those of RDS."""


@dataclass(frozen=True, kw_only=True)
class SweepConfig(_FromEnvironment):
    """The configuration of the sweep."""

    upload_bucket: str
    files_table: str
    failure_queue: str
    """The URL of the queue."""
    feeds: str
    """A JSON object: the function, the prefix and the suffixes of each feed by its name."""
    ignored_prefixes: str = "[]"
    """A JSON list: what no feed takes below them is meant to be there."""
    existing_bucket: str = "true"
    """`true` or `false`: whether the bucket is of another owner. Without the variable, nobody knows."""
    release: str = ""

    @property
    def swept_feeds(self) -> list["SweptFeed"]:
        """The feeds whose uploads the sweep looks at."""
        return [SweptFeed(**each) for each in json.loads(self.feeds).values()]

    @property
    def intake(self) -> Intake:
        """What the feeds take of the bucket."""
        feeds = json.loads(self.feeds)
        return Intake(
            takers=[Taker(name, each["prefix"], each["suffixes"]) for name, each in feeds.items()],
            ignored_prefixes=json.loads(self.ignored_prefixes),
            existing_bucket=self.existing_bucket == "true",
        )


class SweptFeed(NamedTuple):
    """What the sweep has to know of a feed."""

    function: str
    """The name of the function that ingests its uploads."""
    prefix: str
    suffixes: list[str]
    merges: bool = False
    """Whether each version of an object is an upload of its own."""
