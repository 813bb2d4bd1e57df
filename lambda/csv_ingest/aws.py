"""The AWS clients and the environment. Importing this module touches neither."""

import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from csv_ingest.settings import Settings, SweepSettings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

# A connection that hangs must not use up the 30 seconds of an invocation. Repeating any of our calls is
# harmless: reads are reads, and every write is put-if-absent or guarded by a condition.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 4},
    # Both are computed anew for each request. Our requests are checked by our tests, and the engines.
    parameter_validation=False,
    user_agent="csv-ingest",
)


@cache
def settings() -> Settings:
    return Settings.from_environment(os.environ)


@cache
def sweep_settings() -> SweepSettings:
    return SweepSettings.from_environment(os.environ)


@cache
def s3() -> "S3Client":
    return boto3.client("s3", config=_CONFIG)


@cache
def dynamodb() -> "DynamoDBClient":
    client = boto3.client("dynamodb", config=_CONFIG)
    _ = client.exceptions  # made when first asked for: two threads would make two of each, and catch only their own
    client.meta.events.register_last("before-parameter-build.dynamodb.BatchExecuteStatement", _encode)
    client.meta.events.register("before-call.dynamodb.BatchExecuteStatement", _send_encoded)
    return client


# DynamoDB's JSON is what we pass to the client. For the requests that carry the rows we encode it ourselves: botocore
# would look up the shape of each value first, which is a seventh of what a row costs. It still does everything else.
def _encode(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    context["encoded"] = json.dumps(params).encode()
    params.clear()


def _send_encoded(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    params["body"] = context["encoded"]


@cache
def sqs() -> "SQSClient":
    return boto3.client("sqs", config=_CONFIG)


@cache
def lambda_() -> "LambdaClient":
    return boto3.client("lambda", config=_CONFIG)
