"""The bucket of the uploads: a new one, or one of another owner."""

from collections.abc import Sequence

import jsii
from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct, IValidation

from csv_ingest.feed import Feed

from .practices import Keeping, acknowledge

UPLOAD = ("s3:AbortMultipartUpload", "s3:PutObject")
"""What an upload needs, also in several parts."""


def let_upload(bucket: s3.IBucket, feed: Feed) -> None:
    """Let other accounts upload below the prefix of a feed; what they upload belongs to the bucket's account."""
    if feed.upload_accounts:
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.AccountPrincipal(account) for account in feed.upload_accounts],
                actions=list(UPLOAD),
                resources=[bucket.arn_for_objects(f"{feed.key_prefix}*")],
            )
        )


def new_bucket(scope: Construct, feeds: Sequence[Feed], keeping: Keeping, handler_role: iam.IRole | None) -> s3.Bucket:
    bucket = s3.Bucket(
        scope,
        "Uploads",
        # The function reads exactly the version that was uploaded, even if the key has a newer version by then.
        versioned=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        # No access lists: the account owns what anybody uploads, and policies alone decide who reads it.
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        encryption=s3.BucketEncryption.KMS if keeping.key else s3.BucketEncryption.S3_MANAGED,
        encryption_key=keeping.key,
        bucket_key_enabled=True if keeping.key else None,
        lifecycle_rules=[
            s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(7)),
            *(_expiry(feed.key_prefix, feed.keep_uploads_days) for feed in feeds if feed.keep_uploads_days),
        ],
        # CloudFormation refuses to delete a bucket that has objects: no deployment deletes uploads.
        removal_policy=keeping.unless_created,
        notifications_handler_role=handler_role,
    )
    acknowledge(
        bucket,
        "The files table records uploads. CloudTrail's data events record who reads them; the account's owner "
        "enables them for all buckets. Access logs would be a second bucket with customers' keys to protect.",
        "AwsSolutions::AwsSolutions-S1",
    )
    return bucket


def _expiry(prefix: str, days: int) -> s3.LifecycleRule:
    """Have S3 delete what is so old below a prefix.

    A version that was replaced counts from then on: its delivery may not have ended.
    """
    age = Duration.days(days)
    return s3.LifecycleRule(prefix=prefix or None, expiration=age, noncurrent_version_expiration=age)


def existing_bucket(scope: Construct, bucket: s3.IBucket, handler_role: iam.IRole | None) -> s3.IBucket:
    """A bucket of another owner: nothing is changed in it, but notifications are added. Raises ValueError."""
    if not isinstance(bucket, s3.Bucket):
        scope.node.add_validation(_NotifiedOnce(scope, bucket.bucket_name))
        return s3.Bucket.from_bucket_attributes(
            scope, "Uploads", bucket_name=bucket.bucket_name, notifications_handler_role=handler_role
        )
    if Stack.of(bucket) != Stack.of(scope):
        raise ValueError(
            f"the bucket {bucket.node.path} is of another stack, which would need this one first, and this one needs "
            "that: create CsvIngest in the stack of the bucket; or import the bucket by its name, with "
            "s3.Bucket.from_bucket_name, if no other notifications are made for it there, which would replace these"
        )
    return bucket


@jsii.implements(IValidation)
class _NotifiedOnce:
    """Refuses two imports of one bucket in a stack: each has its own notifications, and removes those of the other."""

    def __init__(self, scope: Construct, bucket_name: str) -> None:
        self._stack = Stack.of(scope)
        self._name = bucket_name

    def validate(self) -> list[str]:
        name_of = self._stack.resolve
        notified = [each.node.scope for each in self._stack.node.find_all() if each.node.id == "Notifications"]
        buckets = [each for each in notified if isinstance(each, s3.BucketBase)]
        same = [each.node.path for each in buckets if name_of(each.bucket_name) == name_of(self._name)]
        problem = f"{' and '.join(same)} are one bucket, whose notifications would replace each other: import it once"
        return [problem] if len(same) > 1 else []
