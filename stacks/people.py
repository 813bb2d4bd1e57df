"""Managed policies for people: who looks, who operates, and who uploads."""

from collections.abc import Mapping, Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from csv_ingest.feed import Feed
from csv_ingest.model import FILES_INDEX, ROWS_INDEX

from .database_access import login
from .ingest_function import IngestFunction
from .ingestion import Ingestion
from .notifier_function import NotifierFunction
from .practices import USE_OF_TABLES, acknowledge, allow, allow_each, allow_key, wildcard_resource
from .storage import Storage
from .upload_bucket import UPLOAD

_LOOKS = "Looks at what became of files and rows: status, history, report, rejects, rows, find, audit."
_OPERATES = "On top of the reader's: upload, acknowledge, redrive, backfill, pause, reload, forget, audit --repair."

_READ = ("dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:Scan")

_FEEDS_PER_POLICY = 5
"""IAM allows 6,144 characters in a managed policy, of which a feed with the longest prefix takes up to 800.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


class People(Construct):
    """What the commands call, as policies to attach to roles of people and of scripts.

    A reader looks. An operator's policy comes on top of the reader's. Of more than five feeds, each has several, which
    end in a number. An uploader may upload below the prefix of a feed, and read nothing.
    """

    def __init__(
        self, scope: Construct, id_: str, *, storage: Storage, ingestion: Ingestion, notifier: NotifierFunction
    ) -> None:
        super().__init__(scope, id_)
        self._storage, self._ingestion, self._notifier = storage, ingestion, notifier
        self._policies: dict[str, iam.ManagedPolicy] = {}
        for start in range(0, len(storage.feeds), _FEEDS_PER_POLICY):
            some = ingestion.ingest[start : start + _FEEDS_PER_POLICY]
            number = str(start // _FEEDS_PER_POLICY + 1) if start else ""
            self._add("Reader", number, _LOOKS, [*([] if start else self._reading_all()), *self._reading(some)])
            shared = [] if start else self._operating_all()
            self._add("Operator", number, _OPERATES, [*shared, *self._operating(some)])
        for feed in storage.feeds:
            description = f"Uploads files of the feed {feed.name}, and reads none."
            self._add("Uploader", feed.suffix, description, self._uploading(feed))

    @property
    def outputs(self) -> Mapping[str, str]:
        """The ARNs of the policies, by the names of outputs."""
        return {name: policy.managed_policy_arn for name, policy in self._policies.items()}

    def _add(self, who: str, suffix: str, description: str, statements: Sequence[iam.PolicyStatement]) -> None:
        policy = iam.ManagedPolicy(self, f"{who}{suffix}", description=description, statements=list(statements))
        self._policies[f"{who}PolicyArn{suffix}"] = policy
        wild = {resource for statement in statements for resource in statement.resources if resource.endswith("*")}
        acknowledge(
            policy,
            "The keys of uploads are not known in advance: people may use any below the prefixes of the feeds, by the "
            "actions that are named. CloudWatch describes alarms by an action that names no single one.",
            *(wildcard_resource(policy, each) for each in sorted(wild)),
        )

    def _reading_all(self) -> list[iam.PolicyStatement]:
        storage, key = self._storage, self._storage.keeping.key
        files, failures = storage.files.table_arn, self._ingestion.failures.queue_arn
        return [
            allow(Stack.of(self).stack_id, "cloudformation:DescribeStacks"),
            allow(storage.uploads.bucket_arn, "s3:ListBucketVersions"),
            allow(files, *_READ, "dynamodb:GetItem", "dynamodb:Query"),
            allow(f"{files}/index/{FILES_INDEX}", "dynamodb:Query"),
            allow(failures, "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
            allow("*", "cloudwatch:DescribeAlarms"),
            *storage.keeping.allow_reading("s3"),
            *storage.keeping.allow_reading("sqs"),
            *allow_key(key, "dynamodb", *USE_OF_TABLES),
        ]

    def _reading(self, some: Sequence[IngestFunction]) -> list[iam.PolicyStatement]:
        feeds = [each.feed for each in some]
        rows = self._rows(feeds)
        indexes = [f"{arn}/index/{ROWS_INDEX}" for arn in self._rows([feed for feed in feeds if feed.file_index])]
        return [
            *allow_each(self._objects(feeds), "s3:GetObjectVersion"),
            *allow_each(rows, *_READ),
            *allow_each(indexes, "dynamodb:Query"),
            *allow_each([each.live.function_arn for each in some], "lambda:GetFunctionConfiguration"),
            *allow_each([each.function.function_arn for each in some], "lambda:GetFunctionConcurrency"),
            *(each for feed in feeds if feed.is_postgresql for each in login(self, feed, self._storage.keeping.key)),
        ]

    def _operating_all(self) -> list[iam.PolicyStatement]:
        return [
            allow(
                self._storage.files.table_arn,
                "dynamodb:BatchWriteItem",
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
            ),
            allow(self._ingestion.failures.queue_arn, "sqs:DeleteMessage"),
            # Their events can fail, and be redriven, too.
            *allow_each(
                [each.live.function_arn for each in (self._ingestion.sweep, self._notifier)], "lambda:InvokeFunction"
            ),
            *allow_key(self._storage.keeping.key, "s3", "kms:GenerateDataKey"),
        ]

    def _operating(self, some: Sequence[IngestFunction]) -> list[iam.PolicyStatement]:
        feeds = [each.feed for each in some]
        merging = self._rows([feed for feed in feeds if feed.mode.supersedes])
        concurrency = ("lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency")
        return [
            *allow_each(self._objects(feeds), *UPLOAD, "s3:DeleteObjectVersion", "s3:GetObject"),
            *allow_each(self._rows(feeds), "dynamodb:BatchWriteItem", "dynamodb:PutItem"),
            *allow_each(merging, "dynamodb:PartiQLDelete"),
            *allow_each([each.live.function_arn for each in some], "lambda:InvokeFunction"),
            *allow_each([each.function.function_arn for each in some], *concurrency),
        ]

    def _uploading(self, feed: Feed) -> list[iam.PolicyStatement]:
        return [
            *allow_each(self._objects([feed]), *UPLOAD),
            # Of a multipart upload, S3 reads the parts.
            *allow_key(self._storage.keeping.key, "s3", "kms:Decrypt", "kms:GenerateDataKey"),
        ]

    def _objects(self, feeds: Sequence[Feed]) -> list[str]:
        return [self._storage.uploads.arn_for_objects(f"{feed.key_prefix}*") for feed in feeds]

    def _rows(self, feeds: Sequence[Feed]) -> list[str]:
        """The ARNs of the tables of those feeds that have one in DynamoDB."""
        return [self._storage.tables[feed.name].table_arn for feed in feeds if feed.name in self._storage.tables]
