"""What ingests uploads: a function for each feed and the sweep, what invokes them, and the queue for failed events."""

from collections.abc import Sequence

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as notifications
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .failure_queue import FailureQueue
from .ingest_function import IngestFunction
from .storage import Storage
from .sweep_function import SweepFunction


class Ingestion(Construct):
    """Each upload is ingested: at once by its event, or within hours by the sweep; or its event is in the queue."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        storage: Storage,
        ignored_prefixes: Sequence[str],
        event_bus: events.IEventBus,
        service: str,
    ) -> None:
        super().__init__(scope, id_)
        self.storage = storage
        self.failures = FailureQueue(self, "Failures", keeping=storage.keeping)
        self.ingest = [
            IngestFunction(
                self, f"Ingest{feed.suffix}", storage=storage, failures=self.failures, feed=feed, service=service
            )
            for feed in storage.feeds
        ]
        self._rules: list[events.Rule] = []
        self._failures_of_rules = sqs.Queue.from_queue_arn(self, "FailuresOfRules", self.failures.queue_arn)
        for ingest in self.ingest:
            invoke = self._ingest_on_upload if ingest.feed.is_notified else self._ingest_on_event
            invoke(ingest, after=self._allow_dispatch(ingest))
        if self._rules:
            self.failures.take_from(self._rules)
        if storage.notifications:
            storage.notifications.restrict(storage.uploads)
        self.sweep = SweepFunction(
            self,
            "Sweep",
            storage=storage,
            ingest=self.ingest,
            failures=self.failures,
            ignored_prefixes=ignored_prefixes,
            event_bus=event_bus,
            service=service,
        )
        self.sweep.every_hour(self)

    def _allow_dispatch(self, ingest: IngestFunction) -> iam.Policy:
        """Let the ingest function invoke itself, with the other permissions that name the function."""
        return iam.Policy(
            self,
            f"DeliverParts{ingest.feed.suffix}",
            statements=ingest.own_permissions(),
            roles=[ingest.role],
        )

    def _ingest_on_event(self, ingest: IngestFunction, *, after: iam.Policy) -> None:
        """Have EventBridge invoke the function, to whose default bus S3 sends its events."""
        feed = ingest.feed
        keys = [_matching(feed.key_prefix, suffix) for suffix in feed.key_suffixes]
        rule = events.Rule(
            self,
            f"Uploads{feed.suffix}",
            description=f"Uploads of the feed {feed.name}.",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={"bucket": {"name": [self.storage.uploads.bucket_name]}, "object": {"key": keys}},
            ),
            # Imported, or the CDK would write a statement per rule into the queue's policy: SQS allows twenty.
            targets=[targets.LambdaFunction(ingest.live, dead_letter_queue=self._failures_of_rules)],
        )
        self._rules.append(rule)
        rule.node.add_dependency(ingest.asynchronous_invocation, after)

    def _ingest_on_upload(self, ingest: IngestFunction, *, after: iam.Policy) -> None:
        uploads = self.storage.uploads
        # Every way to create an object, because "Put" alone misses multipart uploads and copies.
        for suffix in ingest.feed.key_suffixes:
            uploads.add_event_notification(
                s3.EventType.OBJECT_CREATED,
                notifications.LambdaDestination(ingest.live),
                s3.NotificationKeyFilter(prefix=ingest.feed.key_prefix or None, suffix=suffix),
            )
        # Otherwise Lambda would retry and drop the event of an upload during the first deployment, as is its default.
        uploads.node.find_child("Notifications").node.add_dependency(ingest.asynchronous_invocation, after)


def _matching(prefix: str, suffix: str) -> dict[str, str]:
    """What EventBridge compares a key with."""
    return {"wildcard": f"{prefix}*{suffix}"} if prefix else {"suffix": suffix}
