"""The topic that alarms notify."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from .practices import acknowledge


class AlarmTopic(sns.Topic):
    """Accepts messages of this account's alarms, over TLS only, and sends them to an e-mail address if there is one.

    With a key, alarms reach the topic only if the key's policy lets CloudWatch use the key: see docs/own-app.md.
    """

    def __init__(self, scope: Construct, id_: str, *, key: kms.IKey | None, email: str | None) -> None:
        super().__init__(scope, id_, enforce_ssl=True, master_key=key)
        # A topic with a policy of its own loses the default one: without this statement alarms would fail silently.
        self.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        if email:
            acknowledge(
                self.add_subscription(subscriptions.EmailSubscription(email)),
                "A lost e-mail needs no redrive: its alarm stays raised, and the events that the alarm reports stay in "
                "the failure queue.",
                "Serverless::Serverless-SNSRedrivePolicy",
            )
