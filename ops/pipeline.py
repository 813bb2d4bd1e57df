"""A deployed pipeline, found through its stack's outputs: on AWS, or locally with `AWS_ENDPOINT_URL`."""

import json
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError

from csv_ingest import csvfile, events, ignored, intake, ledger, queues, source
from csv_ingest.model import Deadline, FileFormat, ObjectVersion, PipelineError, RejectedRow, Row, Upload
from csv_ingest.sweeping import expected
from csv_ingest.sweeping.checkpoint import Checkpoint

from .feed import Clients, DeployedFeed

__all__ = ["DeployedFeed", "NoFeed", "NotDeployed", "ObjectGone", "Pipeline"]

NOT_THERE = frozenset({"404", "NoSuchKey", "NoSuchVersion"})
"""Codes of S3's answers about what is not in the bucket."""

BUCKET = "UploadBucketName"
FUNCTION, TABLE = "IngestFunctionName", "RowsTableName"
"""The names of the outputs about a feed, but for the suffix that they end with."""


class NotDeployed(PipelineError):
    """There is no such stack where the credentials lead, or it is not a stack of this project."""


class NoFeed(PipelineError):
    """A key, or a name, is of none of the feeds."""


class ObjectGone(PipelineError):
    """A version of an object is not in the bucket any more."""

    by_etag = False
    """Whether the destination has an index by ETag, so that the rows that are there were found all the same."""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The names of what was deployed, and clients that reach it."""

    stack: str
    """CloudFormation's name of it."""
    upload_bucket: str
    files_table: str
    failure_queue: str
    alarm_topic: str
    feeds: Sequence[DeployedFeed]
    """At least one, in the order of their suffixes."""
    sweep: str
    """The name of its function; empty if the deployment does not say it."""
    notifier: str
    """As `sweep`."""
    release: str
    """The release that deployed the stack; empty before 1.1.0."""
    ignored_prefixes: Sequence[str] = ()
    existing_bucket: bool = True
    """Whether the bucket is of another owner. A deployment of an earlier release does not say."""
    clients: Clients = field(repr=False, compare=False)

    @classmethod
    def find(cls, name: str) -> "Pipeline":
        """Read the outputs of a stack, or of one construct in it (`Shop.Orders`); raises NotDeployed with what to do.

        Those of a construct begin with its id, if the stack has several.
        """
        stack, _, construct = name.partition(".")
        outputs, clients = _of_construct(_outputs(stack), construct.replace(".", "")), Clients()
        names = sorted(name for name in outputs if name.startswith(FUNCTION)) or [FUNCTION]
        try:
            feeds = [DeployedFeed(outputs[name], outputs[name.replace(FUNCTION, TABLE, 1)], clients) for name in names]
            return cls(
                stack=stack,
                upload_bucket=outputs[BUCKET],
                files_table=outputs["FilesTableName"],
                failure_queue=outputs["FailureQueueUrl"],
                alarm_topic=outputs["AlarmTopicArn"],
                feeds=feeds,
                sweep=outputs.get("SweepFunctionName", ""),
                notifier=outputs.get("NotifierFunctionName", ""),
                ignored_prefixes=json.loads(outputs.get("IgnoredPrefixes", "[]")),
                existing_bucket=outputs.get("ExistingBucket", "true") == "true",
                release=outputs.get("Release", ""),
                clients=clients,
            )
        except KeyError as error:
            raise NotDeployed(_not_found(stack, outputs, error)) from error

    @cached_property
    def files(self) -> ledger.FilesTable:
        """The ledger."""
        return ledger.FilesTable(self.clients.dynamodb, self.files_table, deadline=Deadline.never())

    @property
    def functions(self) -> frozenset[str]:
        """The names of the stack's functions whose code is this project's."""
        return frozenset({*(feed.function for feed in self.feeds), self.sweep, self.notifier} - {""})

    def feed_of(self, key: str) -> DeployedFeed:
        """The feed that ingests a key; raises NoFeed if there are several and the key is of none of them."""
        if len(self.feeds) == 1:
            return self.feeds[0]
        if found := next((feed for feed in self.feeds if feed.takes(key)), None):
            return found
        raise NoFeed(f"no feed takes {key}: {self.intake.why_not(key).reason}")

    def owner_of(self, key: str, record: ledger.FileRecord) -> DeployedFeed:
        """The feed that has the rows of an upload in its table, or will have; raises NoFeed.

        That is the feed that read the file to its end, whose prefix may be that of another feed since.
        """
        return self.feed_named(record.owner.feed) if record.is_planned else self.feed_of(key)

    def feed_named(self, name: str) -> DeployedFeed:
        """The feed with a name; raises NoFeed with the names that there are."""
        if found := next((feed for feed in self.feeds if feed.name == name), None):
            return found
        names = ", ".join(feed.name for feed in self.feeds)
        raise NoFeed(f"there is no feed {name}; the feeds are: {names}")

    @cached_property
    def intake(self) -> intake.Intake:
        """Which keys the feeds take."""
        settings = (feed.settings for feed in self.feeds)
        return intake.Intake(
            takers=[intake.Taker(each.name, each.key_prefix, each.key_suffixes) for each in settings],
            ignored_prefixes=self.ignored_prefixes,
            existing_bucket=self.existing_bucket,
        )

    @cached_property
    def _expected(self) -> expected.Times:
        """Since when the sweep expects uploads; if it has not run since a feed was deployed, since its last run."""
        deployed_at = ignored.deployed_at(self.clients.dynamodb, self.files_table)
        checkpoint = Checkpoint.from_json(self.files.sweeps.checkpoint())
        days = {feed.name: feed.config.expected_days for feed in self.feeds}
        return checkpoint.expected_of(self.intake, bucket=self.upload_bucket, deployed_at=deployed_at, days=days)

    def expects(self, upload: Upload, record: ledger.FileRecord) -> bool:
        """Whether an upload has a record, or should have one: it is no older than its feed, or what that keeps."""
        if record.status is not None or not self.intake.takes(upload.version.key):
            return True
        days = self.feed_of(upload.version.key).config.expected_days
        return expected.is_expected(self._expected, upload, days)

    @property
    def rule(self) -> str:
        """Which keys are ingested, for people."""
        return ", ".join(f"{each.prefix}*{suffix}" for each in self.intake.takers for suffix in each.suffixes)

    def latest(self, key: str) -> ObjectVersion:
        """The current version of an object, as S3 has it."""
        head = self.clients.s3.head_object(Bucket=self.upload_bucket, Key=key)
        etag = head["ETag"].strip('"')
        return ObjectVersion(self.upload_bucket, key, head["VersionId"], etag, head["ContentLength"])

    def uploads(self, prefix: str = "", feed: DeployedFeed | None = None) -> Iterator[Upload]:
        """Every version in the bucket that is or should have been ingested, by a feed or by any."""
        for each in [feed] if feed else self.feeds:
            yield from each.uploads(prefix)

    def records(self, prefix: str = "", feed: DeployedFeed | None = None) -> Iterator[tuple[Upload, ledger.FileRecord]]:
        """Every version in the bucket, as `uploads`, with its record."""
        return self.files.records(self.uploads(prefix, feed))

    def records_of_versions(self, key: str) -> Iterator[tuple[Upload, ledger.FileRecord]]:
        """Every version of an object in the bucket, the newest first, with its record; none if it is not ingested.

        S3 lists by key, and of a key the version that was stored last first:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html#API_ListObjectVersions_Examples
        """
        return takewhile(lambda pair: pair[0].version.key == key, self.records(key))

    @contextmanager
    def open(self, version: ObjectVersion) -> Iterator[csvfile.ByteStream]:
        """Open the bytes of a version, as `source.open_object` does; raises ObjectGone as well."""
        try:
            with source.open_object(version, self.clients.s3) as stream:
                yield stream
        except ClientError as error:
            if error.response["Error"]["Code"] in NOT_THERE:
                gone = f"version {version.version_id} of {version.key} is not in the bucket any more"
                raise ObjectGone(gone) from error
            raise

    def read_rows(self, version: ObjectVersion, record: ledger.FileRecord) -> Generator[Row | RejectedRow]:
        """Yield the rows of an upload, as it is or will be read. Raises UnreadableFile, and ObjectGone."""
        format_ = self.format_of(version, record)
        with self.open(version) as stream:
            yield from csvfile.read_rows(stream, format_)

    def format_of(self, version: ObjectVersion, record: ledger.FileRecord) -> FileFormat:
        """How an upload is or will be read: as recorded, for the upload or for its ETag, before today's settings."""
        if record.format:
            return record.format
        feed = self.feed_of(version.key)
        content = self.files.content(feed.mode.content_key(version), feed.name)
        return content.format if content else feed.settings.format

    def redeliver(self, version: ObjectVersion) -> None:
        """Put an upload's event into Lambda's queue again, for the function of its feed."""
        queues.dispatch(self.clients.lambda_, self.feed_of(version.key).function, events.upload_event(version))


def _of_construct(outputs: Mapping[str, str], construct: str) -> Mapping[str, str]:
    """The outputs of one construct without its id; those of the stack, if its only construct has none before them."""
    own = {name.removeprefix(construct): value for name, value in outputs.items() if name.startswith(construct)}
    return own if BUCKET in own else outputs


def _not_found(stack: str, outputs: Mapping[str, str], missing: KeyError) -> str:
    """Why there is no pipeline of this name, and which there are."""
    constructs = [name.removesuffix(BUCKET) for name in sorted(outputs) if name.endswith(BUCKET)]
    if BUCKET not in outputs and constructs:
        return f"stack {stack} has several pipelines: name one, {' or '.join(f'{stack}.{each}' for each in constructs)}"
    return f"stack {stack} has no output {missing}: it is another project's, or an old one"


def _outputs(stack: str) -> dict[str, str]:
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
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
