"""What keeps data: the upload bucket, the rows table of each DynamoDB feed, and the files table."""

from typing import Any

from aws_cdk import Annotations, Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.acknowledged import acknowledge
from stacks.contract import FILES_KEY, ROWS_INDEX, ROWS_KEY
from stacks.environments import SharedNames
from stacks.feed_settings import FeedSettings
from stacks.notifications import NotificationsHandler
from stacks.settings import Settings


class Storage(Construct):
    """The upload bucket and the tables. `rows` holds the tables of the DynamoDB feeds by the feed's name."""

    def __init__(self, scope: Construct, id_: str, *, settings: Settings) -> None:
        super().__init__(scope, id_)
        self.key = kms.Key.from_key_arn(self, "Key", settings.kms_key) if settings.kms_key else None
        self.notifications = NotificationsHandler(self, "Notifications", key=self.key, settings=settings)
        self.uploads = self._existing_bucket(settings) if settings.existing_bucket else self._new_bucket(settings)
        # docs/architecture.md describes the keys and the attributes.
        self.rows: dict[str, dynamodb.ITable] = {
            feed.name: self._existing_rows(feed) if feed.rows_table else self._rows(feed, settings)
            for feed in settings.feeds
            if not feed.is_postgresql
        }
        self.files = self._table("Files", settings, _keys(*FILES_KEY))
        if self.key:
            Annotations.of(self).add_warning_v2(
                "csv-ingest:key-policy",
                "kms_key is set: without the statements of docs/settings.md in the key's policy, alarms reach nobody",
            )

    def shared_names(self, failures: sqs.Queue) -> SharedNames:
        """What the environment of each function has in common."""
        return SharedNames(bucket=self.uploads.bucket_name, files=self.files.table_name, failures=failures.queue_url)

    def rows_name(self, feed: FeedSettings) -> str:
        """The name of a feed's rows table, wherever it is."""
        return feed.database_table or "" if feed.is_postgresql else self.rows[feed.name].table_name

    def _new_bucket(self, settings: Settings) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Uploads",
            # The function reads exactly the version that was uploaded, even if the key has a newer version by then.
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            # No access lists: the account owns what anybody uploads, and policies alone decide who reads it.
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            encryption=s3.BucketEncryption.KMS if self.key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=self.key,
            bucket_key_enabled=True if self.key else None,
            lifecycle_rules=[s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(7))],
            # CloudFormation refuses to delete a bucket that has objects: no deployment deletes uploads.
            removal_policy=settings.removal_policy,
            notifications_handler_role=self.notifications.role,
        )
        acknowledge(
            bucket,
            "The files table records uploads. CloudTrail's data events record who reads them; the account's owner "
            "enables them for all buckets. Access logs would be a second bucket with customers' keys to protect.",
            "AwsSolutions::AwsSolutions-S1",
        )
        return bucket

    def _existing_bucket(self, settings: Settings) -> s3.IBucket:
        """A bucket of another owner. The stack changes nothing in it but adds its own notifications."""
        return s3.Bucket.from_bucket_attributes(
            self,
            "Uploads",
            bucket_name=settings.existing_bucket,
            notifications_handler_role=self.notifications.role,
        )

    def _existing_rows(self, feed: FeedSettings) -> dynamodb.ITable:
        """A table of another owner. The stack changes nothing about it."""
        return dynamodb.Table.from_table_name(self, f"Rows{feed.suffix}", feed.rows_table or "")

    def _rows(self, feed: FeedSettings, settings: Settings) -> dynamodb.Table:
        most = feed.max_write_units
        table = self._table(f"Rows{feed.suffix}", settings, _keys(*ROWS_KEY), max_write_request_units=most)
        if feed.file_index:
            table.add_global_secondary_index(
                index_name=ROWS_INDEX,
                partition_key=dynamodb.Attribute(name="etag", type=dynamodb.AttributeType.STRING),
                sort_key=dynamodb.Attribute(name="line", type=dynamodb.AttributeType.NUMBER),
                # Who reads a row fetches it from the table, which is consistent, and the index is not.
                projection_type=dynamodb.ProjectionType.KEYS_ONLY,
                max_write_request_units=most,
            )
        return table

    def _table(self, id_: str, settings: Settings, keys: dict[str, Any], **properties: Any) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            id_,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if self.key else dynamodb.TableEncryption.AWS_MANAGED,
            encryption_key=self.key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=settings.keeps_data,
            removal_policy=settings.removal_policy,
            **keys,
            **properties,
        )


def _keys(*names: str) -> dict[str, dynamodb.Attribute]:
    """The properties of a table for one or two key attributes, which are text."""
    attributes = (dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING) for name in names)
    return dict(zip(("partition_key", "sort_key"), attributes, strict=False))
