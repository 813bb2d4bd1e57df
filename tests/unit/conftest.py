"""The handler in this process, on real engines: buckets and tables of MiniStack, new ones for each test."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote_plus

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from csv_ingest import aws as function_aws
from csv_ingest.handler import handler
from local.examples import upload_event
from local.server import LocalAws
from tests.unit.faults import refuse_repeated_keys

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


def invocation(*, seconds_left: float = 30) -> LambdaContext:
    """What Lambda tells the handler of an invocation."""
    return cast(
        "LambdaContext",
        SimpleNamespace(
            aws_request_id="request-1",
            function_name="ingest",
            invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:ingest",
            memory_limit_in_mb=512,
            get_remaining_time_in_millis=lambda: round(seconds_left * 1000),
        ),
    )


@dataclass(frozen=True)
class World:
    """A bucket and two tables, and the function's own clients."""

    bucket: str
    rows_table: str
    files_table: str
    s3: "S3Client"
    dynamodb: "DynamoDBClient"

    def upload(self, key: str, content: bytes | str) -> dict[str, Any]:
        """Upload a file; returns the event that S3 would send."""
        body = content.encode() if isinstance(content, str) else content
        answer = self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return upload_event(
            self.bucket,
            quote_plus(key),
            etag=answer["ETag"].strip('"'),
            version_id=answer["VersionId"],
            size=len(body),
        )

    def deliver(self, event: dict[str, Any], *, seconds_left: float = 30) -> None:
        handler(event, invocation(seconds_left=seconds_left))

    def tables(self) -> tuple[dict[str, Any], dict[tuple[str, str], Any]]:
        """All rows and the whole ledger, by key, without the times."""
        rows = {item["pk"]["S"]: item for item in self._scan(self.rows_table)}
        files = {
            (item["object_key"]["S"], item["entry"]["S"]): {k: v for k, v in item.items() if not k.endswith("_at")}
            for item in self._scan(self.files_table)
        }
        return rows, files

    def rows(self) -> dict[str, str]:
        """The data of each row, by the id in its key."""
        return {pk.partition("#")[2]: item["data"]["S"] for pk, item in self.tables()[0].items()}

    def file(self, key: str) -> dict[str, Any]:
        """The one record of a file, numbers as int."""
        [record] = [item for (k, entry), item in self.tables()[1].items() if k == key and "#" not in entry]
        return {name: int(value["N"]) if "N" in value else value["S"] for name, value in record.items()}

    def rejects(self, key: str) -> list[tuple[int, str]]:
        """The lines that were rejected, and why."""
        entries = sorted((entry, item) for (k, entry), item in self.tables()[1].items() if k == key and "#" in entry)
        return [(int(item["line"]["N"]), item["reason"]["S"]) for _, item in entries]

    def _scan(self, table: str) -> list[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]


@pytest.fixture
def world(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:  # noqa: ARG001 - it is the server
    name = f"w{uuid.uuid4().hex}"
    monkeypatch.setenv("UPLOAD_BUCKET", name)
    monkeypatch.setenv("ROWS_TABLE", f"{name}-rows")
    monkeypatch.setenv("FILES_TABLE", f"{name}-files")
    monkeypatch.setenv("ID_COLUMN", "id")
    monkeypatch.setenv("DELIMITER", ",")
    monkeypatch.setenv("ENCODING", "utf-8")
    for cached in (function_aws.settings, function_aws.s3, function_aws.dynamodb):
        cached.cache_clear()  # a client keeps the hooks of the test before
    made = World(name, f"{name}-rows", f"{name}-files", function_aws.s3(), function_aws.dynamodb())
    made.s3.create_bucket(Bucket=made.bucket)
    made.s3.put_bucket_versioning(Bucket=made.bucket, VersioningConfiguration={"Status": "Enabled"})
    for table, keys in ((made.rows_table, ["pk"]), (made.files_table, ["object_key", "entry"])):
        made.dynamodb.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": key, "KeyType": "RANGE" if number else "HASH"} for number, key in enumerate(keys)
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    refuse_repeated_keys(made.dynamodb)
    yield made
    for table in (made.rows_table, made.files_table):
        made.dynamodb.delete_table(TableName=table)
