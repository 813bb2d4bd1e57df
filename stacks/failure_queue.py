"""The queue for events that could not be ingested."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .practices import Keeping, acknowledge


class FailureQueue(sqs.Queue):
    """Keeps failed events for 14 days, until a person redrives them."""

    def __init__(self, scope: Construct, id_: str, *, keeping: Keeping) -> None:
        super().__init__(
            scope,
            id_,
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.KMS if keeping.key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=keeping.key,
            enforce_ssl=True,
            removal_policy=keeping.unless_created,
        )
        acknowledge(
            self,
            "This is the dead-letter queue: failed events wait here, watched by alarms, until a person redrives them.",
            "AwsSolutions::AwsSolutions-SQS3",
            "Serverless::Serverless-SQSRedrivePolicy",
        )

    def take_from(self, rules: Sequence[events.IRule]) -> None:
        """Take the events that EventBridge cannot deliver by some rules."""
        self.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": [rule.rule_arn for rule in rules]}},
            )
        )

    def waiting_events(self) -> cloudwatch.Metric:
        """How many events are in the queue: the most in five minutes, since a redrive hides them while it looks."""
        return self.metric_approximate_number_of_messages_visible(period=Duration.minutes(5), statistic="Maximum")

    def new_events(self) -> cloudwatch.Metric:
        """How many events were sent to the queue."""
        return self.metric_number_of_messages_sent(period=Duration.minutes(5), statistic="Sum")
