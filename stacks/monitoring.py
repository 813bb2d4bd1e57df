"""Who is told, and when."""

from aws_cdk import Aws
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct


class Monitoring(Construct):
    """The alarm topic, and the alarm on uploads that failed."""

    def __init__(self, scope: Construct, id_: str, *, failures: cloudwatch.IMetric, alarm_email: str | None) -> None:
        super().__init__(scope, id_)
        self.topic = sns.Topic(self, "AlarmTopic", enforce_ssl=True)
        # A topic with a policy of its own loses the default one, which let alarms in: they would fail silently.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        if alarm_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(alarm_email))
        alarm = cloudwatch.Alarm(
            self,
            "UploadsFailed",
            alarm_description="Uploads could not be ingested; their events wait in the failure queue.",
            metric=failures,
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            # SQS stops publishing for a queue that nobody touches: that must not look like an emptied queue.
            treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
