"""The stack: creates the parts of the pipeline and names what others need."""

from aws_cdk import CfnOutput, PermissionsBoundary, Stack, Tags
from constructs import Construct

from stacks.contract import RELEASE
from stacks.ingestion import Ingestion
from stacks.monitoring import Monitoring
from stacks.settings import Settings
from stacks.storage import Storage


class IngestStack(Stack):
    """Uploads to a bucket become rows in the table of their feed.

    What fails is in the failure queue and raises an alarm.
    """

    def __init__(self, scope: Construct, id_: str, *, settings: Settings) -> None:
        boundary = settings.permissions_boundary
        super().__init__(
            scope,
            id_,
            description="CSV uploads become database rows, each exactly once.",
            permissions_boundary=PermissionsBoundary.from_arn(boundary) if boundary else None,
        )
        for name, value in settings.tags:
            Tags.of(self).add(name, value)
        storage = Storage(self, "Storage", settings=settings)
        ingestion = Ingestion(self, "Ingestion", storage=storage, settings=settings)
        monitoring = Monitoring(self, "Monitoring", storage=storage, ingestion=ingestion, settings=settings)
        outputs = {
            "UploadBucketName": storage.uploads.bucket_name,
            **{f"RowsTableName{feed.suffix}": storage.rows_name(feed) for feed in settings.feeds},
            "FilesTableName": storage.files.table_name,
            "FailureQueueUrl": ingestion.failures.queue_url,
            **{f"IngestFunctionName{each.feed.suffix}": each.function.function_name for each in ingestion.ingest},
            "AlarmTopicArn": monitoring.topic.topic_arn,
            "IgnoredPrefixes": settings.ignored_prefixes_json,
            "ExistingBucket": settings.existing_bucket_json,
            "Release": RELEASE,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
