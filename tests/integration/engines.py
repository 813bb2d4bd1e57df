"""The tables and clients of a test, on real engines that are made to answer as those of AWS."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from csv_ingest.configuration import IngestConfig
from csv_ingest.feed import Feed
from csv_ingest.model import (
    FILES_INDEX,
    FILES_INDEX_KEY,
    FILES_KEY,
    ROWS_INDEX,
    ObjectVersion,
)
from local.postgresql import LocalPostgresql
from tests.integration.rows import PostgresqlRows
from tests.integration.settings import PASSWORD

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


def have_s3_tell(times: Mapping[str, datetime], s3: "S3Client") -> None:
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


def postgresql_rows(server: LocalPostgresql, table: str, feed: Feed) -> PostgresqlRows:
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
