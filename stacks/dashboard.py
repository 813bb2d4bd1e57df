"""The dashboard: what was ingested, whether the functions keep up, and what it costs."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.contract import Metric
from stacks.ingestion import Ingestion
from stacks.settings import Settings
from stacks.storage import Storage


class Dashboard(cloudwatch.Dashboard):
    """Three rows of graphs."""

    def __init__(
        self, scope: Construct, id_: str, *, storage: Storage, ingestion: Ingestion, settings: Settings
    ) -> None:
        super().__init__(
            scope,
            id_,
            widgets=[_files_and_rows(ingestion), _functions(ingestion, settings), _costs(storage, ingestion)],
        )


def _files_and_rows(ingestion: Ingestion) -> list[cloudwatch.IWidget]:
    unsettled = ingestion.sweep.custom_metric("UnsettledFiles", "Maximum", Duration.hours(1))
    return [
        _graph(
            "Files",
            _custom_metrics(ingestion, "FilesComplete", "FilesRejected", "FilesSettledBefore", "DeliveriesIgnored"),
        ),
        _graph("Rows", _custom_metrics(ingestion, "RowsRead", "RowsStored", "RowsAlreadyPresent", "RowsRejected")),
        _graph("Not settled", [ingestion.failures.waiting_events(), unsettled]),
    ]


def _functions(ingestion: Ingestion, settings: Settings) -> list[cloudwatch.IWidget]:
    ingest, sweep = ingestion.ingest, ingestion.sweep
    return [
        _graph(
            "Duration against the timeout",
            [ingest.lambda_metric("Duration", statistic) for statistic in ("p50", "p99")],
            limits={"timeout": settings.timeout_seconds * 1000},
        ),
        _graph(
            "Concurrency against the reservation",
            [ingest.lambda_metric("ConcurrentExecutions", "Maximum"), ingest.lambda_metric("Throttles")],
            limits={"reserved": settings.reserved_concurrency} if settings.reserved_concurrency else {},
        ),
        _graph(
            "Waiting and failing",
            [
                ingest.lambda_metric("AsyncEventAge", "Maximum"),
                ingest.lambda_metric("Errors"),
                sweep.lambda_metric("Errors"),
            ],
        ),
    ]


def _costs(storage: Storage, ingestion: Ingestion) -> list[cloudwatch.IWidget]:
    write_capacity = [
        table.metric_consumed_write_capacity_units(period=Duration.minutes(5), label=label)
        for label, table in (("rows", storage.rows), ("files", storage.files))
    ]
    deliveries = [*_custom_metrics(ingestion, "Deliveries"), ingestion.ingest.lambda_metric("Invocations")]
    return [
        _graph("Write capacity consumed", write_capacity),
        _graph("Deliveries, what is paid for", deliveries),
    ]


def _custom_metrics(ingestion: Ingestion, *names: Metric) -> list[cloudwatch.Metric]:
    return [ingestion.ingest.custom_metric(name) for name in names]


def _graph(
    title: str, metrics: Sequence[cloudwatch.IMetric], *, limits: Mapping[str, float] | None = None
) -> cloudwatch.GraphWidget:
    """A third of a row, with a labelled horizontal line for each limit."""
    lines = [cloudwatch.HorizontalAnnotation(value=value, label=label) for label, value in (limits or {}).items()]
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=8, left_annotations=lines or None)
