"""The function that tells what became of files, and what invokes it."""

import json
from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct

from csv_ingest.configuration import NotifierConfig, ToldFeed
from csv_ingest.feed import Feed
from csv_ingest.model import FILES_INDEX
from csv_ingest.notices.returns import Place

from .async_function import AsyncFunction
from .failure_queue import FailureQueue
from .practices import USE_OF_TABLES, acknowledge, allow, allow_each, allow_key, wildcard_resource
from .storage import Storage

_CONCURRENCY = 5
"""Shards of the stream, the schedule, and what is tried again, at the same time."""

_RETURNS = 5
"""Files whose rejected rows are written at the same time, which takes minutes: events must not wait for them."""


class NotifierFunction(AsyncFunction):
    """Sends an event per outcome, mails, and the rejected rows of files to their senders.

    The files table's stream invokes it, a schedule, and the function itself for what is tried again.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        storage: Storage,
        failures: FailureQueue,
        topic: sns.ITopic,
        event_bus: events.IEventBus,
        service: str,
    ) -> None:
        config = NotifierConfig(
            pipeline=service,
            upload_bucket=storage.uploads.bucket_name,
            files_table=storage.files.table_name,
            failure_queue=failures.queue_url,
            event_bus=event_bus.event_bus_arn,
            alarm_topic=topic.topic_arn,
            feeds={feed.name: ToldFeed.of(feed) for feed in storage.feeds},
        )
        returning = [feed for feed in storage.feeds if feed.rejects_to]
        super().__init__(
            scope,
            id_,
            handler="csv_ingest.notifier.handler",
            description="Tells what became of CSV files: by events, by mail, and by files of rejected rows.",
            environment=config.to_environment(),
            permissions=_permissions(storage, failures, topic, event_bus),
            failures=failures,
            keeping=storage.keeping,
            service=service,
            timeout_seconds=900 if returning else 60,  # the rejected rows of a file are found by reading it
            memory_mb=max([256, *(feed.memory_mb for feed in returning)]),
            # An account that cannot reserve anything for a feed cannot for the notifier either.
            reserved_concurrency=_concurrency(storage.feeds) if _reserves(storage.feeds) else None,
        )
        if returning:
            self._return_rejects(storage, returning)
        own = self._own_permissions(storage)
        self._follow(storage, failures).node.add_dependency(own)
        self.schedule = self._look_regularly()

    def _own_permissions(self, storage: Storage) -> iam.Policy:
        """What Lambda does to follow the stream; and what names the function, which needs its role first."""
        streams = f"{storage.files.table_arn}/stream/*"
        policy = iam.Policy(
            self,
            "Follow",
            statements=[
                allow(storage.stream, "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
                allow(streams, "dynamodb:ListStreams"),
                allow(self.live.function_arn, "lambda:InvokeFunction"),
            ],
            roles=[self.role],
        )
        acknowledge(
            policy,
            "Lambda lists the streams of the files table, by an action that names no single stream.",
            wildcard_resource(policy, streams),
        )
        return policy

    def _follow(self, storage: Storage, failures: FailureQueue) -> lambda_.CfnEventSourceMapping:
        """Hand over what the stream has of settled uploads, and of those that are forgotten.

        Only an invocation that is killed, or has an error of its own, is repeated: then for parts of the batch.
        """
        exists = {"S": [{"exists": True}]}
        settled = {"dynamodb": {"NewImage": {"feed_status": exists, "settled_at": exists}}}
        forgotten = {"eventName": ["REMOVE"], "dynamodb": {"OldImage": {"erasing": {"S": ["forget"]}}}}
        filter_ = lambda_.CfnEventSourceMapping.FilterProperty
        mapping = lambda_.CfnEventSourceMapping(
            self,
            "Stream",
            function_name=self.live.function_arn,
            event_source_arn=storage.stream,
            starting_position="TRIM_HORIZON",
            batch_size=10,
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=5,
            filter_criteria=lambda_.CfnEventSourceMapping.FilterCriteriaProperty(
                filters=[filter_(pattern=json.dumps(pattern)) for pattern in (settled, forgotten)]
            ),
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=failures.queue_arn)
            ),
        )
        mapping.node.add_dependency(self.role)
        return mapping

    def _look_regularly(self) -> events.Rule:
        """Look at the failure queue, for missing files and for mails, every two minutes."""
        return self.invoke_every(
            Duration.minutes(2),
            self,
            "Schedule",
            lost="the next look sees the same, and NotifierMissing reports missing looks.",
        )

    def looks(self) -> cloudwatch.Metric:
        """How often the schedule has invoked the function, which others invoke as well."""
        return cloudwatch.Metric(
            namespace="AWS/Events",
            metric_name="Invocations",
            dimensions_map={"RuleName": self.schedule.rule_name},
            statistic="SampleCount",
            period=Duration.minutes(5),
        )

    def _return_rejects(self, storage: Storage, feeds: Sequence[Feed]) -> None:
        """Let the function read the files of some feeds, and write their rejected rows where the feeds say."""
        uploads = [storage.uploads.arn_for_objects(f"{feed.key_prefix}*") for feed in feeds]
        returned = list(dict.fromkeys(self._returned(storage, feed) for feed in feeds))
        # One policy: IAM allows a role 10,240 characters in all.
        policy = iam.Policy(
            self,
            "Return",
            statements=[
                *allow_each(uploads, "s3:GetObjectVersion"),
                *allow_each(returned, "s3:PutObject"),
                *storage.keeping.allow_reading("s3"),
                *allow_key(storage.keeping.key, "s3", "kms:GenerateDataKey"),
            ],
            roles=[self.role],
        )
        acknowledge(
            policy,
            "The keys of uploads are not known in advance: the function may read any below the feed's prefix, and "
            "write below the prefix of its rejected rows.",
            *(wildcard_resource(policy, arn) for arn in (*uploads, *returned)),
        )

    def _returned(self, storage: Storage, feed: Feed) -> str:
        """Where the rejected rows of a feed go."""
        place = Place.parse(feed.rejects_to or "", storage.uploads.bucket_name)
        in_uploads = place.bucket == storage.uploads.bucket_name
        bucket = storage.uploads.bucket_arn if in_uploads else f"arn:{Stack.of(self).partition}:s3:::{place.bucket}"
        return f"{bucket}/{place.prefix}*"


def _reserves(feeds: Sequence[Feed]) -> bool:
    return any(feed.reserved_concurrency for feed in feeds)


def _concurrency(feeds: Sequence[Feed]) -> int:
    return _CONCURRENCY + (_RETURNS if any(feed.rejects_to for feed in feeds) else 0)


def _permissions(
    storage: Storage, failures: FailureQueue, topic: sns.ITopic, event_bus: events.IEventBus
) -> Sequence[iam.PolicyStatement]:
    key = storage.keeping.key
    files = storage.files.table_arn
    return [
        allow(
            files,
            "dynamodb:BatchGetItem",
            "dynamodb:BatchWriteItem",
            "dynamodb:GetItem",
            "dynamodb:PartiQLInsert",
            "dynamodb:Query",
        ),
        allow(f"{files}/index/{FILES_INDEX}", "dynamodb:Query"),
        allow(failures.queue_arn, "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"),
        allow(event_bus.event_bus_arn, "events:PutEvents"),
        allow(topic.topic_arn, "sns:Publish"),
        *storage.keeping.allow_reading("sqs"),
        *allow_key(key, "sns", "kms:Decrypt", "kms:GenerateDataKey"),
        *allow_key(key, "dynamodb", *USE_OF_TABLES),
    ]
