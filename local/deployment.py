"""The pipeline deployed to MiniStack by the real CDK CLI, and looked at from outside."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple

import boto3
from boto3.dynamodb.types import TypeDeserializer

from csv_ingest.destinations.postgresql_table import quoted
from csv_ingest.queues import LIVE
from local.databases import use_local_databases
from local.postgresql import LocalPostgresql
from local.processes import run
from local.server import LocalAws
from local.waiting import wait_until
from ops.feed import DeployedFeed
from ops.pipeline import Pipeline

_DESERIALIZER = TypeDeserializer()

_OWN = ("pk", "etag", "uploaded", "line", "data", "row_expires_at")


class TableRow(NamedTuple):
    """What a rows table says of one row."""

    line: int
    data: str
    values: Mapping[str, Any]
    """Of the declared columns, without empty ones: numbers are Decimal or int, dates and timestamps are text."""

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "TableRow":
        """Read an item in DynamoDB's JSON."""
        plain = {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}
        values = {name: value for name, value in plain.items() if name not in _OWN}
        return cls(int(plain["line"]), plain["data"], values)


@dataclass(frozen=True)
class Deployment:
    """A pipeline, with what only a demonstration or a test wants to know of it."""

    pipeline: Pipeline
    postgresql: LocalPostgresql | None = None
    """The server that has the rows tables of PostgreSQL feeds."""

    def with_databases(self, server: LocalPostgresql) -> "Deployment":
        """The same deployment, whose PostgreSQL feeds write to a local server."""
        return Deployment(use_local_databases(self.pipeline, server), server)

    def items(self) -> dict[str, dict[str, Any]]:
        """Everything in the rows tables of all feeds with DynamoDB, by key, in DynamoDB's JSON."""
        scans = self.pipeline.clients.dynamodb.get_paginator("scan")
        return {
            item["pk"]["S"]: dict(item)
            for feed in self.pipeline.feeds
            if not feed.settings.database
            for page in scans.paginate(TableName=feed.rows_table, ConsistentRead=True)
            for item in page["Items"]
        }

    def rows(self) -> dict[str, TableRow]:
        """Everything in the rows tables of all feeds, by key."""
        rows = {key: TableRow.of(item) for key, item in self.items().items()}
        for feed in self.pipeline.feeds:
            if feed.settings.database:
                rows |= self._rows_in_postgresql(feed)
        return rows

    def select(self, sql: str, feed: DeployedFeed, **parameters: str) -> list[list[Any]]:
        """What the server of a PostgreSQL feed answers its administrator, each `:name` a parameter."""
        assert self.postgresql and feed.settings.database  # noqa: S101, PT018
        with replace(self.postgresql, database=feed.settings.database.name).connect() as connection:
            rows: list[list[Any]] = connection.run(sql, **parameters)
        return rows

    def _rows_in_postgresql(self, feed: DeployedFeed) -> dict[str, TableRow]:
        names = [column.stored_as for column in feed.settings.format.columns]
        more = "".join(f", {quoted(name)}" for name in names)
        rows = {}
        for etag, id_, line, data, *values in self.select(
            f"SELECT etag, id, line, data::text{more} FROM {quoted(feed.rows_table)}",  # noqa: S608 - names are quoted
            feed,
        ):
            plain = (value.isoformat() if isinstance(value, date) else value for value in values)
            by_name = {name: value for name, value in zip(names, plain, strict=True) if value is not None}
            rows[f"{etag}#{id_}"] = TableRow(line, data, by_name)
        return rows

    def invoke(self, event: Mapping[str, Any]) -> str | None:
        """Invoke the function of the first feed with an event and wait for its end: None, or how it failed."""
        function = self.pipeline.feeds[0].function
        answer = self.pipeline.clients.lambda_.invoke(
            FunctionName=function, Qualifier=LIVE, Payload=json.dumps(event).encode()
        )
        return answer.get("FunctionError")

    def failures(self) -> list[dict[str, Any]]:
        """What is in the failure queue; it stays there."""
        answer = self.pipeline.clients.sqs.receive_message(
            QueueUrl=self.pipeline.failure_queue, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    def failure_of(self, encoded_key: str) -> dict[str, Any]:
        """Wait for a message of an object in the failure queue; it stays there."""
        found: list[dict[str, Any]] = []

        def received() -> bool:
            found.extend(
                failure
                for failure in self.failures()
                for record in failure["requestPayload"].get("Records", [])[:1]  # others are of no upload
                if record["s3"]["object"]["key"] == encoded_key
            )
            return bool(found)

        wait_until(received, f"the failure queue has a message of {encoded_key}")
        return found[0]

    def log_lines(self, function: str) -> Iterator[str]:
        """Everything that a function has logged."""
        configuration = self.pipeline.clients.lambda_.get_function_configuration(FunctionName=function)
        pages = (
            boto3.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=configuration["LoggingConfig"]["LogGroup"])
        )
        for page in pages:
            for event in page["events"]:
                yield event["message"]

    def logged(self, message: str, *, function: str | None = None) -> list[dict[str, Any]]:
        """The structured log records with this message, of the first feed's function unless another is named."""
        lines = self.log_lines(function or self.pipeline.feeds[0].function)
        records = (json.loads(line) for line in lines if line.startswith("{"))
        return [record for record in records if record.get("message") == message]


def deploy(aws: LocalAws, arguments: Sequence[str] = (), **context: str) -> Deployment:
    """`cdk bootstrap` and `cdk deploy ARGUMENTS -c KEY=VALUE`, as a user would.

    Raises RuntimeError with the CLI's words if they fail.
    """
    # A folder of its own: two deployments at the same time would be in each other's way in cdk.out.
    cdk = ["cdk", "--no-notices", "--output", str(aws.run_dir / "cdk.out")]
    # Without an app, which it would synthesize first for nothing.
    run([*cdk, "--app", "", "bootstrap", "aws://000000000000/us-east-1"], log=aws.run_dir / "bootstrap.log")
    settings = [word for key, value in context.items() for word in ("-c", f"{key}={value}")]
    outputs = aws.run_dir / "outputs.json"
    options = ["--require-approval", "never", "--outputs-file", str(outputs)]
    run([*cdk, "deploy", *options, *settings, *arguments], log=aws.run_dir / "deploy.log")
    [stack] = json.loads(outputs.read_text())  # its name has the stage
    return Deployment(Pipeline.find(stack))
