"""A feed of a deployed pipeline: its function, its rows table, and which uploads are its own."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from os.path import commonprefix
from typing import TYPE_CHECKING, NamedTuple, Protocol

from csv_ingest import listing
from csv_ingest.configuration import IngestConfig
from csv_ingest.deadline import Deadline
from csv_ingest.destinations.base import Destination
from csv_ingest.destinations.opening import open_destination, owner_of
from csv_ingest.dynamodb_table import DynamoDbTable
from csv_ingest.errors import PipelineError
from csv_ingest.modes import WriteMode
from csv_ingest.table_keys import ROWS_INDEX
from csv_ingest.target import Owner
from csv_ingest.uploads import Upload

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef
    from mypy_boto3_s3 import S3Client


MAX_PORT = 65_535


class NoPort(PipelineError):
    """The near end of a tunnel has no port that is one."""


class Notification(NamedTuple):
    """Which uploads of the bucket invoke a function."""

    function: str
    """Its name."""
    prefix: str
    suffix: str


class Deployed(Protocol):
    """What a feed has to know of its pipeline."""

    @property
    def upload_bucket(self) -> str: ...
    @property
    def notifications(self) -> list[Notification]: ...
    @property
    def s3(self) -> "S3Client": ...
    @property
    def dynamodb(self) -> "DynamoDBClient": ...
    @property
    def lambda_(self) -> "LambdaClient": ...


@dataclass(frozen=True)
class Feed:
    """A kind of file, as it is deployed. What is not in the stack's outputs is asked for when it is needed."""

    suffix: str
    """Of its outputs; empty for the feed `default`."""
    function: str
    rows_table: str
    """In DynamoDB or in PostgreSQL."""
    pipeline: Deployed = field(repr=False, compare=False)

    @cached_property
    def _deployed(self) -> "FunctionConfigurationResponseTypeDef":
        """The deployed function, as one request describes it: its time of change is that of its settings."""
        return self.pipeline.lambda_.get_function_configuration(FunctionName=self.function)

    @cached_property
    def config(self) -> IngestConfig:
        """The configuration of the deployed function: files are read here exactly as they are there.

        Raises NotConfigured.
        """
        return IngestConfig.from_environment(self._deployed.get("Environment", {}).get("Variables", {}))

    @property
    def name(self) -> str:
        return self.config.feed.name

    @property
    def mode(self) -> WriteMode:
        return self.config.feed.mode

    @cached_property
    def owner(self) -> Owner:
        """The feed, and where its rows go to today. Raises as `owner_of`."""
        return owner_of(self.config, self.pipeline.dynamodb)

    @cached_property
    def timeout(self) -> int:
        """Seconds after which a delivery has ended, however it does."""
        return int(self._deployed["Timeout"])

    @cached_property
    def changed_at(self) -> datetime:
        """When the function's code or settings were changed last: deliveries that began before may have had others."""
        return datetime.fromisoformat(self._deployed["LastModified"])

    @cached_property
    def destination(self) -> Destination:
        """Where the rows are."""
        return open_destination(
            self.config,
            self.pipeline.dynamodb,
            deadline=Deadline.never(),
            address=self.database_address,
            on_failed_connection=lambda: None,  # the metric is the function's
        )

    @property
    def has_file_index(self) -> bool:
        """Whether its table in DynamoDB has the index of `file_index`."""
        table = DynamoDbTable(self.pipeline.dynamodb, self.rows_table, deadline=Deadline.never())
        return not self.config.feed.is_postgresql and table.has_index(ROWS_INDEX)

    @property
    def database_address(self) -> tuple[str, int] | None:
        """Where its database is reached; None for a feed with DynamoDB.

        That is the near end of a tunnel, if libpq's variables PGHOSTADDR and PGPORT name one, as they do for psql.
        Whatever the address, the certificate has to be that of the database's host. Raises NoPort.
        """
        if not (database := self.config.feed.database):
            return None
        port = os.environ.get("PGPORT") or str(database.port)
        if not port.isdecimal() or int(port) > MAX_PORT:
            raise NoPort(f"PGPORT is {port!r}, and has to be the number of a port")
        return os.environ.get("PGHOSTADDR") or database.host, int(port)

    @cached_property
    def triggers(self) -> list[tuple[str, str]]:
        """The prefixes and suffixes whose uploads are ingested, as the bucket has them."""
        found = self.pipeline.notifications
        return [(each.prefix, each.suffix) for each in found if each.function == self.function]

    def is_ingested(self, key: str) -> bool:
        """Whether an upload under this key triggers the function."""
        return any(key.startswith(prefix) and key.endswith(suffix) for prefix, suffix in self.triggers)

    def is_concerned(self, prefix: str) -> bool:
        """Whether a key that begins with a text can be one of the feed."""
        return any(own.startswith(prefix) or prefix.startswith(own) for own, _ in self.triggers)

    def uploads(self, prefix: str = "") -> Iterator[Upload]:
        """Every version in the bucket that is or should have been ingested, by key."""
        if not self.is_concerned(prefix):
            return
        begin = max(prefix, commonprefix([own for own, _ in self.triggers]), key=len)  # noqa: RUF071 - of characters
        suffixes = [suffix for _, suffix in self.triggers]
        for upload in listing.list_uploads(
            self.pipeline.s3, self.pipeline.upload_bucket, prefix=begin, suffixes=suffixes
        ):
            if self.is_ingested(upload.version.key):
                yield upload


def name_of_function(arn: str) -> str:
    """The name in a function's ARN, `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, which may end with a version."""
    parts = arn.split(":")
    return parts[6] if len(parts) > 6 else arn  # noqa: PLR2004 - where the name is
