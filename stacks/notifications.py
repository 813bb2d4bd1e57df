"""The CDK's own function that tells a bucket whom to notify, held to the rules of ours."""

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.settings import Settings
from stacks.worker import allow

# https://github.com/aws/aws-cdk/blob/v2.275.0/packages/aws-cdk-lib/aws-s3/lib/notifications-resource
_SINGLETON = "BucketNotificationsHandler050a0587b7544547bf325f094a3db834"


class NotificationsHandler(Construct):
    """Its role and its logs, to be given to the bucket that it is for.

    By default it may write into every log group of the account, and its own keeps everything for ever.
    """

    def __init__(self, scope: Construct, id_: str, *, settings: Settings) -> None:
        super().__init__(scope, id_)
        self._logs = logs.LogGroup(
            self, "Log", retention=settings.log_retention, removal_policy=settings.removal_policy
        )
        self._role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        # The CDK would attach AWSLambdaBasicExecutionRole to it.
        self.role = self._role.without_policy_updates()

    def hold_to_the_rules(self, bucket: s3.IBucket) -> None:
        """Complete the function, which is there once the bucket has its first notification."""
        # Of a bucket that is not ours, the other notifications have to be read to be kept.
        others = [] if isinstance(bucket, s3.Bucket) else ["s3:GetBucketNotification"]
        iam.Policy(
            self,
            "Calls",
            statements=[
                allow(bucket.bucket_arn, "s3:PutBucketNotification", *others),
                allow(self._logs.log_group_arn, "logs:CreateLogStream", "logs:PutLogEvents"),
            ],
            roles=[self._role],
        )
        function = Stack.of(self).node.find_child(_SINGLETON).node.find_child("Resource")
        assert isinstance(function, CfnResource)  # noqa: S101  for mypy; the next line would fail anyway
        function.add_property_override("MemorySize", 128)
        function.add_property_override("LoggingConfig.LogGroup", self._logs.log_group_name)
        bucket.node.find_child("Notifications").node.add_dependency(self)
