"""The AWS clients and the environment. Importing this module touches neither."""

import os
from functools import cache
from typing import TYPE_CHECKING

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
    return boto3.client("dynamodb", config=_CONFIG)


@cache
def sqs() -> "SQSClient":
    return boto3.client("sqs", config=_CONFIG)


@cache
def lambda_() -> "LambdaClient":
    return boto3.client("lambda", config=_CONFIG)
