"""The CDK's own function that configures buckets' notifications, restricted like the project's functions.

A stack has one such function, whose role is that of the bucket which is notified first.
"""

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from .practices import Keeping, allow

# https://github.com/aws/aws-cdk/blob/v2.275.0/packages/aws-cdk-lib/aws-s3/lib/notifications-resource
_SINGLETON = "BucketNotificationsHandler050a0587b7544547bf325f094a3db834"


class NotificationsHandler(Construct):
    """The role and the log group of the function; the stack's first bucket, `Uploads` beside this, takes the role.

    By default the function may write to every log group of the account, and its own log group never expires.
    """

    def __init__(self, scope: Construct, id_: str, *, keeping: Keeping) -> None:
        super().__init__(scope, id_)
        self._log_group = keeping.log_group(self)
        self.role = _Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))

    @staticmethod
    def exists(scope: Construct) -> bool:
        """Whether the stack has the function already. It keeps its role then, which the CDK extends."""
        return Stack.of(scope).node.try_find_child(_SINGLETON) is not None

    def restrict(self, bucket: s3.IBucket) -> None:
        """Restrict the function to this bucket, which must have a notification already, and to its log group."""
        # In an existing bucket, the function reads the notifications of others in order to keep them.
        reading = [] if isinstance(bucket, s3.Bucket) else ["s3:GetBucketNotification"]
        iam.Policy(
            self,
            "Calls",
            statements=[
                allow(bucket.bucket_arn, "s3:PutBucketNotification", *reading),
                allow(self._log_group.log_group_arn, "logs:CreateLogStream", "logs:PutLogEvents"),
            ],
            roles=[self.role],
        )
        # The CDK creates the function with the first notification.
        function = Stack.of(self).node.find_child(_SINGLETON).node.find_child("Resource")
        assert isinstance(function, CfnResource)  # noqa: S101  for mypy; the next line would fail anyway
        function.add_property_override("MemorySize", 128)
        function.add_property_override("LoggingConfig.LogGroup", self._log_group.log_group_name)
        bucket.node.find_child("Notifications").node.add_dependency(self)


class _Role(iam.Role):
    """Takes the CDK's policy for each further bucket of the stack, and not AWSLambdaBasicExecutionRole."""

    def add_managed_policy(self, policy: iam.IManagedPolicy) -> None:
        """Take none."""

    def attach_inline_policy(self, policy: iam.Policy) -> None:
        """Take each but that of the first bucket, for which `Calls` has the same statements."""
        of_first_bucket = f"{self.node.path.removesuffix('/Notifications/Role')}/Uploads/"
        if not policy.node.path.startswith(of_first_bucket):
            super().attach_inline_policy(policy)
