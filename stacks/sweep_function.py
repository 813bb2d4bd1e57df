"""The function that finds uploads whose events were lost, and objects that no feed takes."""

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.async_function import AsyncFunction
from stacks.contract import SWEEP_HANDLER
from stacks.environments import sweep_environment
from stacks.ingest_function import IngestFunction
from stacks.permissions import allow, allow_key
from stacks.settings import Settings
from stacks.storage import Storage


class SweepFunction(AsyncFunction):
    """Compares the bucket with the files table, and invokes the ingest functions for uploads that never settled.

    Each upload goes to the function of its feed. The sweep also counts the events in the failure queue, and the objects
    that no feed takes.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        storage: Storage,
        ingest: Sequence[IngestFunction],
        failures: sqs.Queue,
        settings: Settings,
    ) -> None:
        super().__init__(
            scope,
            id_,
            handler=SWEEP_HANDLER,
            description="Finds uploads that never settled, and delivers them again.",
            environment=sweep_environment(
                settings,
                storage.shared_names(failures),
                functions={each.feed.name: each.function.function_name for each in ingest},
                to_json=Stack.of(scope).to_json_string,
            ),
            permissions=[
                allow(storage.uploads.bucket_arn, "s3:ListBucketVersions"),
                allow(storage.files.table_arn, "dynamodb:BatchGetItem", "dynamodb:DescribeTable"),
                *(allow(each.function.function_arn, "lambda:InvokeFunction") for each in ingest),
                allow(failures.queue_arn, "sqs:GetQueueAttributes"),
                *allow_key(storage.key, "dynamodb", "kms:Decrypt", "kms:DescribeKey"),
            ],
            failures=failures,
            key=storage.key,
            settings=settings,
            service=Stack.of(scope).stack_name,
            timeout_seconds=900,  # Lambda's maximum, because the sweep looks at every upload in the bucket
            # The sweep looks at the uploads of all feeds.
            memory_mb=max(feed.memory_mb for feed in settings.feeds),
            # An account that cannot reserve anything for a feed cannot for the sweep either.
            reserved_concurrency=1 if any(feed.reserved_concurrency for feed in settings.feeds) else None,
        )
