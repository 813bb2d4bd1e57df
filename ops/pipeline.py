"""A deployed pipeline, found through its stack's outputs: on AWS, or locally with `AWS_ENDPOINT_URL`."""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError

from csv_ingest import ledger, source
from csv_ingest.configuration import IngestConfig
from csv_ingest.deadline import Deadline
from csv_ingest.destinations.base import Destination
from csv_ingest.destinations.dynamodb import DynamoDbDestination
from csv_ingest.dynamodb_table import DynamoDbTable
from csv_ingest.events import Event, upload_event
from csv_ingest.model import FileFormat, ObjectVersion, Upload

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

ACCEPTED = 202
"""https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html: the event is in Lambda's queue."""


class NotDeployed(Exception):
    """There is no such stack where the credentials lead, or it is not a stack of this project."""


@dataclass(frozen=True)
class Pipeline:
    """The names of what was deployed, and clients that reach it."""

    stack: str
    upload_bucket: str
    rows_table: str
    files_table: str
    failure_queue: str
    alarm_topic: str
    function: str

    @classmethod
    def find(cls, stack: str) -> "Pipeline":
        """Read the stack's outputs; raises NotDeployed with what to do."""
        try:
            [described] = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        except ClientError as error:
            raise NotDeployed(f"stack {stack}: {error}. Is it deployed in this account and region?") from error
        except EndpointConnectionError as error:
            local = os.environ.get("AWS_ENDPOINT_URL", "")
            if not local.startswith("http://127.0.0.1:"):
                raise
            raise NotDeployed(f"no local AWS answers at {local}: has `make local` ended?") from error
        except (NoCredentialsError, NoRegionError) as error:
            raise NotDeployed(
                f"{str(error).rstrip('.')}. For AWS, set credentials and AWS_DEFAULT_REGION;"
                " for the local AWS, run `make local` and set what it exports."
            ) from error
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
        try:
            return cls(
                stack=stack,
                upload_bucket=outputs["UploadBucketName"],
                rows_table=outputs["RowsTableName"],
                files_table=outputs["FilesTableName"],
                failure_queue=outputs["FailureQueueUrl"],
                alarm_topic=outputs["AlarmTopicArn"],
                function=outputs["IngestFunctionName"],
            )
        except KeyError as error:
            raise NotDeployed(f"stack {stack} has no output {error}: it is another project's, or an old one") from error

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

    @cached_property
    def files(self) -> ledger.FilesTable:
        """The ledger."""
        return ledger.FilesTable(DynamoDbTable(self.dynamodb, self.files_table, deadline=Deadline.never()))

    @cached_property
    def destination(self) -> Destination:
        """Where the rows are."""
        return DynamoDbDestination(DynamoDbTable(self.dynamodb, self.rows_table, deadline=Deadline.never()))

    @cached_property
    def config(self) -> IngestConfig:
        """The configuration of the deployed function: files are read here exactly as they are there."""
        function = self.lambda_.get_function_configuration(FunctionName=self.function)
        return IngestConfig.from_environment(function["Environment"]["Variables"])

    @cached_property
    def triggers(self) -> list[tuple[str, str]]:
        """The prefixes and suffixes whose uploads are ingested, as the bucket has them."""
        notifications = self.s3.get_bucket_notification_configuration(Bucket=self.upload_bucket)
        found = []
        for trigger in notifications.get("LambdaFunctionConfigurations", []):
            rules = {
                rule["Name"].lower(): rule["Value"]
                for rule in trigger.get("Filter", {}).get("Key", {}).get("FilterRules", [])
            }
            found.append((rules.get("prefix", ""), rules.get("suffix", "")))
        return found

    @cached_property
    def functions(self) -> frozenset[str]:
        """The names of the stack's functions whose code is this project's. The CDK adds functions of its own."""
        pages = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack)
        found = [
            self.lambda_.get_function_configuration(FunctionName=each["PhysicalResourceId"])
            for page in pages
            for each in page["StackResourceSummaries"]
            if each["ResourceType"] == "AWS::Lambda::Function"
        ]
        return frozenset(each["FunctionName"] for each in found if each.get("Handler", "").startswith("csv_ingest."))

    def is_ingested(self, key: str) -> bool:
        """Whether an upload under this key triggers the function."""
        return any(key.startswith(prefix) and key.endswith(suffix) for prefix, suffix in self.triggers)

    def latest(self, key: str) -> ObjectVersion:
        """The current version of an object, as S3 has it."""
        head = self.s3.head_object(Bucket=self.upload_bucket, Key=key)
        etag = head["ETag"].strip('"')
        return ObjectVersion(self.upload_bucket, key, head["VersionId"], etag, head["ContentLength"])

    def uploads(self, prefix: str = "") -> Iterator[Upload]:
        """Every version in the bucket that is or should have been ingested."""
        suffixes = [suffix for _, suffix in self.triggers]
        listed = source.list_uploads(self.s3, self.upload_bucket, prefix=prefix, suffixes=suffixes)
        return (upload for upload in listed if self.is_ingested(upload.version.key))

    def records(self, prefix: str = "") -> Iterator[tuple[Upload, ledger.FileRecord]]:
        """Every version in the bucket, as `uploads`, with its record."""
        return self.files.records(self.uploads(prefix))

    def format_of(self, version: ObjectVersion, record: ledger.FileRecord) -> FileFormat:
        """How an upload is or will be read: as recorded, for the upload or for its ETag, before today's settings."""
        content = None if record.format else self.files.content(version.etag, record.feed)
        return record.format or (content.format if content else self.config.format)

    def deliver(self, event: Event, function: str | None = None) -> None:
        """Put an event into Lambda's queue, as S3 does; raises RuntimeError if Lambda did not take it."""
        answer = self.lambda_.invoke(
            FunctionName=function or self.function, InvocationType="Event", Payload=json.dumps(event).encode()
        )
        if answer["StatusCode"] != ACCEPTED:
            raise RuntimeError(f"Lambda answered {answer['StatusCode']} to an event, expected {ACCEPTED}")

    def redeliver(self, version: ObjectVersion) -> None:
        """Put an upload's event into Lambda's queue again."""
        self.deliver(upload_event(version))

    def wait_until_settled(
        self,
        version: ObjectVersion,
        *,
        seconds: float,
        progress: Callable[[ledger.FileRecord], None] = lambda _: None,
    ) -> ledger.FileRecord:
        """Wait until an upload is settled; its record then. Raises TimeoutError.

        What became of another version with the same ETag does not count: its content may be another one, and the
        settings may have been others.
        """

        def is_settled() -> bool:
            record = self.files.record(version)
            progress(record)
            return record.status in ledger.SETTLED and record.version_id == version.version_id

        wait_until(is_settled, f"{version.key} is settled", seconds=seconds)
        return self.files.record(version)


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    """Wait for a condition; raises TimeoutError saying which one did not come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s, and still not: {what}")
        time.sleep(0.1)
