"""A bucket, two tables and a queue on real engines, new for each test, and the real handler in this process."""

import itertools
import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, cast

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from csv_ingest import RELEASE, clients
from csv_ingest.configuration import IngestConfig
from csv_ingest.events import Event, object_version, upload_event
from csv_ingest.feed import FORMAT_SETTINGS, Feed
from csv_ingest.handler import handler
from csv_ingest.model import (
    FILES_INDEX,
    FILES_INDEX_KEY,
    FILES_KEY,
    NO_VERSION,
    ROWS_INDEX,
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
from tests.integration.faults import Calls, Killed, Statements, behave_like_aws
from tests.integration.rows import DynamoDbRows, PostgresqlRows, Rows, delete_all

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


FIRST_UPLOAD = datetime(2026, 1, 1, tzinfo=UTC)


def invocation(*, seconds_left: float | Iterator[float] = 30, function: str = "ingest") -> LambdaContext:
    """What Lambda tells the handler of an invocation; how much time is left can be another one at each question."""
    answers = itertools.repeat(seconds_left) if isinstance(seconds_left, int | float) else seconds_left
    return cast(
        "LambdaContext",
        SimpleNamespace(
            aws_request_id="request-1",
            function_name=function,
            function_version="1",
            invoked_function_arn=f"arn:aws:lambda:us-east-1:000000000000:function:{function}:live",
            memory_limit_in_mb=512,
            get_remaining_time_in_millis=lambda: round(next(answers) * 1000),
        ),
    )


def metrics_in(output: str) -> dict[str, float]:
    """The metrics that a function printed."""
    lines = [json.loads(line) for line in output.splitlines() if '"_aws":' in line]
    return {
        metric["Name"]: sum(line[metric["Name"]])
        for line in lines
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }


def version_of(event: Event) -> ObjectVersion:
    """The object version that an event names."""
    return object_version(event["Records"][0])


class Invocations:
    """Lambda's queue: takes every event, and keeps it for the test to deliver."""

    def __init__(self, client: "LambdaClient | None" = None) -> None:
        self.client = client or boto3.client("lambda")
        self.events: list[Event] = []
        self.functions: list[str] = []
        self.refuse: str | None = None
        """The key of an upload whose event is not accepted."""
        self.status = 202
        """What Lambda answers."""
        self.refuse_after: int | None = None
        """How many events are still accepted."""
        self.at_once: Callable[[Event], None] | None = None
        """What is done with an event as soon as it is accepted."""
        self.reserved: int | None = None
        """The reserved concurrency of every function."""
        self.paused: set[str] = set()
        """Functions whose reserved concurrency is 0, whatever that of the others is."""
        events: Any = self.client.meta.events
        events.register("before-call.lambda.GetFunctionConcurrency", self._tell_reserved)
        events.register("provide-client-params.lambda.Invoke", self._take)
        events.register("before-call.lambda.Invoke", self._accept)

    def _take(self, params: dict[str, Any], **_: Any) -> None:
        assert (params["InvocationType"], params["Qualifier"]) == ("Event", "live")
        event = json.loads(params["Payload"])
        if "Records" in event and object_version(event["Records"][0]).key == self.refuse:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "made up"}}, "Invoke")
        if self.refuse_after is not None and len(self.events) >= self.refuse_after:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "made up"}}, "Invoke")
        self.events.append(event)
        self.functions.append(params["FunctionName"])
        if self.at_once:
            self.at_once(event)

    def _accept(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        return SimpleNamespace(status_code=self.status), {"StatusCode": self.status}

    def _tell_reserved(self, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        is_paused = any(f"/functions/{name}/" in params["url_path"] for name in self.paused)
        return SimpleNamespace(status_code=200), {"ReservedConcurrentExecutions": 0 if is_paused else self.reserved}

    def keys(self) -> list[str]:
        return sorted(object_version(event["Records"][0]).key for event in self.events)


def feed_now() -> Feed:
    """The feed that the environment configures."""
    return Feed.from_json(os.environ["FEED"])


def with_settings(feed: Feed, settings: Mapping[str, Any]) -> Feed:
    """The same feed with other settings, those of the format among them."""
    of_format = {name: value for name, value in settings.items() if name in FORMAT_SETTINGS}
    others = {name: value for name, value in settings.items() if name not in FORMAT_SETTINGS}
    return replace(feed, format=replace(feed.format, **of_format), **others)


def set_feed(**settings: Any) -> None:
    """Deploy the feed that the environment configures with other settings, until the end of the test."""
    os.environ["FEED"] = with_settings(feed_now(), settings).to_json()


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
        return self._add(OtherFeed(name, prefix, _postgresql_rows(server, table, feed), table, feed))

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


def forget_clients() -> None:
    """Have the function make new clients: a client keeps the hooks of the test before."""
    made = (clients.s3, clients.dynamodb, clients.sqs, clients.sns, clients.lambda_, clients.events)
    for cached in (*made, clients.secretsmanager):
        cached.cache_clear()


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
            default_rows=_postgresql_rows(postgresql, rows_table, feed)
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
        _have_s3_tell(world.times, world.s3)
        world.s3.create_bucket(Bucket=world.bucket)
        world.keep_versions("Enabled")
        create_table(world.dynamodb, world.files_table, FILES_KEY)
        behave_like_aws(world.dynamodb)
        yield world
        world.dynamodb.delete_table(TableName=world.files_table)
        for rows in world.rows_tables:
            rows.drop()
        forget_clients()


def _have_s3_tell(times: Mapping[str, datetime], s3: "S3Client") -> None:
    """Have S3 say when a version was uploaded; all uploads of a test are within a second of MiniStack's clock."""
    events: Any = s3.meta.events

    def remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        version = ObjectVersion(params["Bucket"], params["Key"], params.get("VersionId", ""), "", 0)
        context["own_name"] = version.own_name

    def tell(parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        if time := times.get(context["own_name"]):
            parsed["LastModified"] = time

    for operation in ("HeadObject", "GetObject"):
        events.register(f"provide-client-params.s3.{operation}", remember)
        events.register(f"after-call.s3.{operation}", tell)


BOTH_DESTINATIONS = pytest.mark.parametrize("world", ["dynamodb", "postgresql"], indirect=True)
"""A test, or a module, that runs with each destination."""

MERGING = pytest.mark.parametrize("world", ["merge", "postgresql merge"], indirect=True)
"""The same for a feed that merges."""

ROLE, PASSWORD = "csv_ingest", "a password of the tests"


def database_settings(server: LocalPostgresql, table: str) -> dict[str, Any]:
    """The settings that lead to a table on a server. The password is in a secret, as on AWS."""
    secret = boto3.client("secretsmanager").create_secret(
        Name=uuid.uuid4().hex, SecretString=json.dumps({"password": PASSWORD})
    )["ARN"]
    return {
        "destination": "postgresql",
        "database_host": "127.0.0.1",
        "database_port": server.port,
        "database_name": server.database,
        "database_user": ROLE,
        "database_table": table,
        "database_secret": secret,
        "database_ca": server.ca,
        "subnets": ["subnet-12345678"],
        "security_groups": ["sg-12345678"],
    }


def _postgresql_rows(server: LocalPostgresql, table: str, feed: Feed) -> PostgresqlRows:
    config = IngestConfig(upload_bucket="", rows_table=table, files_table="", failure_queue="", feed=feed)
    return PostgresqlRows.create(server, config, PASSWORD)


def create_table(dynamodb: "DynamoDBClient", table: str, keys: Sequence[str], *, file_index: bool = False) -> None:
    kinds = dict.fromkeys(keys, "S")
    more: Any = {}
    if file_index:
        kinds |= {"etag": "S", "line": "N"}
        more = {"GlobalSecondaryIndexes": [_index(ROWS_INDEX, ("etag", "line"))]}
    if keys == FILES_KEY:
        kinds |= dict.fromkeys(FILES_INDEX_KEY, "S")
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        more = {"GlobalSecondaryIndexes": [_index(FILES_INDEX, FILES_INDEX_KEY)], "StreamSpecification": stream}
    definitions: Any = [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()]
    dynamodb.create_table(
        TableName=table,
        AttributeDefinitions=definitions,
        KeySchema=_key_schema(keys),
        BillingMode="PAY_PER_REQUEST",
        **more,
    )


def _index(name: str, key: Sequence[str]) -> Any:
    return {"IndexName": name, "KeySchema": _key_schema(key), "Projection": {"ProjectionType": "KEYS_ONLY"}}


def _key_schema(names: Sequence[str]) -> Any:
    return [{"AttributeName": name, "KeyType": "RANGE" if number else "HASH"} for number, name in enumerate(names)]
