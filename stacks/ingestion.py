"""What does the work: the function, what triggers it, and where its failures go."""

from pathlib import Path

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as notifications
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.bundling import function_code
from stacks.settings import Settings
from stacks.storage import Storage

FUNCTION_ROOT = Path(__file__).parents[1] / "lambda"
RUNTIME = lambda_.Runtime.PYTHON_3_13


class Ingestion(Construct):
    """The ingest function, asynchronously invoked by uploads, and the queue of the events that it could not handle."""

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
        log_group = logs.LogGroup(
            self,
            "Log",
            retention=settings.log_retention,
            removal_policy=settings.removal_policy,
        )
        self.function = lambda_.Function(
            self,
            "Function",
            description="Writes every row of an uploaded CSV file to DynamoDB exactly once.",
            code=function_code(FUNCTION_ROOT, RUNTIME),
            handler="csv_ingest.handler.handler",
            runtime=RUNTIME,
            architecture=lambda_.Architecture.ARM_64,
            timeout=Duration.seconds(settings.timeout_seconds),
            memory_size=settings.memory_mb,
            reserved_concurrent_executions=settings.reserved_concurrency,
            role=self._role(storage, log_group, key_prefix=settings.key_prefix),
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            environment={
                "UPLOAD_BUCKET": storage.uploads.bucket_name,
                "ROWS_TABLE": storage.rows.table_name,
                "FILES_TABLE": storage.files.table_name,
                "ID_COLUMN": settings.id_column,
                "DELIMITER": settings.delimiter,
                "ENCODING": settings.encoding,
                "POWERTOOLS_SERVICE_NAME": Stack.of(self).stack_name,
                "POWERTOOLS_METRICS_NAMESPACE": "CsvIngest",
            },
        )
        # Asynchronous invocation, as code: by default Lambda retries twice and then forgets the event.
        lambda_.CfnEventInvokeConfig(
            self,
            "AsynchronousInvocation",
            function_name=self.function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=2,
            maximum_event_age_in_seconds=Duration.hours(6).to_seconds(),
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=self.failures.queue_arn)
            ),
        )
        # One rule a suffix, for every way of creating an object: "Put" alone misses multipart uploads and copies.
        for suffix in settings.key_suffixes:
            storage.uploads.add_event_notification(
                s3.EventType.OBJECT_CREATED,
                notifications.LambdaDestination(self.function),
                s3.NotificationKeyFilter(prefix=settings.key_prefix or None, suffix=suffix),
            )

    def failed_uploads(self) -> cloudwatch.Metric:
        """How many events wait in the failure queue."""
        return self.failures.metric_approximate_number_of_messages_visible(
            period=Duration.minutes(1), statistic="Maximum"
        )

    def _role(self, storage: Storage, log_group: logs.LogGroup, *, key_prefix: str) -> iam.Role:
        """What the function may do: each action that it calls, on the resource that it calls it on."""

        def allow(resource: str, *actions: str) -> iam.PolicyStatement:
            return iam.PolicyStatement(actions=list(actions), resources=[resource])

        statements = [
            allow(storage.uploads.arn_for_objects(f"{key_prefix}*"), "s3:GetObjectVersion"),
            allow(storage.rows.table_arn, "dynamodb:PartiQLInsert", "dynamodb:BatchGetItem"),
            allow(storage.files.table_arn, "dynamodb:PartiQLInsert", "dynamodb:GetItem", "dynamodb:UpdateItem"),
            allow(self.failures.queue_arn, "sqs:SendMessage"),
            allow(log_group.log_group_arn, "logs:CreateLogStream", "logs:PutLogEvents"),
        ]
        # Inline, so that the role is never without them: Lambda checks sqs:SendMessage as the destination is set.
        return iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"Ingest": iam.PolicyDocument(statements=statements)},
        )
