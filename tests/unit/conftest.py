"""The handler in this process, on real engines: a bucket, tables and a queue, new ones for each test."""

import itertools
import json
import os
import re
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
import yaml
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from csv_ingest import aws as function_aws
from csv_ingest.contract import FILES_KEY, ROWS_KEY
from csv_ingest.events import Event, ObjectVersion, object_version, upload_event
from csv_ingest.handler import handler
from csv_ingest.ledger import REJECT_MARK
from local.server import LocalAws
from ops.pipeline import Pipeline
from tests.infrastructure.snapshot import SNAPSHOT
from tests.permissions import Permission, allowed, needed, refused
from tests.templates import statements_of
from tests.unit.faults import refuse_repeated_keys

RESOURCES = yaml.safe_load(SNAPSHOT.read_text())
ARNS = {
    r"arn:aws:s3:::w[0-9a-f]{32}|\$\{StorageUploads\w+\.Arn\}": "uploads",
    r"arn:aws:dynamodb:.*-rows|\$\{StorageRows\w+\.Arn\}": "rows",
    r"arn:aws:dynamodb:.*-files|\$\{StorageFiles\w+\.Arn\}": "files",
    r"arn:aws:sqs:.*|\$\{IngestionFailures\w+\.Arn\}": "failures",
    r"arn:aws:lambda:.*:ingest|\$\{IngestionIngestFunction\w+\.Arn\}": "ingest",
}


@cache
def in_words(permission: Permission) -> Permission:
    """The permission on a resource of the stack or of a world, which are the same to it."""
    resource = permission.resource
    for pattern, word in ARNS.items():
        resource = re.sub(pattern, word, resource)
    return Permission(permission.action, resource)


def policy_of(role: str) -> set[Permission]:
    """What a role of the stack may do."""
    return {in_words(permission) for permission in allowed(statements_of(role, RESOURCES))}


def _callers() -> Iterator[str]:
    """The files, with their folders, of whoever called this, from the nearest outwards."""
    frame = sys._getframe(2).f_back
    while frame:
        yield "/".join(frame.f_code.co_filename.split("/")[-2:])
        frame = frame.f_back


@pytest.fixture(autouse=True)
def iam(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test does to the function, the function calls nothing that its role may not.

    No engine here knows IAM, so that a call without a permission would succeed in every test, and fail on AWS.
    """
    did: dict[str, set[Permission]] = {"IngestRole": set(), "SweepRole": set()}
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def noting(self: Any, operation: str, params: dict[str, Any]) -> Any:
        callers = [file for file in _callers() if file.startswith(("csv_ingest/", "ops/", "unit/"))]
        # The tests, and the operator's commands, use the function's clients and some of its modules.
        if callers[0].startswith("csv_ingest/") and not any(file.startswith("ops/") for file in callers):
            role = "SweepRole" if "csv_ingest/sweep.py" in callers else "IngestRole"
            did[role] |= set(map(in_words, needed(self.meta.service_model.service_name, operation, params)))
        return original(self, operation, params)

    monkeypatch.setattr(BaseClient, "_make_api_call", noting)
    yield
    assert {role: refused(calls, policy_of(role)) for role, calls in did.items()} == {role: [] for role in did}


if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


def invocation(*, seconds_left: float | Iterator[float] = 30) -> LambdaContext:
    """What Lambda tells the handler of an invocation; how much time is left can be another one at each question."""
    answers = itertools.repeat(seconds_left) if isinstance(seconds_left, int | float) else seconds_left
    return cast(
        "LambdaContext",
        SimpleNamespace(
            aws_request_id="request-1",
            function_name="ingest",
            invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:ingest",
            memory_limit_in_mb=512,
            get_remaining_time_in_millis=lambda: round(next(answers) * 1000),
        ),
    )


class Invocations:
    """Lambda's queue: takes every event, and keeps it for the test to deliver."""

    def __init__(self, client: "LambdaClient | None" = None) -> None:
        self.client = client or boto3.client("lambda")
        self.events: list[Event] = []
        self.functions: list[str] = []
        self.refuse: str | None = None
        """The key of an upload whose event is not accepted."""
        self.refuse_after: int | None = None
        """How many events are still accepted."""
        self.at_once: Callable[[Event], None] | None = None
        """What is done with an event as soon as it is accepted."""
        events: Any = self.client.meta.events
        events.register("provide-client-params.lambda.Invoke", self._take)
        events.register("before-call.lambda.Invoke", self._accept)

    def _take(self, params: dict[str, Any], **_: Any) -> None:
        assert params["InvocationType"] == "Event"
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
        return SimpleNamespace(status_code=202), {"StatusCode": 202}

    def keys(self) -> list[str]:
        return sorted(object_version(event["Records"][0]).key for event in self.events)


@dataclass(frozen=True)
class World:
    """A bucket, two tables and a queue, and the function's own clients."""

    bucket: str
    rows_table: str
    files_table: str
    failure_queue: str
    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    sqs: "SQSClient"

    def upload(self, key: str, content: bytes | str) -> Event:
        """Upload a file; returns the event that S3 would send."""
        body = content.encode() if isinstance(content, str) else content
        answer = self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        version = ObjectVersion(self.bucket, key, answer["VersionId"], answer["ETag"].strip('"'), len(body))
        return upload_event(version)

    def deliver(self, event: Event, *, seconds_left: float | Iterator[float] = 30) -> None:
        handler(event, invocation(seconds_left=seconds_left))

    def tables(self) -> tuple[dict[str, Any], dict[tuple[str, str], Any]]:
        """All rows and the whole ledger, by key, without the times."""
        rows = {item["pk"]["S"]: item for item in self._scan(self.rows_table)}
        files = {
            (item["object_key"]["S"], item["entry"]["S"]): {k: v for k, v in item.items() if not k.endswith("_at")}
            for item in self._scan(self.files_table)
        }
        return rows, files

    def failures(self) -> list[dict[str, Any]]:
        """What came to the failure queue, taken out."""
        found = []
        while messages := self.sqs.receive_message(QueueUrl=self.failure_queue, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in messages]
        return found

    def rows(self) -> dict[str, str]:
        """The data of each row, by the id in its key."""
        return {pk.partition("#")[2]: item["data"]["S"] for pk, item in self.tables()[0].items()}

    def file(self, key: str) -> dict[str, Any]:
        """The one record of a file, numbers as int."""
        [record] = [item for (k, entry), item in self.tables()[1].items() if k == key and "#" not in entry]
        return {name: int(value["N"]) if "N" in value else value["S"] for name, value in record.items()}

    def rejects(self, key: str) -> list[tuple[int, str]]:
        """The lines that were rejected, and why."""
        entries = sorted(
            (entry, item) for (k, entry), item in self.tables()[1].items() if k == key and REJECT_MARK in entry
        )
        return [(int(item["line"]["N"]), item["reason"]["S"]) for _, item in entries]

    def empty(self) -> None:
        """Forget everything but the uploads."""
        rows, files = self.tables()
        for pk in rows:
            self.dynamodb.delete_item(TableName=self.rows_table, Key={"pk": {"S": pk}})
        for key, entry in files:
            self.dynamodb.delete_item(TableName=self.files_table, Key={"object_key": {"S": key}, "entry": {"S": entry}})
        self.failures()

    def pipeline(self) -> Pipeline:
        """What the operator's commands work on. There is no stack here: what they would ask it, they are told."""
        pipeline = Pipeline("none", self.bucket, self.rows_table, self.files_table, self.failure_queue, "none", "none")
        pipeline.__dict__.update(settings=function_aws.settings(), triggers=[("", ".csv"), ("", ".csv.gz")])
        return pipeline

    def _scan(self, table: str) -> list[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]


def forget_clients() -> None:
    """Have the function make new ones: a client keeps the hooks of the test before, and the settings its tables."""
    for cached in (
        function_aws.settings,
        function_aws.s3,
        function_aws.dynamodb,
        function_aws.sqs,
        function_aws.lambda_,
    ):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def _botocore_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is lost is asked for again at once, and not after up to a second."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))


@contextmanager
def fresh_world() -> Iterator[World]:
    """A world of its own. The tables are at DYNAMODB_ENDPOINT, if that is set; the rest is MiniStack's."""
    name = f"w{uuid.uuid4().hex}"
    queue = boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    environment = {
        "UPLOAD_BUCKET": name,
        "ROWS_TABLE": f"{name}-rows",
        "FILES_TABLE": f"{name}-files",
        "FAILURE_QUEUE": queue,
        "ID_COLUMN": "id",
        "DELIMITER": ",",
        "ENCODING": "utf-8",
        "MAX_FILE_MB": "1000",
    }
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment.items():
            patch.setenv(variable, value)
        if endpoint := os.environ.get("DYNAMODB_ENDPOINT"):
            patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
        forget_clients()
        world = World(
            bucket=name,
            rows_table=f"{name}-rows",
            files_table=f"{name}-files",
            failure_queue=queue,
            s3=function_aws.s3(),
            dynamodb=function_aws.dynamodb(),
            sqs=function_aws.sqs(),
        )
        world.s3.create_bucket(Bucket=world.bucket)
        world.s3.put_bucket_versioning(Bucket=world.bucket, VersioningConfiguration={"Status": "Enabled"})
        for table, keys in ((world.rows_table, ROWS_KEY), (world.files_table, FILES_KEY)):
            _create_table(world.dynamodb, table, keys)
        refuse_repeated_keys(world.dynamodb)
        yield world
        for table in (world.rows_table, world.files_table):
            world.dynamodb.delete_table(TableName=table)
        forget_clients()


@pytest.fixture
def world(aws: LocalAws) -> Iterator[World]:  # noqa: ARG001 - it is the server
    with fresh_world() as made:
        yield made


def _create_table(dynamodb: "DynamoDBClient", table: str, keys: Sequence[str]) -> None:
    dynamodb.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": key, "KeyType": "RANGE" if number else "HASH"} for number, key in enumerate(keys)],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=table)
