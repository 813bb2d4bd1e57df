"""A function that is invoked asynchronously, with everything that keeps its failures from being forgotten."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.acknowledged import acknowledge
from stacks.bundling import function_code
from stacks.contract import METRICS_NAMESPACE, IngestEnvironment, LoggingEnvironment, Metric, SweepEnvironment
from stacks.settings import Settings

FUNCTION_ROOT = Path(__file__).parents[1] / "lambda"
RUNTIME = lambda_.Runtime.PYTHON_3_13


def allow(resource: str, *actions: str) -> iam.PolicyStatement:
    """Each action that is called, on the resource that it is called on."""
    return iam.PolicyStatement(actions=list(actions), resources=[resource])


def allow_key(key: kms.IKey | None, service: str, *actions: str) -> list[iam.PolicyStatement]:
    """The use of a key through a service, if there is a key; it cannot be used by itself."""
    if not key:
        return []
    return [
        iam.PolicyStatement(
            actions=list(actions),
            resources=[key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"{service}.{Aws.REGION}.{Aws.URL_SUFFIX}"}},
        )
    ]


class Worker(Construct):
    """A handler of the package in lambda/: its function, its role, its logs, and where its failures go."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        handler: str,
        description: str,
        environment: IngestEnvironment | SweepEnvironment,
        permissions: Sequence[iam.PolicyStatement],
        failures: sqs.Queue,
        settings: Settings,
        timeout_seconds: int,
        reserved_concurrency: int | None,
    ) -> None:
        super().__init__(scope, id_)
        log_group = logs.LogGroup(self, "Log", retention=settings.log_retention, removal_policy=settings.removal_policy)
        statements = [
            *permissions,
            allow(failures.queue_arn, "sqs:SendMessage"),
            allow(log_group.log_group_arn, "logs:CreateLogStream", "logs:PutLogEvents"),
        ]
        # Inline, so that the role is never without them: Lambda checks sqs:SendMessage as the destination is set.
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"Calls": iam.PolicyDocument(statements=statements)},
        )
        logging = LoggingEnvironment(
            POWERTOOLS_SERVICE_NAME=Stack.of(self).stack_name, POWERTOOLS_METRICS_NAMESPACE=METRICS_NAMESPACE
        )
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            code=function_code(FUNCTION_ROOT, RUNTIME),
            handler=handler,
            runtime=RUNTIME,
            architecture=lambda_.Architecture.ARM_64,
            timeout=Duration.seconds(timeout_seconds),
            memory_size=settings.memory_mb,
            reserved_concurrent_executions=reserved_concurrency,
            role=self.role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            environment=cast("Mapping[str, str]", {**environment, **logging}),
        )
        self._accept(settings)
        # As code, because by default Lambda retries twice and then forgets the event.
        self.asynchronous_invocation = lambda_.CfnEventInvokeConfig(
            self,
            "AsynchronousInvocation",
            function_name=self.function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=2,
            maximum_event_age_in_seconds=Duration.hours(6).to_seconds(),
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=failures.queue_arn)
            ),
        )

    def _accept(self, settings: Settings) -> None:
        acknowledge(
            self.function,
            "Python 3.13 is supported until the same day as 3.14, 2029-06-30, and the newest that the tests run on. "
            "gates::runtime-supported warns half a year before that day.",
            "AwsSolutions::AwsSolutions-L1",
            "Serverless::Serverless-LambdaLatestVersion",
        )
        acknowledge(
            self.function,
            "Its on-failure destination gets the event and why it failed; a dead-letter queue gets only the event.",
            "Serverless::Serverless-LambdaDLQ",
        )
        acknowledge(
            self.function,
            "Each log record names the request and the upload. Traces need a permission on every resource.",
            "Serverless::Serverless-LambdaTracing",
        )
        if settings.reserved_concurrency is None:
            acknowledge(
                self.function,
                "reserved_concurrency=none was asked for: an account whose limit is 10 cannot reserve anything.",
                "gates::async-reserved-concurrency",
            )

    def lambda_metric(self, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        """One of Lambda's own metrics of the function, by five minutes."""
        return self.function.metric(name, statistic=statistic, period=Duration.minutes(5))

    def own_metric(self, name: Metric, statistic: str = "Sum", period: Duration | None = None) -> cloudwatch.Metric:
        """One of the metrics that the function counts itself."""
        return cloudwatch.Metric(
            namespace=METRICS_NAMESPACE,
            metric_name=name,
            dimensions_map={"service": Stack.of(self).stack_name},
            statistic=statistic,
            period=period or Duration.minutes(5),
        )
