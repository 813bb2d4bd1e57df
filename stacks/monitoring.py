"""Who is told, and when; and where to look. Each alarm has its section in docs/runbook.md."""

from dataclasses import dataclass

from aws_cdk import Annotations, Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.acknowledged import acknowledge
from stacks.contract import Metric
from stacks.ingestion import Ingestion
from stacks.settings import Settings
from stacks.storage import Storage

ABOVE_SHARE_OF_TIMEOUT = 0.8


@dataclass(frozen=True, kw_only=True)
class _Watch:
    """A metric that must not pass a threshold."""

    name: str
    metric: cloudwatch.IMetric
    meaning: str
    threshold: float = 0
    periods: int = 1
    missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING
    comparison: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD


class Monitoring(Construct):
    """The alarm topic, the alarms, and one dashboard."""

    def __init__(
        self, scope: Construct, id_: str, *, storage: Storage, ingestion: Ingestion, settings: Settings
    ) -> None:
        super().__init__(scope, id_)
        self.topic = sns.Topic(self, "AlarmTopic", enforce_ssl=True)
        # A topic with a policy of its own loses the default one, which let alarms in: they would fail silently.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        if settings.alarm_email:
            acknowledge(
                self.topic.add_subscription(subscriptions.EmailSubscription(settings.alarm_email)),
                "An e-mail that does not arrive is nothing to redrive: the alarm stays raised, and the events it is "
                "about stay in the failure queue.",
                "Serverless::Serverless-SNSRedrivePolicy",
            )
        elif settings.keeps_data:
            Annotations.of(self).add_warning_v2(
                "csv-ingest:nobody-is-told", "alarm_email is not set: subscribe to the alarm topic, or nobody is told"
            )
        for watch in _watches(ingestion, settings):
            self._alarm(watch)
        self._dashboard(storage, ingestion, settings)

    def _alarm(self, watch: _Watch) -> None:
        alarm = cloudwatch.Alarm(
            self,
            watch.name,
            alarm_description=f"{watch.meaning} See {watch.name} in docs/runbook.md.",
            metric=watch.metric,
            threshold=watch.threshold,
            comparison_operator=watch.comparison,
            evaluation_periods=watch.periods,
            treat_missing_data=watch.missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))

    def _dashboard(self, storage: Storage, ingestion: Ingestion, settings: Settings) -> None:
        ingest, sweep = ingestion.ingest, ingestion.sweep
        limit = [cloudwatch.HorizontalAnnotation(value=settings.timeout_seconds * 1000, label="timeout")]
        reserved = [
            cloudwatch.HorizontalAnnotation(value=number, label="reserved")
            for number in [settings.reserved_concurrency]
            if number
        ]
        writes = [
            table.metric_consumed_write_capacity_units(period=Duration.minutes(5), label=label)
            for label, table in (("rows", storage.rows), ("files", storage.files))
        ]

        def graph(title: str, metrics: list[cloudwatch.IMetric], **more: object) -> cloudwatch.GraphWidget:
            return cloudwatch.GraphWidget(title=title, left=metrics, width=8, **more)  # type: ignore[arg-type]

        def own(*names: Metric) -> list[cloudwatch.IMetric]:
            return [ingest.own_metric(name) for name in names]

        cloudwatch.Dashboard(
            self,
            "Dashboard",
            widgets=[
                [
                    graph("Files", own("FilesComplete", "FilesRejected", "FilesSettledBefore", "DeliveriesIgnored")),
                    graph("Rows", own("RowsRead", "RowsStored", "RowsAlreadyPresent", "RowsRejected")),
                    graph(
                        "Not settled",
                        [ingestion.failed_uploads(), sweep.own_metric("UnsettledFiles", "Maximum", Duration.hours(1))],
                    ),
                ],
                [
                    graph(
                        "Duration against the timeout",
                        [ingest.lambda_metric("Duration", statistic) for statistic in ("p50", "p99")],
                        left_annotations=limit,
                    ),
                    graph(
                        "Concurrency against the reservation",
                        [ingest.lambda_metric("ConcurrentExecutions", "Maximum"), ingest.lambda_metric("Throttles")],
                        left_annotations=reserved,
                    ),
                    graph(
                        "Waiting and failing",
                        [
                            ingest.lambda_metric("AsyncEventAge", "Maximum"),
                            ingest.lambda_metric("Errors"),
                            sweep.lambda_metric("Errors"),
                        ],
                    ),
                ],
                [
                    graph("Write capacity consumed", [*writes]),
                    graph("Deliveries, what is paid for", [*own("Deliveries"), ingest.lambda_metric("Invocations")]),
                ],
            ],
        )


def _watches(ingestion: Ingestion, settings: Settings) -> list[_Watch]:
    ingest, sweep = ingestion.ingest, ingestion.sweep
    # These stay as they are when no data comes: no news is not good news.
    keep = cloudwatch.TreatMissingData.IGNORE
    return [
        _Watch(
            name="UploadsFailed",
            metric=ingestion.failed_uploads(),
            meaning="Uploads could not be ingested; their events wait in the failure queue.",
            missing=keep,  # SQS stops publishing for a queue that nobody touches, also for one with messages
        ),
        _Watch(
            name="NewFailures",
            metric=ingestion.new_failures(),
            meaning="Events came to the failure queue; UploadsFailed tells only of the first.",
        ),
        _Watch(
            name="FailuresExpire",
            metric=ingestion.oldest_failure(),
            meaning="Events in the failure queue are older than ten days; after fourteen SQS deletes them.",
            threshold=Duration.days(10).to_seconds(),
            missing=keep,
        ),
        _Watch(
            name="UnsettledFiles",
            metric=sweep.own_metric("UnsettledFiles", "Maximum", Duration.hours(1)),
            meaning="Uploads older than an hour are neither complete nor rejected.",
            missing=keep,
        ),
        _Watch(
            name="RowsRejected",
            metric=ingest.own_metric("RowsRejected"),
            meaning="Rows of a file were not stored; the ledger says which and why.",
        ),
        _Watch(name="IngestErrors", metric=ingest.lambda_metric("Errors"), meaning="Deliveries failed."),
        _Watch(name="SweepErrors", metric=sweep.lambda_metric("Errors"), meaning="The sweep failed."),
        _Watch(
            name="SweepMissing",
            metric=sweep.own_metric("UnsettledFiles", "SampleCount", Duration.hours(1)),
            meaning="No sweep has ended for three hours: nobody looks for lost events.",
            threshold=1,
            periods=3,
            missing=cloudwatch.TreatMissingData.BREACHING,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        ),
        _Watch(
            name="Throttled",
            metric=ingest.lambda_metric("Throttles"),
            meaning="For a quarter of an hour, more files arrived than the reserved concurrency takes.",
            periods=3,
        ),
        _Watch(
            name="SlowDeliveries",
            metric=ingest.lambda_metric("Duration", "p99"),
            meaning="Deliveries take more than 80 % of the timeout.",
            threshold=ABOVE_SHARE_OF_TIMEOUT * settings.timeout_seconds * 1000,
        ),
        _Watch(
            name="EventsWaiting",
            metric=ingest.lambda_metric("AsyncEventAge", "Maximum"),
            meaning="Events wait for more than half an hour; after six hours they go to the failure queue.",
            threshold=Duration.minutes(30).to_milliseconds(),
        ),
        _Watch(
            name="EventsDropped",
            metric=ingest.lambda_metric("AsyncEventsDropped"),
            meaning="Lambda gave events up, after their retries or without executing the function.",
        ),
        _Watch(
            name="FailuresNotRecorded",
            metric=ingest.lambda_metric("DestinationDeliveryFailures"),
            meaning="Failed events could not be written to the failure queue.",
        ),
    ]
