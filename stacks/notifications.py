"""The CDK's own function that configures a bucket's notifications, restricted like the project's functions."""

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.permissions import allow
from stacks.settings import Settings

# https://github.com/aws/aws-cdk/blob/v2.275.0/packages/aws-cdk-lib/aws-s3/lib/notifications-resource
_SINGLETON = "BucketNotificationsHandler050a0587b7544547bf325f094a3db834"


class NotificationsHandler(Construct):
    """The role and the log group of the CDK's function; the bucket takes the role.

    By default the function may write to every log group of the account, and its own log group never expires.
    """

    def __init__(self, scope: Construct, id_: str, *, key: kms.IKey | None, settings: Settings) -> None:
        super().__init__(scope, id_)
        self._log_group = logs.LogGroup(
            self,
            "Log",
            retention=settings.log_retention,
            encryption_key=key,
            removal_policy=settings.removal_policy,
        )
        self._role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        # The CDK would attach AWSLambdaBasicExecutionRole to the role.
        self.role = self._role.without_policy_updates()

    def restrict(self, bucket: s3.IBucket) -> None:
        """Restrict the function to one bucket and its log group. The bucket must have a notification already."""
        # In an existing bucket, the function reads the notifications of others in order to keep them.
        reading = [] if isinstance(bucket, s3.Bucket) else ["s3:GetBucketNotification"]
        iam.Policy(
            self,
            "Calls",
            statements=[
                allow(bucket.bucket_arn, "s3:PutBucketNotification", *reading),
                allow(self._log_group.log_group_arn, "logs:CreateLogStream", "logs:PutLogEvents"),
            ],
            roles=[self._role],
        )
        # The CDK creates the function with the first notification.
        function = Stack.of(self).node.find_child(_SINGLETON).node.find_child("Resource")
        assert isinstance(function, CfnResource)  # noqa: S101  for mypy; the next line would fail anyway
        function.add_property_override("MemorySize", 128)
        function.add_property_override("LoggingConfig.LogGroup", self._log_group.log_group_name)
        bucket.node.find_child("Notifications").node.add_dependency(self)
