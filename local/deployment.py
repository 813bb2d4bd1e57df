"""A deployed stack: made by the real CDK CLI, found through its outputs."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3

from local.server import LocalAws, run

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

STACK = "CsvIngest"


@dataclass(frozen=True)
class Deployment:
    """The names of what was deployed, and clients to reach it."""

    aws: LocalAws
    upload_bucket: str
    rows_table: str
    files_table: str
    failure_queue: str
    function: str

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(
            aws_access_key_id=self.aws.exports["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.aws.exports["AWS_SECRET_ACCESS_KEY"],
            region_name=self.aws.exports["AWS_REGION"],
        )

    @cached_property
    def s3(self) -> "S3Client":
        return self._session.client("s3", endpoint_url=self.aws.endpoint)

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        return self._session.client("dynamodb", endpoint_url=self.aws.endpoint)

    @cached_property
    def lambda_(self) -> "LambdaClient":
        return self._session.client("lambda", endpoint_url=self.aws.endpoint)

    @cached_property
    def sqs(self) -> "SQSClient":
        return self._session.client("sqs", endpoint_url=self.aws.endpoint)

    @cached_property
    def logs(self) -> "CloudWatchLogsClient":
        return self._session.client("logs", endpoint_url=self.aws.endpoint)
