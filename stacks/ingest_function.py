"""The function that ingests the uploads of a feed."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.acknowledged import acknowledge, wildcard_resource
from stacks.async_function import AsyncFunction
from stacks.contract import INGEST_HANDLER
from stacks.environments import ingest_environment, service_of
from stacks.permissions import allow, allow_key
from stacks.settings import FeedSettings, Settings
from stacks.storage import Storage


class IngestFunction(AsyncFunction):
    """Reads uploads of its feed, writes their rows, and records in the files table what became of them.

    It can read no upload of another feed, and write no row of another feed.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        storage: Storage,
        failures: sqs.Queue,
        feed: FeedSettings,
        settings: Settings,
    ) -> None:
        self.feed = feed
        uploads, rows = storage.uploads.arn_for_objects(f"{feed.key_prefix}*"), storage.rows[feed.name]
        super().__init__(
            scope,
            id_,
            handler=INGEST_HANDLER,
            description="Writes every row of an uploaded CSV file to DynamoDB exactly once.",
            environment=ingest_environment(feed, storage.shared_names(failures), rows=rows.table_name),
            permissions=_permissions(storage, uploads, rows.table_arn),
            failures=failures,
            key=storage.key,
            settings=settings,
            service=service_of(Stack.of(scope).stack_name, feed),
            timeout_seconds=feed.timeout_seconds,
            memory_mb=feed.memory_mb,
            reserved_concurrency=feed.reserved_concurrency,
        )
        acknowledge(
            self.role,
            "The keys of uploads are not known in advance: the function may read any, by one action, in one bucket, "
            "below the key prefix.",
            wildcard_resource(self, uploads),
        )


def _permissions(storage: Storage, uploads: str, rows: str) -> list[iam.PolicyStatement]:
    files = storage.files.table_arn
    return [
        allow(uploads, "s3:GetObjectVersion"),
        allow(rows, "dynamodb:PartiQLInsert", "dynamodb:BatchGetItem", "dynamodb:UpdateItem"),
        allow(files, "dynamodb:PartiQLInsert", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        *allow_key(storage.key, "s3", "kms:Decrypt"),
        # The actions of the CDK's `Table.grant_read_write_data`, without its wildcards.
        *allow_key(
            storage.key,
            "dynamodb",
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:GenerateDataKey",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
        ),
    ]
