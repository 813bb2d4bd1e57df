"""The clients that reach AWS, or the local AWS with `AWS_ENDPOINT_URL`."""

from functools import cached_property
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


class Clients:
    """Each client is made when it is first asked for."""

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
