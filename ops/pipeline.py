"""A deployed pipeline, found through its stack's outputs: on AWS, or locally with `AWS_ENDPOINT_URL`."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError

from csv_ingest import ledger
from csv_ingest.deadline import Deadline
from csv_ingest.dynamodb_table import DynamoDbTable
from csv_ingest.errors import PipelineError
from csv_ingest.events import Event, upload_event
from csv_ingest.file_format import FileFormat
from csv_ingest.intake import Intake, Taker
from csv_ingest.uploads import ObjectVersion, Upload
from ops.feed import Feed, Notification, name_of_function

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

NOT_THERE = frozenset({"404", "NoSuchKey", "NoSuchVersion"})
"""Codes of S3's answers about what is not in the bucket."""

ACCEPTED = 202
"""https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html: the event is in Lambda's queue."""


class NotDeployed(PipelineError):
    """There is no such stack where the credentials lead, or it is not a stack of this project."""


class NoFeed(PipelineError):
    """A key, or a name, is of none of the feeds."""


@dataclass(frozen=True)
class Pipeline:
    """The names of what was deployed, and clients that reach it."""

    stack: str
    upload_bucket: str
    files_table: str
    failure_queue: str
    alarm_topic: str
    functions_of_feeds: Mapping[str, str]
    """The name of the ingest function of each feed, by the suffix of its outputs."""
    tables_of_feeds: Mapping[str, str]
    """The name of the rows table of each feed, by the same suffix."""
    release: str
    """The release that deployed the stack; empty before 1.1.0."""
    ignored_prefixes: Sequence[str] = ()
    existing_bucket: bool = True
    """Whether the bucket is of another owner. A deployment of an earlier release does not say."""

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
                " for the local AWS, run `make local`, then `source .local/environment`."
            ) from error
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
        functions = _by_suffix(outputs, "IngestFunctionName")
        try:
            return cls(
                stack=stack,
                upload_bucket=outputs["UploadBucketName"],
                files_table=outputs["FilesTableName"],
                failure_queue=outputs["FailureQueueUrl"],
                alarm_topic=outputs["AlarmTopicArn"],
                functions_of_feeds=functions or {"": outputs["IngestFunctionName"]},
                tables_of_feeds={suffix: outputs[f"RowsTableName{suffix}"] for suffix in functions},
                ignored_prefixes=json.loads(outputs.get("IgnoredPrefixes", "[]")),
                existing_bucket=outputs.get("ExistingBucket", "true") == "true",
                release=outputs.get("Release", ""),
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
    def feeds(self) -> Sequence[Feed]:
        """The feeds, in the order of their suffixes. At least one."""
        tables = self.tables_of_feeds
        return [Feed(suffix, name, tables[suffix], self) for suffix, name in sorted(self.functions_of_feeds.items())]

    def feed_of(self, key: str) -> Feed:
        """The feed that ingests a key; raises NoFeed if there are several and the key is of none of them."""
        if len(self.feeds) == 1:
            return self.feeds[0]
        for feed in self.feeds:
            if feed.is_ingested(key):
                return feed
        raise NoFeed(f"no feed takes {key}: {self.intake.why_not(key).reason}")

    def owner_of(self, key: str, record: ledger.FileRecord) -> Feed:
        """The feed that has the rows of an upload in its table, or will have; raises NoFeed.

        That is the feed that read the file to its end, whose prefix may be that of another feed since.
        """
        return self.feed_named(record.owner.feed) if record.is_planned else self.feed_of(key)

    def feed_named(self, name: str) -> Feed:
        """The feed with a name; raises NoFeed with the names that there are."""
        for feed in self.feeds:
            if feed.name == name:
                return feed
        names = ", ".join(feed.name for feed in self.feeds)
        raise NoFeed(f"there is no feed {name}; the feeds are: {names}")

    @cached_property
    def intake(self) -> Intake:
        """What the feeds take of the bucket, as it notifies them."""
        suffixes: dict[tuple[str, str], list[str]] = {}
        for feed in self.feeds:
            for prefix, suffix in feed.triggers:
                suffixes.setdefault((feed.name, prefix), []).append(suffix)
        return Intake(
            takers=[Taker(*feed_and_prefix, endings) for feed_and_prefix, endings in suffixes.items()],
            ignored_prefixes=self.ignored_prefixes,
            existing_bucket=self.existing_bucket,
        )

    @property
    def rule(self) -> str:
        """Which keys are ingested, for people."""
        return ", ".join(f"{before}*{after}" for feed in self.feeds for before, after in feed.triggers)

    @cached_property
    def notifications(self) -> list[Notification]:
        """Which uploads invoke which function, as the bucket has it; in a bucket of your own, of other stacks too."""
        configured = self.s3.get_bucket_notification_configuration(Bucket=self.upload_bucket)
        found = []
        for trigger in configured.get("LambdaFunctionConfigurations", []):
            rules = {
                rule["Name"].lower(): rule["Value"]
                for rule in trigger.get("Filter", {}).get("Key", {}).get("FilterRules", [])
            }
            function = name_of_function(trigger["LambdaFunctionArn"])
            found.append(Notification(function, rules.get("prefix", ""), rules.get("suffix", "")))
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
        """Whether an upload under this key triggers the function of a feed."""
        return any(feed.is_ingested(key) for feed in self.feeds)

    def latest(self, key: str) -> ObjectVersion:
        """The current version of an object, as S3 has it."""
        head = self.s3.head_object(Bucket=self.upload_bucket, Key=key)
        etag = head["ETag"].strip('"')
        return ObjectVersion(self.upload_bucket, key, head["VersionId"], etag, head["ContentLength"])

    def has_current_version(self, key: str) -> bool | None:
        """Whether the newest version of an object is a file; False if it is a delete marker, None if there is none.

        S3 lists by key, and of a key the version that was stored last first, as for `records_of_versions`.
        """
        listed = self.s3.list_object_versions(Bucket=self.upload_bucket, Prefix=key, MaxKeys=1)
        if any(each["Key"] == key for each in listed.get("Versions", [])):
            return True
        return False if any(each["Key"] == key for each in listed.get("DeleteMarkers", [])) else None

    def uploads(self, prefix: str = "", feed: Feed | None = None) -> Iterator[Upload]:
        """Every version in the bucket that is or should have been ingested, by a feed or by any."""
        for each in [feed] if feed else self.feeds:
            yield from each.uploads(prefix)

    def records(self, prefix: str = "", feed: Feed | None = None) -> Iterator[tuple[Upload, ledger.FileRecord]]:
        """Every version in the bucket, as `uploads`, with its record."""
        return self.files.records(self.uploads(prefix, feed))

    def records_of_versions(self, key: str) -> Iterator[tuple[Upload, ledger.FileRecord]]:
        """Every version of an object in the bucket, the newest first, with its record; none if it is not ingested.

        S3 lists by key, and of a key the version that was stored last first:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html#API_ListObjectVersions_Examples
        """
        return takewhile(lambda pair: pair[0].version.key == key, self.records(key))

    def format_of(self, version: ObjectVersion, record: ledger.FileRecord) -> FileFormat:
        """How an upload is or will be read: as recorded, for the upload or for its ETag, before today's settings."""
        if record.format:
            return record.format
        feed = self.feed_of(version.key)
        content = self.files.content(feed.mode.content_key(version), feed.name)
        return content.format if content else feed.config.feed.format

    def deliver(self, event: Event, function: str) -> None:
        """Put an event into Lambda's queue for a function, as S3 does; raises RuntimeError if it was not taken."""
        payload = json.dumps(event).encode()
        answer = self.lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=payload)
        if answer["StatusCode"] != ACCEPTED:
            raise RuntimeError(f"Lambda answered {answer['StatusCode']} to an event, expected {ACCEPTED}")

    def redeliver(self, version: ObjectVersion) -> None:
        """Put an upload's event into Lambda's queue again, for the function of its feed."""
        self.deliver(upload_event(version), self.feed_of(version.key).function)

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
            return record.is_settled and record.version_id == version.version_id

        wait_until(is_settled, f"{version.key} is settled", seconds=seconds)
        return self.files.record(version)


def _by_suffix(outputs: Mapping[str, str], name: str) -> dict[str, str]:
    """The outputs whose key is a name and a suffix, by the suffix."""
    return {key.removeprefix(name): value for key, value in outputs.items() if key.startswith(name)}


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    """Wait for a condition; raises TimeoutError saying which one did not come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s, and still not: {what}")
        time.sleep(0.1)
