"""The function that finds uploads whose events were lost."""

from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.async_function import AsyncFunction
from stacks.contract import SWEEP_HANDLER, SweepEnvironment
from stacks.permissions import allow, allow_key
from stacks.settings import Settings
from stacks.storage import Storage


class SweepFunction(AsyncFunction):
    """Compares the bucket with the files table, and invokes the ingest function for uploads that never settled.

    It also counts the events in the failure queue.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        storage: Storage,
        ingest: lambda_.Function,
        failures: sqs.Queue,
        settings: Settings,
    ) -> None:
        super().__init__(
            scope,
            id_,
            handler=SWEEP_HANDLER,
            description="Finds uploads that never settled, and delivers them again.",
            environment=SweepEnvironment(
                UPLOAD_BUCKET=storage.uploads.bucket_name,
                FILES_TABLE=storage.files.table_name,
                FAILURE_QUEUE=failures.queue_url,
                INGEST_FUNCTION=ingest.function_name,
                KEY_PREFIX=settings.key_prefix,
                KEY_SUFFIXES=",".join(settings.key_suffixes),
            ),
            permissions=[
                allow(storage.uploads.bucket_arn, "s3:ListBucketVersions"),
                allow(storage.files.table_arn, "dynamodb:BatchGetItem"),
                allow(ingest.function_arn, "lambda:InvokeFunction"),
                allow(failures.queue_arn, "sqs:GetQueueAttributes"),
                *allow_key(storage.key, "dynamodb", "kms:Decrypt", "kms:DescribeKey"),
            ],
            failures=failures,
            key=storage.key,
            settings=settings,
            timeout_seconds=900,  # Lambda's maximum, because the sweep looks at every upload in the bucket
            reserved_concurrency=settings.reserved_concurrency and 1,
        )
