"""The stack that is deployed with the settings of the context."""

from aws_cdk import CfnOutput, PermissionsBoundary, RemovalPolicy, Stack, Tags
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from .csv_ingest import CsvIngest
from .settings import Settings


def event_bus(scope: Construct, bus: str) -> events.IEventBus:
    """The event bus of a name, or of an ARN."""
    found = events.EventBus.from_event_bus_arn if bus.startswith("arn:") else events.EventBus.from_event_bus_name
    return found(scope, "ImportedBus", bus)


class IngestStack(Stack):
    """One pipeline, and its names as outputs."""

    def __init__(self, scope: Construct, id_: str, *, settings: Settings) -> None:
        boundary, bucket, key = settings.permissions_boundary, settings.existing_bucket, settings.kms_key
        super().__init__(
            scope,
            id_,
            description="CSV uploads become database rows, each exactly once.",
            permissions_boundary=PermissionsBoundary.from_arn(boundary) if boundary else None,
        )
        for name, value in settings.tags:
            Tags.of(self).add(name, value)
        pipeline = CsvIngest(
            self,
            "Default",  # which the CDK leaves out of the names of resources
            feeds=settings.feeds,
            bucket=s3.Bucket.from_bucket_name(self, "ImportedBucket", bucket) if bucket else None,
            ignored_prefixes=settings.ignored_prefixes,
            key=kms.Key.from_key_arn(self, "ImportedKey", key) if key else None,
            former_keys=[
                kms.Key.from_key_arn(self, f"FormerKey{number}", each)
                for number, each in enumerate(settings.former_kms_keys)
            ],
            removal_policy=RemovalPolicy.RETAIN if settings.keeps_data else RemovalPolicy.DESTROY,
            log_retention=settings.log_retention,
            keep_files_days=settings.keep_files_days,
            alarm_email=settings.alarm_email,
            event_bus=event_bus(self, settings.event_bus) if settings.event_bus else None,
        )
        for name, value in pipeline.outputs.items():
            CfnOutput(self, name, value=value)
