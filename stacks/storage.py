"""Where things are kept: the uploads, the rows, and the ledger of files."""

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.settings import Settings


class Storage(Construct):
    """The upload bucket and the two tables."""

    def __init__(self, scope: Construct, id_: str, *, settings: Settings) -> None:
        super().__init__(scope, id_)
        self.uploads = s3.Bucket(
            self,
            "Uploads",
            # The function reads exactly the version that was uploaded, also when the key holds another one by now.
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            lifecycle_rules=[s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(7))],
            # CloudFormation refuses to delete a bucket with objects in it: uploads are never destroyed in passing.
            removal_policy=settings.removal_policy,
        )
        # Keys and attributes are described in the function's store.py and ledger.py.
        self.rows = self._table(
            "Rows", settings, partition_key=_text("pk"), max_write_request_units=settings.max_write_units
        )
        self.files = self._table("Files", settings, partition_key=_text("object_key"), sort_key=_text("entry"))

    def _table(self, id_: str, settings: Settings, **properties: Any) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            id_,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=settings.keeps_data,
            removal_policy=settings.removal_policy,
            **properties,
        )


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
