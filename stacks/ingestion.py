"""What does the work: the ingest function and its trigger, the sweep that finds what was lost, the failure queue."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as notifications
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.acknowledged import acknowledge, wildcard_resource
from stacks.contract import INGEST_HANDLER, SWEEP_HANDLER, IngestEnvironment, SweepEnvironment
from stacks.settings import Settings
from stacks.storage import Storage
from stacks.worker import Worker, allow, allow_key


class Ingestion(Construct):
    """Uploads are ingested, at once by their events, or within hours by the sweep; or they are in the failure queue."""

    def __init__(self, scope: Construct, id_: str, *, storage: Storage, settings: Settings) -> None:
        super().__init__(scope, id_)
        self.failures = sqs.Queue(
            self,
            "Failures",
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            removal_policy=settings.removal_policy,
        )
        acknowledge(
            self.failures,
            "It is the dead-letter queue: failed events end there, watched by alarms, until a person redrives them.",
            "AwsSolutions::AwsSolutions-SQS3",
            "Serverless::Serverless-SQSRedrivePolicy",
        )
        self.ingest = self._ingest(storage, settings)
        self.sweep = self._sweep(storage, settings)

    def failed_uploads(self) -> cloudwatch.Metric:
        """How many events wait in the failure queue."""
        return self.failures.metric_approximate_number_of_messages_visible(
            period=Duration.minutes(1), statistic="Maximum"
        )

    def new_failures(self) -> cloudwatch.Metric:
        """How many events came to the failure queue."""
        return self.failures.metric_number_of_messages_sent(period=Duration.minutes(5), statistic="Sum")

    def oldest_failure(self) -> cloudwatch.Metric:
        """How long the first event in the failure queue has waited, in seconds."""
        return self.failures.metric_approximate_age_of_oldest_message(period=Duration.minutes(5), statistic="Maximum")

    def _ingest(self, storage: Storage, settings: Settings) -> Worker:
        uploads = storage.uploads.arn_for_objects(f"{settings.key_prefix}*")
        worker = Worker(
            self,
            "Ingest",
            handler=INGEST_HANDLER,
            description="Writes every row of an uploaded CSV file to DynamoDB exactly once.",
            environment=IngestEnvironment(
                UPLOAD_BUCKET=storage.uploads.bucket_name,
                ROWS_TABLE=storage.rows.table_name,
                FILES_TABLE=storage.files.table_name,
                FAILURE_QUEUE=self.failures.queue_url,
                ID_COLUMN=settings.id_column,
                DELIMITER=settings.delimiter,
                ENCODING=settings.encoding,
                MAX_FILE_MB=str(settings.max_file_mb),
            ),
            permissions=[
                allow(uploads, "s3:GetObjectVersion"),
                allow(storage.rows.table_arn, "dynamodb:PartiQLInsert", "dynamodb:BatchGetItem", "dynamodb:UpdateItem"),
                allow(
                    storage.files.table_arn,
                    "dynamodb:PartiQLInsert",
                    "dynamodb:GetItem",
                    "dynamodb:Query",
                    "dynamodb:UpdateItem",
                ),
                *allow_key(storage.key, "s3", "kms:Decrypt"),
                # As the CDK's `Table.grant_read_write_data`, without its wildcards.
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
            ],
            failures=self.failures,
            settings=settings,
            timeout_seconds=settings.timeout_seconds,
            reserved_concurrency=settings.reserved_concurrency,
        )
        acknowledge(
            worker.role,
            "It reads uploads, whose keys are not known before: by one action, in one bucket, below the key prefix.",
            wildcard_resource(self, uploads),
        )
        # It delivers large files to itself, part by part. The policy comes after the function that it names.
        deliver_parts = iam.Policy(
            self,
            "DeliverParts",
            statements=[allow(worker.function.function_arn, "lambda:InvokeFunction")],
            roles=[worker.role],
        )
        # One rule a suffix, for every way of creating an object: "Put" alone misses multipart uploads and copies.
        for suffix in settings.key_suffixes:
            storage.uploads.add_event_notification(
                s3.EventType.OBJECT_CREATED,
                notifications.LambdaDestination(worker.function),
                s3.NotificationKeyFilter(prefix=settings.key_prefix or None, suffix=suffix),
            )
        storage.notifications.hold_to_the_rules(storage.uploads)
        # An upload during the first deployment would otherwise be retried and forgotten, as is Lambda's default.
        storage.uploads.node.find_child("Notifications").node.add_dependency(
            worker.asynchronous_invocation, deliver_parts
        )
        return worker

    def _sweep(self, storage: Storage, settings: Settings) -> Worker:
        worker = Worker(
            self,
            "Sweep",
            handler=SWEEP_HANDLER,
            description="Finds uploads that never settled, and delivers them again.",
            environment=SweepEnvironment(
                UPLOAD_BUCKET=storage.uploads.bucket_name,
                FILES_TABLE=storage.files.table_name,
                INGEST_FUNCTION=self.ingest.function.function_name,
                KEY_PREFIX=settings.key_prefix,
                KEY_SUFFIXES=",".join(settings.key_suffixes),
            ),
            permissions=[
                allow(storage.uploads.bucket_arn, "s3:ListBucketVersions"),
                allow(storage.files.table_arn, "dynamodb:BatchGetItem"),
                allow(self.ingest.function.function_arn, "lambda:InvokeFunction"),
                *allow_key(storage.key, "dynamodb", "kms:Decrypt", "kms:DescribeKey"),
            ],
            failures=self.failures,
            settings=settings,
            timeout_seconds=900,  # Lambda's maximum: it looks at every upload in the bucket
            reserved_concurrency=settings.reserved_concurrency and 1,
        )
        hourly = events.Rule(
            self,
            "Hourly",
            schedule=events.Schedule.rate(Duration.hours(1)),
            targets=[targets.LambdaFunction(worker.function)],
        )
        acknowledge(
            hourly,
            "A lost tick carries nothing: the next one looks at the same uploads, and SweepMissing tells of three.",
            "Serverless::Serverless-EventBusDLQ",
        )
        return worker
