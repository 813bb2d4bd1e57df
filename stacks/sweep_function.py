"""The function that finds uploads whose events were lost, and objects that no feed takes."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from csv_ingest.configuration import SweepConfig
from csv_ingest.notices.returns import prefixes_in_uploads

from .async_function import AsyncFunction
from .ingest_function import IngestFunction
from .practices import USE_OF_TABLES, allow, allow_each, allow_key
from .storage import Storage


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
        ignored_prefixes: Sequence[str],
        event_bus: events.IEventBus,
        service: str,
    ) -> None:
        config = _config(storage, ingest, failures, ignored_prefixes, event_bus, pipeline=service)
        environment = config.to_environment()
        super().__init__(
            scope,
            id_,
            handler="csv_ingest.sweep.handler",
            description="Finds uploads that never settled, and delivers them again.",
            environment=environment,
            permissions=[
                allow(storage.uploads.bucket_arn, "s3:ListBucketVersions"),
                allow(
                    storage.files.table_arn,
                    "dynamodb:BatchGetItem",
                    "dynamodb:DescribeTable",
                    "dynamodb:GetItem",
                    "dynamodb:PartiQLInsert",
                    "dynamodb:PutItem",
                ),
                allow(event_bus.event_bus_arn, "events:PutEvents"),
                *allow_each([each.live.function_arn for each in ingest], "lambda:InvokeFunction"),
                allow(failures.queue_arn, "sqs:GetQueueAttributes"),
                *allow_key(storage.keeping.key, "dynamodb", *USE_OF_TABLES),
            ],
            failures=failures,
            keeping=storage.keeping,
            service=service,
            timeout_seconds=900,  # Lambda's maximum, because the sweep lists every version in the bucket
            retries=0,  # the next run does the same work within the hour, and a retry would take 15 minutes again
            memory_mb=1_769,  # a whole processor, since reading the lists takes most of the time
            # An account that cannot reserve anything for a feed cannot for the sweep either.
            reserved_concurrency=1 if any(each.feed.reserved_concurrency for each in ingest) else None,
        )
        self.outputs = {
            "SweepFunctionName": self.function.function_name,
            "IgnoredPrefixes": environment["IGNORED_PREFIXES"],
            "ExistingBucket": environment["EXISTING_BUCKET"],
            "Release": environment["RELEASE"],
        }

    def every_hour(self, scope: Construct) -> None:
        """Invoke the function every hour, by a rule in the scope."""
        self.invoke_every(
            Duration.hours(1),
            scope,
            "Hourly",
            lost="the next sweep goes on where the last one ended, and SweepMissing reports three missing sweeps.",
        )


def _config(
    storage: Storage,
    ingest: Sequence[IngestFunction],
    failures: sqs.Queue,
    ignored_prefixes: Sequence[str],
    event_bus: events.IEventBus,
    *,
    pipeline: str,
) -> SweepConfig:
    return SweepConfig(
        pipeline=pipeline,
        event_bus=event_bus.event_bus_arn,
        upload_bucket=storage.uploads.bucket_name,
        files_table=storage.files.table_name,
        failure_queue=failures.queue_url,
        feeds={each.feed.name: each.swept for each in ingest},
        ignored_prefixes=[*ignored_prefixes, *prefixes_in_uploads(each.feed for each in ingest)],
        existing_bucket=storage.has_existing_bucket,
    )
