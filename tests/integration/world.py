"""A bucket, two tables and a queue on real engines, new for each test, and the real handler in this process."""

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import boto3
import pytest
from botocore.exceptions import ClientError

from csv_ingest import RELEASE, clients
from csv_ingest.configuration import IngestConfig
from csv_ingest.events import Event, upload_event
from csv_ingest.feed import Feed
from csv_ingest.handler import handler
from csv_ingest.model import (
    FILES_KEY,
    NO_VERSION,
    ROWS_KEY,
    Column,
    ItemsNotRead,
    ObjectVersion,
    RowsNotWritten,
    Tuning,
)
from local.postgresql import LocalPostgresql
from ops.feed import Clients, DeployedFeed
from ops.pipeline import Pipeline
from tests.integration.engines import create_table, have_s3_tell, postgresql_rows
from tests.integration.faults import Calls, Killed, Statements, behave_like_aws
from tests.integration.invoking import invocation, version_of
from tests.integration.pool import forget_clients
from tests.integration.rows import DynamoDbRows, PostgresqlRows, Rows, delete_all
from tests.integration.settings import database_settings, feed_now, set_feed, with_settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


FIRST_UPLOAD = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class OtherFeed:
    """A feed besides the one that the environment configures."""

    name: str
    prefix: str
    rows: Rows
    rows_table: str
    feed: Feed


@dataclass(frozen=True)
class World:
    """A bucket, the tables and a queue, and the function's own clients."""

    bucket: str
    default_rows: Rows
    """Of the default feed."""
    files_table: str
    failure_queue: str
    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    sqs: "SQSClient"
    statements: Statements
    """What is run on PostgreSQL, in any feed."""
    tuning: Tuning = field(default_factory=Tuning)
    """How the handler divides files, unless a delivery says otherwise."""
    feeds: list[OtherFeed] = field(default_factory=list)
    """Those besides the default one."""
    times: dict[str, datetime] = field(default_factory=dict)
    """When each version was uploaded, by its own name: no two are in the same second."""

    def upload(self, key: str, content: bytes | str, *, time: datetime | None = None) -> Event:
        """Upload a file, at a time or a second after the last one; returns the event that S3 would send."""
        body = content.encode() if isinstance(content, str) else content
        answer = self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        version = ObjectVersion(self.bucket, key, answer["VersionId"], answer["ETag"].strip('"'), len(body))
        event = upload_event(version)
        [record] = event["Records"]
        time = time or FIRST_UPLOAD + timedelta(seconds=len(self.times))
        self.times[version.version_id] = time
        record["eventTime"] = f"{time:%Y-%m-%dT%H:%M:%S}.000Z"
        record["s3"]["object"]["sequencer"] = f"{len(self.times):018X}"
        return event

    def upload_before_versions(self, key: str, content: str, *, time: datetime = FIRST_UPLOAD) -> Event:
        """Upload a file as before the bucket kept versions; returns the event that `backfill` would send."""
        self.keep_versions("Suspended")
        answer = self.s3.put_object(Bucket=self.bucket, Key=key, Body=content.encode())
        self.keep_versions("Enabled")
        version = ObjectVersion(self.bucket, key, NO_VERSION, answer["ETag"].strip('"'), len(content.encode()))
        self.times[version.own_name] = time
        return upload_event(version)

    def keep_versions(self, status: Literal["Enabled", "Suspended"]) -> None:
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": status})

    def tuned(self, **changes: int) -> "World":
        """The same world, whose files are divided otherwise."""
        return replace(self, tuning=replace(self.tuning, **changes))

    def deliver(
        self, event: Event, *, seconds_left: float | Iterator[float] = 30, tuning: Tuning | None = None
    ) -> None:
        with self.configured(version_of(event).key if self.feeds else ""):
            handler(event, invocation(seconds_left=seconds_left), tuning=tuning or self.tuning)

    def ingest(self, key: str, content: bytes | str) -> Event:
        """Upload a file and deliver its event, which is returned."""
        self.deliver(event := self.upload(key, content))
        return event

    def deliver_despite(self, calls: Calls, fault: str, number: int, event: Event) -> bool:
        """Lambda's view of a fault: the process is gone or has raised, the event is delivered again.

        Returns whether it was.
        """
        try:
            with calls.fault(fault, number):
                self.deliver(event)
        except (Killed, ClientError, RowsNotWritten, ItemsNotRead):
            self.deliver(event)
            return True
        return False

    def add_feed(self, name: str, prefix: str, **settings: Any) -> OtherFeed:
        """Another feed: its deliveries have a rows table of their own, and other settings."""
        table = f"{self.bucket}-rows-{name}"
        create_table(self.dynamodb, table, ROWS_KEY)
        feed = self._like_default(name, prefix, settings)
        return self._add(OtherFeed(name, prefix, DynamoDbRows(self.dynamodb, table), table, feed))

    def add_postgresql_feed(self, server: LocalPostgresql, name: str, prefix: str, **settings: Any) -> OtherFeed:
        """Another feed, whose rows go to a table in PostgreSQL."""
        table = f"{self.bucket}_rows_{name}"
        feed = self._like_default(name, prefix, database_settings(server, table) | settings)
        return self._add(OtherFeed(name, prefix, postgresql_rows(server, table, feed), table, feed))

    def _like_default(self, name: str, prefix: str, settings: Mapping[str, Any]) -> Feed:
        default = feed_now()
        own: dict[str, Any] = {
            "max_rejected": default.max_rejected,
            "max_file_mb": default.max_file_mb,
            "write_mode": default.write_mode,
            "key_suffixes": default.key_suffixes,
        }
        return with_settings(Feed(name=name, key_prefix=prefix, format=default.format), {**own, **settings})

    def _add(self, feed: OtherFeed) -> OtherFeed:
        set_feed(key_prefix="orders/")
        self.feeds.append(feed)
        return feed

    @contextmanager
    def configured(self, key: str) -> Iterator[None]:
        """Have the environment of the function that ingests a key."""
        with pytest.MonkeyPatch.context() as patch:
            for feed in self.feeds:
                if key.startswith(feed.prefix):
                    patch.setenv("FEED", feed.feed.to_json())
                    patch.setenv("ROWS_TABLE", feed.rows_table)
            yield

    def drop_files_tables(self) -> None:
        """Have the tables in PostgreSQL as an earlier release needed them."""
        for rows in self.rows_tables:
            if isinstance(rows, PostgresqlRows):
                rows.drop_files()

    def create_files_tables(self) -> None:
        """Have their owner run the statements of this release."""
        for rows in self.rows_tables:
            if isinstance(rows, PostgresqlRows):
                rows.create_files()

    def tables(self) -> tuple[dict[str, Any], dict[tuple[str, str], Any]]:
        """The rows of the default feed, and the whole ledger with what is marked as complete beside the rows, by key.

        Without the times, and without what the sweep has noted for its next run.
        """
        rows = self.default_rows.items()
        marks = {
            (key, f"{upload}#mark"): {"counts": counts} for (upload, key), counts in self.default_rows.marks().items()
        }
        files = {
            key: {name: value for name, value in item.items() if name == "rows_expire_at" or not name.endswith("_at")}
            for key, item in self._files().items()
            if key[0] != "#sweep"
        }
        return rows, files | marks

    @property
    def rows_tables(self) -> list[Rows]:
        """Of the default feed, and of the others."""
        return [self.default_rows, *(feed.rows for feed in self.feeds)]

    @property
    def rows_table(self) -> str:
        """The name of the default feed's."""
        return os.environ["ROWS_TABLE"]

    @property
    def engines(self) -> "tuple[S3Client, DynamoDBClient, SQSClient, Statements]":
        """Whose calls a delivery makes."""
        return self.s3, self.dynamodb, self.sqs, self.statements

    @property
    def in_dynamodb(self) -> bool:
        """Whether the default feed's rows are."""
        return not feed_now().is_postgresql

    def declare(self, columns: Mapping[str, str]) -> None:
        """Declare the columns of the default feed, after its table has them."""
        for name, declaration in columns.items():
            column = Column.parse(name, declaration)
            self.default_rows.declare(column.stored_as, column.type)
        set_feed(columns=columns)

    def _files(self) -> dict[tuple[str, str], Any]:
        return {(item["object_key"]["S"], item["entry"]["S"]): item for item in self._scan(self.files_table)}

    def failures(self) -> list[dict[str, Any]]:
        """What came to the failure queue, taken out."""
        found = []
        while messages := self.sqs.receive_message(QueueUrl=self.failure_queue, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in messages]
        return found

    def rows(self) -> dict[str, str]:
        """The data of each row of the default feed, by the id in its key."""
        mode, items = feed_now().mode, self.tables()[0].items()
        return {str(mode.parse_row_key(pk, "").id): item["data"]["S"] for pk, item in items}

    def file(self, key: str) -> dict[str, Any]:
        """The one record of a file, numbers as int."""
        [record] = [item for (k, entry), item in self.tables()[1].items() if k == key and "#" not in entry]
        return {name: int(value["N"]) if "N" in value else value["S"] for name, value in record.items()}

    def rejects(self, key: str) -> list[tuple[int, str]]:
        """The lines that were rejected, and why."""
        entries = sorted(
            (entry, item) for (k, entry), item in self.tables()[1].items() if k == key and "#reject#" in entry
        )
        return [(int(item["line"]["N"]), item["reason"]["S"]) for _, item in entries]

    def change_record(self, key: str, *, remove: str = "", **values: str | int) -> None:
        """Set attributes of the one record of a file, or remove one, as only somebody else does."""
        [record] = [item for (k, entry), item in self._files().items() if k == key and "#" not in entry]
        changed = {name: {"N" if isinstance(value, int) else "S": str(value)} for name, value in values.items()}
        record.pop(remove, None)
        self.dynamodb.put_item(TableName=self.files_table, Item=record | changed)

    def delete_entry(self, key: str, entry: str) -> None:
        """Delete what the ledger has under a key: a record, or a rejected row."""
        self.dynamodb.delete_item(TableName=self.files_table, Key={"object_key": {"S": key}, "entry": {"S": entry}})

    def delete_object(self, event: Event) -> None:
        """Delete the version that an event names, for good."""
        version = version_of(event)
        self.s3.delete_object(Bucket=self.bucket, Key=version.key, VersionId=version.version_id)

    def an_hour_later(self, key: str) -> None:
        """Have the last delivery of a file begun an hour earlier than it did."""
        [record] = [item for (k, entry), item in self._files().items() if k == key and "#" not in entry]
        started = datetime.fromisoformat(record["started_at"]["S"]) - timedelta(hours=1)
        self.change_record(key, started_at=started.isoformat(timespec="milliseconds"))

    def empty(self) -> None:
        """Forget everything but the uploads."""
        for rows in self.rows_tables:
            rows.empty()
        keys = [{"object_key": {"S": key}, "entry": {"S": entry}} for key, entry in self._files()]
        delete_all(self.dynamodb, self.files_table, keys)
        self.failures()

    def pipeline(self) -> Pipeline:
        """What the operator's commands work on. There is no stack here: what they would ask it, they are told.

        Beside other feeds, the default one has the prefix `orders/`.
        """
        made = Clients()
        behave_like_aws(made.dynamodb)
        feeds = [("", "none", self.rows_table)]
        feeds += [
            (each.prefix, f"none-{each.name}", each.rows_table)
            for each in sorted(self.feeds, key=lambda each: each.name)
        ]
        deployed = [DeployedFeed(function, table, made) for _, function, table in feeds]
        for each, (prefix, _, _) in zip(deployed, feeds, strict=True):
            with self.configured(prefix):
                told = {"config": IngestConfig.from_environment(), "timeout": 0, "changed_at": FIRST_UPLOAD}
            each.__dict__.update(told)
        return Pipeline(
            stack="none",
            upload_bucket=self.bucket,
            files_table=self.files_table,
            failure_queue=self.failure_queue,
            alarm_topic=f"arn:aws:sns:us-east-1:000000000000:{self.bucket}",
            feeds=deployed,
            sweep="sweep",
            notifier="notifier",
            release=RELEASE,
            ignored_prefixes=["reports/"],
            existing_bucket=False,
            clients=made,
        )

    def deploy(self, pipeline: Pipeline, **settings: Any) -> None:
        """Deploy the default feed with other settings, which the operator's commands see as well."""
        set_feed(**settings)
        for deployed in pipeline.feeds:
            with self.configured(deployed.settings.key_prefix):
                deployed.__dict__["config"] = IngestConfig.from_environment()
            for cached in ("destination", "owner"):
                deployed.__dict__.pop(cached, None)

    def _scan(self, table: str) -> list[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]


@contextmanager
def fresh_world(
    tuning: Tuning | None = None,
    *,
    postgresql: LocalPostgresql | None = None,
    file_index: bool = False,
    merges: bool = False,
) -> Iterator[World]:
    """A world of its own. The tables are at DYNAMODB_ENDPOINT, if that is set; the rest is MiniStack's.

    The rows table of the default feed is in PostgreSQL, if a server is given; otherwise it can have the index by file.
    The default feed can merge.
    """
    name = f"w{uuid.uuid4().hex}"
    queue = boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    rows_table = f"{name}_rows" if postgresql else f"{name}-rows"
    settings = database_settings(postgresql, rows_table) if postgresql else {}
    feed = Feed(
        key_suffixes=(".csv", ".csv.gz"),
        max_rejected=None,
        write_mode="merge" if merges else "append",
        file_index=file_index,
        **settings,
    )
    environment = {
        "FEED": feed.to_json(),
        "UPLOAD_BUCKET": name,
        "ROWS_TABLE": rows_table,
        "FILES_TABLE": f"{name}-files",
        "FAILURE_QUEUE": queue,
    }
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment.items():
            patch.setenv(variable, value)
        if endpoint := os.environ.get("DYNAMODB_ENDPOINT"):
            patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
        forget_clients()
        dynamodb_client = clients.dynamodb()
        if not postgresql:
            create_table(dynamodb_client, environment["ROWS_TABLE"], ROWS_KEY, file_index=file_index)
        world = World(
            bucket=name,
            default_rows=postgresql_rows(postgresql, rows_table, feed)
            if postgresql
            else DynamoDbRows(dynamodb_client, environment["ROWS_TABLE"]),
            files_table=environment["FILES_TABLE"],
            failure_queue=queue,
            s3=clients.s3(),
            dynamodb=dynamodb_client,
            sqs=clients.sqs(),
            statements=Statements(patch),
            tuning=tuning or Tuning(),
        )
        have_s3_tell(world.times, world.s3)
        world.s3.create_bucket(Bucket=world.bucket)
        world.keep_versions("Enabled")
        create_table(world.dynamodb, world.files_table, FILES_KEY)
        behave_like_aws(world.dynamodb)
        yield world
        world.dynamodb.delete_table(TableName=world.files_table)
        for rows in world.rows_tables:
            rows.drop()
        forget_clients()


BOTH_DESTINATIONS = pytest.mark.parametrize("world", ["dynamodb", "postgresql"], indirect=True)
"""A test, or a module, that runs with each destination."""

MERGING = pytest.mark.parametrize("world", ["merge", "postgresql merge"], indirect=True)
"""The same for a feed that merges."""
