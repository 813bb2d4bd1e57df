"""A feed as it is deployed: its function, its rows table, and its uploads; and the clients that reach AWS."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import boto3

from csv_ingest import configuration, feed, listing, modes, queues
from csv_ingest.destinations import base, opening
from csv_ingest.dynamodb import table as dynamodb_table
from csv_ingest.model import DEFAULT_FEED, ROWS_INDEX, Deadline, Owner, PipelineError, Upload

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

MAX_PORT = 65_535


class NoPort(PipelineError):
    """The near end of a tunnel has no port that is one."""


class Clients:
    """Each client is made when it is first asked for. With `AWS_ENDPOINT_URL`, it reaches the local AWS."""

    @cached_property
    def s3(self) -> "S3Client":
        return boto3.client("s3")

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        return boto3.client("dynamodb")

    @cached_property
    def lambda_(self) -> "LambdaClient":
        return boto3.client("lambda")

    @cached_property
    def sqs(self) -> "SQSClient":
        return boto3.client("sqs")

    @cached_property
    def cloudwatch(self) -> "CloudWatchClient":
        return boto3.client("cloudwatch")


@dataclass(frozen=True)
class DeployedFeed:
    """A kind of file, as it is deployed. What is not in the stack's outputs is asked for when it is needed."""

    function: str
    rows_table: str
    """In DynamoDB or in PostgreSQL."""
    clients: Clients = field(repr=False, compare=False)

    @cached_property
    def _deployed(self) -> "FunctionConfigurationResponseTypeDef":
        """The deployed function, as one request describes it: its time of change is that of its settings."""
        client = self.clients.lambda_
        try:
            return client.get_function_configuration(FunctionName=self.function, Qualifier=queues.LIVE)
        except client.exceptions.ResourceNotFoundException:  # a deployment of a release before 1.5: `pause` has to work
            return client.get_function_configuration(FunctionName=self.function)

    @property
    def arn(self) -> str:
        """Of the function's alias or, before release 1.5, of the function."""
        return self._deployed["FunctionArn"]

    @property
    def role(self) -> str:
        """The ARN of the role in which the function runs."""
        return self._deployed["Role"]

    @property
    def log_group(self) -> str:
        """Where the function logs."""
        return self._deployed["LoggingConfig"]["LogGroup"]

    @property
    def environment(self) -> dict[str, str]:
        return self._deployed.get("Environment", {}).get("Variables", {})

    @cached_property
    def config(self) -> configuration.IngestConfig:
        """The configuration of the deployed function: files are read here exactly as they are there.

        Raises NotConfigured.
        """
        return configuration.IngestConfig.from_environment(self.environment)

    @property
    def settings(self) -> feed.Feed:
        return self.config.feed

    @property
    def name(self) -> str:
        """Also of a release with settings that are unknown here: `pause` has to find its feeds."""
        try:
            return self.settings.name
        except configuration.NotConfigured:
            said = self.environment.get("FEED", "")
            return str(json.loads(said).get("name", DEFAULT_FEED)) if said.startswith("{") else said

    @property
    def mode(self) -> modes.WriteMode:
        return self.settings.mode

    @cached_property
    def owner(self) -> Owner:
        """The feed, and where its rows go to today. Raises as `opening.owner_of`."""
        return opening.owner_of(self.config, self.clients.dynamodb)

    @cached_property
    def timeout(self) -> int:
        """Seconds after which a delivery has ended, however it does."""
        return int(self._deployed["Timeout"])

    @cached_property
    def changed_at(self) -> datetime:
        """When the function's code or settings were changed last: deliveries that began before may have had others."""
        return datetime.fromisoformat(self._deployed["LastModified"])

    @cached_property
    def destination(self) -> base.Destination:
        return opening.open_destination(
            self.config,
            self.clients.dynamodb,
            deadline=Deadline.never(),
            address=self.database_address,
            on_failed_connection=lambda: None,  # the metric is the function's
        )

    @property
    def has_file_index(self) -> bool:
        """Whether its table in DynamoDB has the index of `file_index`."""
        table = dynamodb_table.DynamoDbTable(self.clients.dynamodb, self.rows_table, deadline=Deadline.never())
        return not self.settings.is_postgresql and table.has_index(ROWS_INDEX)

    @property
    def database_address(self) -> tuple[str, int] | None:
        """Where its database is reached; None for a feed with DynamoDB.

        That is the near end of a tunnel, if libpq's variables PGHOSTADDR and PGPORT name one, as they do for psql.
        Whatever the address, the certificate has to be that of the database's host. Raises NoPort.
        """
        if not (database := self.settings.database):
            return None
        port = os.environ.get("PGPORT") or str(database.port)
        if not port.isdecimal() or int(port) > MAX_PORT:
            raise NoPort(f"PGPORT is {port!r}, and has to be the number of a port")
        return os.environ.get("PGHOSTADDR") or database.host, int(port)

    def takes(self, key: str) -> bool:
        """Whether an upload under this key triggers the function."""
        return key.startswith(self.settings.key_prefix) and key.endswith(self.settings.key_suffixes)

    def concerns(self, prefix: str) -> bool:
        """Whether a key that begins with a text can be one of the feed."""
        return self.settings.key_prefix.startswith(prefix) or prefix.startswith(self.settings.key_prefix)

    def uploads(self, prefix: str = "") -> Iterator[Upload]:
        """Every version in the bucket that is or should have been ingested, by key."""
        if self.concerns(prefix):
            begin, suffixes = max(prefix, self.settings.key_prefix, key=len), self.settings.key_suffixes
            yield from listing.list_uploads(self.clients.s3, self.config.upload_bucket, prefix=begin, suffixes=suffixes)
