"""What ingests uploads: a function for each feed and the sweep, what invokes them, and the queue for failed events."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as notifications
from constructs import Construct

from csv_ingest.feed import Feed
from stacks.failure_queue import FailureQueue
from stacks.ingest_function import IngestFunction
from stacks.practices import acknowledge
from stacks.storage import Storage
from stacks.sweep_function import SweepFunction


class Ingestion(Construct):
    """Each upload is ingested: at once by its event, or within hours by the sweep; or its event is in the queue."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        feeds: Sequence[Feed],
        storage: Storage,
        ignored_prefixes: Sequence[str],
        service: str,
    ) -> None:
        super().__init__(scope, id_)
        self.storage = storage
        self.failures = FailureQueue(self, "Failures", keeping=storage.keeping)
        self.ingest = [self._create_ingest(feed, storage, service) for feed in feeds]
        if storage.notifications:
            storage.notifications.restrict(storage.uploads)
        self.sweep = SweepFunction(
            self,
            "Sweep",
            storage=storage,
            ingest=self.ingest,
            failures=self.failures,
            ignored_prefixes=ignored_prefixes,
            service=service,
        )
        self._sweep_every_hour()

    def _create_ingest(self, feed: Feed, storage: Storage, service: str) -> IngestFunction:
        ingest = IngestFunction(
            self, f"Ingest{feed.suffix}", storage=storage, failures=self.failures, feed=feed, service=service
        )
        self._ingest_on_upload(ingest, storage, after=self._allow_dispatch(ingest))
        return ingest

    def _allow_dispatch(self, ingest: IngestFunction) -> iam.Policy:
        """Let the ingest function invoke itself, with the other permissions that name the function."""
        return iam.Policy(
            self,
            f"DeliverParts{ingest.feed.suffix}",
            statements=ingest.own_permissions(),
            roles=[ingest.role],
        )

    def _ingest_on_upload(self, ingest: IngestFunction, storage: Storage, *, after: iam.Policy) -> None:
        # Every way to create an object, because "Put" alone misses multipart uploads and copies.
        for suffix in ingest.feed.key_suffixes:
            storage.uploads.add_event_notification(
                s3.EventType.OBJECT_CREATED,
                notifications.LambdaDestination(ingest.function),
                s3.NotificationKeyFilter(prefix=ingest.feed.key_prefix or None, suffix=suffix),
            )
        # Otherwise Lambda would retry and drop the event of an upload during the first deployment, as is its default.
        storage.uploads.node.find_child("Notifications").node.add_dependency(ingest.asynchronous_invocation, after)

    def _sweep_every_hour(self) -> None:
        hourly = events.Rule(
            self,
            "Hourly",
            schedule=events.Schedule.rate(Duration.hours(1)),
            targets=[targets.LambdaFunction(self.sweep.function)],
        )
        acknowledge(
            hourly,
            "A lost event of the schedule carries no data: the next sweep looks at the same uploads, and SweepMissing "
            "reports three missing sweeps.",
            "Serverless::Serverless-EventBusDLQ",
        )
