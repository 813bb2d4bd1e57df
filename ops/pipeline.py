"""A deployed pipeline, found through its stack's outputs: on AWS, or locally with `AWS_ENDPOINT_URL`."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from csv_ingest.events import Event, ObjectVersion, upload_event
from csv_ingest.ledger import CHECK_MARK, COMPLETE, MARK, PART_MARK, PROCESSING, REJECT_MARK, REJECTED
from csv_ingest.rows import Reject
from csv_ingest.settings import Settings
from csv_ingest.uploads import Upload, list_uploads

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

ACCEPTED = 202
"""https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html: the event is in Lambda's queue."""


class NotDeployed(Exception):
    """There is no such stack where the credentials lead, or it is not one of ours."""


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
            raise NotDeployed(f"stack {stack} has no output {error}: it is not deployed, or not from here") from error

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
    def settings(self) -> Settings:
        """What the deployed function is told: files are read here exactly as they are there."""
        configuration = self.lambda_.get_function_configuration(FunctionName=self.function)
        return Settings.from_environment(configuration["Environment"]["Variables"])

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
        listed = list_uploads(self.s3, self.upload_bucket, prefix=prefix, suffixes=suffixes)
        return (upload for upload in listed if self.is_ingested(upload.version.key))

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

    def reopen(self, version: ObjectVersion) -> bool:
        """Have the next delivery of a complete upload look at each of its rows again; returns whether it will.

        One whose parts are all done and being checked is opened too: the check cannot end if a row has disappeared.

        How it is read stays recorded: what was deployed since must not change what its rows are. So does the plan of
        a file that is delivered in parts; that its parts are done is forgotten while nobody looks at them, as the file
        is complete.
        """
        record = self.file(version.key, version.etag)
        if record.get("status") != COMPLETE and "parts_checked" not in record:
            return False
        for mark in (PART_MARK, CHECK_MARK):
            self._forget(version, mark)
        try:
            self.dynamodb.update_item(
                TableName=self.files_table,
                Key={"object_key": {"S": version.key}, "entry": {"S": version.etag}},
                UpdateExpression="SET #status = :processing REMOVE rows_read, rows_stored, rows_rejected, settled_at,"
                " parts, parts_done, parts_checked, check_begun_by",
                ConditionExpression="#status = :complete OR attribute_exists(parts_checked)",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":processing": {"S": PROCESSING}, ":complete": {"S": COMPLETE}},
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def forget_rejects(self, version: ObjectVersion) -> None:
        """Delete what the ledger has of an upload's rejected rows."""
        self._forget(version, REJECT_MARK)

    def etags(self) -> Iterator[str]:
        """The ETag of every upload that the ledger has a record of; one ETag may come several times."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.files_table, ConsistentRead=True)
        for page in pages:
            for item in page["Items"]:
                if MARK not in item["entry"]["S"]:
                    yield item["entry"]["S"]

    def file(self, key: str, etag: str) -> dict[str, Any]:
        """The ledger's record of an upload, numbers as int; empty if there is none yet."""
        answer = self.dynamodb.get_item(
            TableName=self.files_table, Key={"object_key": {"S": key}, "entry": {"S": etag}}, ConsistentRead=True
        )
        return _plain(answer.get("Item", {}))

    def files(self, key: str) -> list[dict[str, Any]]:
        """The ledger's records of a key, one an upload, the latest delivery first."""
        records = [item for item in self._entries(key) if MARK not in item["entry"]]
        return sorted(records, key=lambda record: str(record.get("started_at", "")), reverse=True)

    def rejects(self, key: str, etag: str) -> Iterator[Reject]:
        """The rejected rows of an upload, by line."""
        for item in self._entries(key, f"{etag}{REJECT_MARK}"):
            yield Reject(item["line"], item["reason"])

    def settled(
        self, version: ObjectVersion, *, seconds: float, progress: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> dict[str, Any]:
        """Wait until an upload is settled; its record then. Raises TimeoutError.

        That the same bytes were rejected before does not count: the settings may be others by now.
        """

        def is_settled() -> bool:
            record = self.file(version.key, version.etag)
            progress(record)
            mine = record.get("version_id") == version.version_id
            return record.get("status") == COMPLETE or (record.get("status") == REJECTED and mine)

        until(is_settled, f"{version.key} is settled", seconds=seconds)
        return self.file(version.key, version.etag)

    def _forget(self, version: ObjectVersion, mark: str) -> None:
        for item in self._entries(version.key, f"{version.etag}{mark}"):
            key = {"object_key": {"S": version.key}, "entry": {"S": str(item["entry"])}}
            self.dynamodb.delete_item(TableName=self.files_table, Key=key)

    def _entries(self, key: str, beginning: str = "") -> Iterator[dict[str, Any]]:
        condition = "object_key = :key" + (" AND begins_with(entry, :beginning)" if beginning else "")
        values: dict[str, Any] = {":key": {"S": key}} | ({":beginning": {"S": beginning}} if beginning else {})
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.files_table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        for page in pages:
            yield from map(_plain, page["Items"])


def until(condition: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    """Wait for a condition; raises TimeoutError saying which one did not come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s, and still not: {what}")
        time.sleep(0.1)


def _plain(item: Any) -> dict[str, Any]:
    return {name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()}
