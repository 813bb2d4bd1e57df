"""What raises an alarm, by subject. Each alarm has its section in docs/runbook.md."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from .ingest_function import IngestFunction
from .ingestion import Ingestion
from .notifier_function import NotifierFunction

SLOW_SHARE_OF_TIMEOUT = 0.8

KEEP_STATE = cloudwatch.TreatMissingData.IGNORE
"""For metrics that may stop while the condition lasts: an alarm stays raised when no data comes."""


@dataclass(frozen=True, kw_only=True)
class AlarmSpec:
    """A metric and its limit. By default, any value above 0 within one period raises the alarm."""

    name: str
    ingest: IngestFunction | None = None
    """The function that the alarm watches; None for what all feeds share."""
    metric: cloudwatch.IMetric
    meaning: str
    threshold: float = 0
    periods: int = 1
    missing_data: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING
    comparison: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
    notifies_end: bool = False
    """Whether to notify of the end, too: of a state that lasts. A count ends by itself, whether handled or not."""

    @property
    def suffix(self) -> str:
        return self.ingest.feed.suffix if self.ingest else ""


def create_alarms(scope: Construct, specs: Sequence[AlarmSpec], *, topic: sns.ITopic) -> None:
    """Create an alarm for each specification, which notifies the topic and refers to the runbook."""
    names_feeds = any(spec.suffix for spec in specs)
    for spec in specs:
        feed = f"Feed {spec.ingest.feed.name}: " if spec.ingest and names_feeds else ""
        alarm = cloudwatch.Alarm(
            scope,
            spec.name + spec.suffix,
            alarm_description=f"{feed}{spec.meaning} See {spec.name} in docs/runbook.md.",
            metric=spec.metric,
            threshold=spec.threshold,
            comparison_operator=spec.comparison,
            evaluation_periods=spec.periods,
            treat_missing_data=spec.missing_data,
        )
        alarm.add_alarm_action(actions.SnsAction(topic))
        if spec.notifies_end:
            alarm.add_ok_action(actions.SnsAction(topic))


def alarm_specs(ingestion: Ingestion, notifier: NotifierFunction) -> list[AlarmSpec]:
    """Every alarm of the stack."""
    return [
        *_failed_events(ingestion),
        *_sweep(ingestion),
        *_notifier(notifier),
        *(spec for ingest in ingestion.ingest for spec in _feed(ingest)),
    ]


def _failed_events(ingestion: Ingestion) -> list[AlarmSpec]:
    failures, sweep = ingestion.failures, ingestion.sweep
    return [
        AlarmSpec(
            name="UploadsFailed",
            metric=failures.waiting_events(),
            meaning="Uploads could not be ingested; their events wait in the failure queue.",
            missing_data=KEEP_STATE,  # SQS stops publishing for a queue without activity, even if it has messages
            notifies_end=True,
        ),
        AlarmSpec(
            name="NewFailures",
            metric=failures.new_events(),
            meaning="New events are in the failure queue; UploadsFailed notifies only of the first.",
        ),
        AlarmSpec(
            name="FailuresExpire",
            # The sweep's count, since SQS does not tell the age of an event that was received three times. If an event
            # is about to expire, the queue was not empty all these days. An alarm cannot look back on more of them.
            metric=sweep.custom_metric("FailuresWaiting", "Minimum", Duration.days(1)),
            meaning="The failure queue has not been empty for seven days; after fourteen days SQS deletes an event.",
            periods=7,
            missing_data=KEEP_STATE,
            notifies_end=True,
        ),
    ]


def _sweep(ingestion: Ingestion) -> list[AlarmSpec]:
    """Of the sweep, and of what it found."""
    sweep = ingestion.sweep
    return [
        AlarmSpec(
            name="UnsettledFiles",
            metric=sweep.custom_metric("UnsettledFiles", "Maximum", Duration.hours(1)),
            meaning="Uploads older than an hour are neither complete nor rejected.",
            missing_data=KEEP_STATE,
            notifies_end=True,
        ),
        AlarmSpec(
            name="ObjectsIgnored",
            metric=sweep.custom_metric("ObjectsIgnored", "Maximum", Duration.hours(1)),
            meaning="Objects are in the bucket that no feed takes: their rows are in no table.",
            missing_data=KEEP_STATE,
            notifies_end=True,
        ),
        AlarmSpec(name="SweepErrors", metric=sweep.lambda_metric("Errors"), meaning="The sweep failed."),
        AlarmSpec(
            name="SweepMissing",
            metric=sweep.custom_metric("UnsettledFiles", "SampleCount", Duration.hours(1)),
            meaning="No sweep has ended for three hours, so lost events are not found.",
            threshold=1,
            periods=3,
            missing_data=cloudwatch.TreatMissingData.BREACHING,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            notifies_end=True,
        ),
        AlarmSpec(
            name="SweepFailuresNotRecorded",
            metric=sweep.lambda_metric("DestinationDeliveryFailures"),
            meaning="A failed sweep could not be written to the failure queue.",
        ),
    ]


def _notifier(notifier: NotifierFunction) -> list[AlarmSpec]:
    return [
        AlarmSpec(
            name="NotifierErrors",
            metric=notifier.lambda_metric("Errors"),
            meaning="An outcome could not be told at once, or a look failed.",
        ),
        AlarmSpec(
            name="NotifierBehind",
            metric=notifier.lambda_metric("IteratorAge", "Maximum"),
            meaning="Outcomes have waited for more than 15 minutes to be told.",
            threshold=Duration.minutes(15).to_milliseconds(),
            notifies_end=True,
        ),
        AlarmSpec(
            name="NotifierMissing",
            metric=notifier.looks(),
            meaning="For a quarter of an hour, nobody has looked for failed and missing files.",
            threshold=1,
            periods=3,
            missing_data=cloudwatch.TreatMissingData.BREACHING,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            notifies_end=True,
        ),
        AlarmSpec(
            name="NotifierEventsDropped",
            metric=notifier.lambda_metric("AsyncEventsDropped"),
            meaning="Lambda gave up an outcome that could not be told.",
        ),
        AlarmSpec(
            name="NotifierFailuresNotRecorded",
            metric=notifier.lambda_metric("DestinationDeliveryFailures"),
            meaning="An outcome that could not be told could not be written to the failure queue.",
        ),
    ]


def _feed(ingest: IngestFunction) -> list[AlarmSpec]:
    """Of the function of one feed. docs/costs.md says what they cost."""
    database = _database(ingest) if ingest.feed.is_postgresql else []
    expected = _expected(ingest) if ingest.feed.expect else []
    return [*_errors(ingest), *expected, *database, *_capacity(ingest), *_lost_events(ingest)]


def _errors(ingest: IngestFunction) -> list[AlarmSpec]:
    return [
        AlarmSpec(
            name="RowsRejected",
            ingest=ingest,
            metric=ingest.custom_metric("RowsRejected"),
            meaning="Rows of a file were not stored; the ledger says which and why.",
        ),
        AlarmSpec(
            name="IngestErrors",
            ingest=ingest,
            metric=ingest.lambda_metric("Errors"),
            meaning="Deliveries failed.",
        ),
    ]


def _expected(ingest: IngestFunction) -> list[AlarmSpec]:
    return [
        AlarmSpec(
            name="FileMissing",
            ingest=ingest,
            metric=ingest.custom_metric("FilesMissing", "Maximum"),
            meaning=f"No file became complete in time; expected: {ingest.feed.expect}.",
            missing_data=KEEP_STATE,
            notifies_end=True,
        )
    ]


def _database(ingest: IngestFunction) -> list[AlarmSpec]:
    return [
        AlarmSpec(
            name="ConnectionsFailed",
            ingest=ingest,
            metric=ingest.custom_metric("ConnectionsFailed"),
            meaning="The function could not connect to PostgreSQL, or not log in.",
        )
    ]


def _capacity(ingest: IngestFunction) -> list[AlarmSpec]:
    return [
        AlarmSpec(
            name="Throttled",
            ingest=ingest,
            metric=ingest.lambda_metric("Throttles"),
            meaning="For a quarter of an hour, more files arrived than the reserved concurrency takes.",
            periods=3,
        ),
        AlarmSpec(
            name="SlowDeliveries",
            ingest=ingest,
            metric=ingest.lambda_metric("Duration", "p99"),
            meaning="Deliveries take more than 80 % of the timeout.",
            threshold=SLOW_SHARE_OF_TIMEOUT * ingest.feed.timeout_seconds * 1000,
        ),
    ]


def _lost_events(ingest: IngestFunction) -> list[AlarmSpec]:
    return [
        AlarmSpec(
            name="EventsWaiting",
            ingest=ingest,
            metric=ingest.lambda_metric("AsyncEventAge", "Maximum"),
            meaning="Events wait for more than half an hour; after six hours they go to the failure queue.",
            threshold=Duration.minutes(30).to_milliseconds(),
            notifies_end=True,
        ),
        AlarmSpec(
            name="EventsDropped",
            ingest=ingest,
            metric=ingest.lambda_metric("AsyncEventsDropped"),
            meaning="Lambda gave up events, after their retries or without invoking the function.",
        ),
        AlarmSpec(
            name="FailuresNotRecorded",
            ingest=ingest,
            metric=ingest.lambda_metric("DestinationDeliveryFailures"),
            meaning="Failed events could not be written to the failure queue.",
        ),
    ]
