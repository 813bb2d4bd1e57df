"""A Lambda function that is invoked asynchronously, and the queue that keeps its failed events."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from csv_ingest.metrics import NAMESPACE, Metric
from csv_ingest.queues import LIVE

from .bundling import RUNTIME, function_code
from .practices import Keeping, acknowledge, allow, allow_key


class AsyncFunction(Construct):
    """A handler of the package csv_ingest, with its role, its logs, and the queue for its failed events."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        handler: str,
        description: str,
        environment: Mapping[str, str],
        permissions: Sequence[iam.PolicyStatement],
        failures: sqs.Queue,
        keeping: Keeping,
        service: str,
        timeout_seconds: int,
        memory_mb: int,
        reserved_concurrency: int | None,
        retries: int = 2,
    ) -> None:
        super().__init__(scope, id_)
        self._service = service
        log_group = keeping.log_group(self)
        self.role = self._create_role(permissions, failures, keeping, log_group)
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            code=function_code(self),
            handler=handler,
            runtime=RUNTIME,
            architecture=lambda_.Architecture.ARM_64,
            timeout=Duration.seconds(timeout_seconds),
            memory_size=memory_mb,
            reserved_concurrent_executions=reserved_concurrency,
            role=self.role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            environment=dict(environment),
        )
        self._acknowledge_findings(reserves_concurrency=reserved_concurrency is not None)
        # A deployment changes the code of `$LATEST` in one call and its environment in another. A version has both.
        # It is deleted by the next deployment, or by a roll back: one that stayed would be the same as what is deployed
        # again, and Lambda publishes none then.
        self.live = lambda_.Alias(self, "Live", alias_name=LIVE, version=self.function.current_version)
        """What everybody invokes."""
        self.asynchronous_invocation = self._keep_failed_events("AsynchronousInvocationOfLive", LIVE, failures, retries)
        self.asynchronous_invocation.node.add_dependency(self.live)
        # Of what an earlier release has sent, and of what a person sends without naming a version.
        self._keep_failed_events("AsynchronousInvocation", "$LATEST", failures, retries)

    def invoke_every(self, period: Duration, scope: Construct, id_: str, *, lost: str) -> events.Rule:
        """Invoke the function regularly, by a rule in the scope; `lost` says what a lost event would do."""
        rule = events.Rule(
            scope, id_, schedule=events.Schedule.rate(period), targets=[targets.LambdaFunction(self.live)]
        )
        acknowledge(rule, f"A lost event of the schedule carries no data: {lost}", "Serverless::Serverless-EventBusDLQ")
        return rule

    def lambda_metric(self, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        """A metric of the function that Lambda publishes, per five minutes."""
        return self.function.metric(name, statistic=statistic, period=Duration.minutes(5))

    def custom_metric(self, name: Metric, statistic: str = "Sum", period: Duration | None = None) -> cloudwatch.Metric:
        """A metric that the function's code publishes, per five minutes unless another period is given."""
        return cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=name,
            dimensions_map={"service": self._service},
            statistic=statistic,
            period=period or Duration.minutes(5),
        )

    def custom_metrics(self, *names: Metric) -> list[cloudwatch.IMetric]:
        return [self.custom_metric(name) for name in names]

    def _create_role(
        self,
        permissions: Sequence[iam.PolicyStatement],
        failures: sqs.Queue,
        keeping: Keeping,
        log_group: logs.LogGroup,
    ) -> iam.Role:
        statements = [
            *permissions,
            allow(failures.queue_arn, "sqs:SendMessage"),
            # Lambda sends failed events in this role, too.
            *allow_key(keeping.key, "sqs", "kms:Decrypt", "kms:GenerateDataKey"),
            allow(log_group.log_group_arn, "logs:CreateLogStream", "logs:PutLogEvents"),
        ]
        # Inline, so that the role always has them: Lambda checks sqs:SendMessage when the destination is set.
        return iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"Calls": iam.PolicyDocument(statements=statements)},
        )

    def _keep_failed_events(
        self, id_: str, qualifier: str, failures: sqs.Queue, retries: int
    ) -> lambda_.CfnEventInvokeConfig:
        """Send events to the queue after the retries or six hours. Lambda's default drops them."""
        return lambda_.CfnEventInvokeConfig(
            self,
            id_,
            function_name=self.function.function_name,
            qualifier=qualifier,
            maximum_retry_attempts=retries,
            maximum_event_age_in_seconds=Duration.hours(6).to_seconds(),
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=failures.queue_arn)
            ),
        )

    def _acknowledge_findings(self, *, reserves_concurrency: bool) -> None:
        acknowledge(
            self.function,
            "Python 3.13 is the newest version that the tests run on. AWS supports 3.13 and 3.14 until 2029-06-30; "
            "gates::runtime-supported warns half a year before that day.",
            "AwsSolutions::AwsSolutions-L1",
            "Serverless::Serverless-LambdaLatestVersion",
        )
        acknowledge(
            self.function,
            "The on-failure destination receives the event and its error; a dead-letter queue receives only the event.",
            "Serverless::Serverless-LambdaDLQ",
        )
        acknowledge(
            self.function,
            "Each log record names the request and the upload. Traces would need a permission on every resource.",
            "Serverless::Serverless-LambdaTracing",
        )
        if not reserves_concurrency:
            acknowledge(
                self.function,
                "reserved_concurrency=none is set: an account with a limit of 10 concurrent executions cannot reserve "
                "any of them.",
                "gates::async-reserved-concurrency",
            )
