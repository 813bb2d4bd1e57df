"""The dashboard: what was ingested, whether the functions keep up, and what it costs."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from .ingest_function import IngestFunction
from .ingestion import Ingestion


class Dashboard(cloudwatch.Dashboard):
    """Three rows of graphs for a single feed. Several feeds have three rows each, below one row of what they share."""

    def __init__(self, scope: Construct, id_: str, *, ingestion: Ingestion) -> None:
        several = len(ingestion.ingest) > 1
        super().__init__(scope, id_, widgets=(_several_feeds if several else _one_feed)(ingestion))


def _one_feed(ingestion: Ingestion) -> list[list[cloudwatch.IWidget]]:
    [ingest] = ingestion.ingest
    storage = ingestion.storage
    capacity = [*storage.rows_capacity(ingest.feed), storage.files_capacity()]
    return [
        [*_files_and_rows(ingest), _graph("Not settled", _not_settled(ingestion))],
        _function(ingest, failing=[ingestion.sweep.lambda_metric("Errors")]),
        _costs(ingest, capacity),
    ]


def _several_feeds(ingestion: Ingestion) -> list[list[cloudwatch.IWidget]]:
    shared: list[cloudwatch.IWidget] = [
        _graph("Not settled", _not_settled(ingestion)),
        _graph("Failing sweeps", [ingestion.sweep.lambda_metric("Errors")]),
        _graph("Write capacity consumed by the ledger", [ingestion.storage.files_capacity()]),
    ]
    rows = [shared]
    for ingest in ingestion.ingest:
        title = f"{ingest.feed.name}: "
        rows += [
            _files_and_rows(ingest, title),
            _function(ingest, title=title),
            _costs(ingest, ingestion.storage.rows_capacity(ingest.feed), title),
        ]
    return rows


def _not_settled(ingestion: Ingestion) -> list[cloudwatch.Metric]:
    unsettled = ingestion.sweep.custom_metric("UnsettledFiles", "Maximum", Duration.hours(1))
    ignored = ingestion.sweep.custom_metric("ObjectsIgnored", "Maximum", Duration.hours(1))
    return [ingestion.failures.waiting_events(), unsettled, ignored]


def _files_and_rows(ingest: IngestFunction, title: str = "") -> list[cloudwatch.IWidget]:
    files = ingest.custom_metrics(
        "FilesComplete", "PartsComplete", "FilesRejected", "FilesSettledBefore", "DeliveriesIgnored"
    )
    rows = ingest.custom_metrics("RowsRead", "RowsStored", "RowsAlreadyPresent", "RowsRejected")
    if ingest.feed.mode.supersedes:
        rows += ingest.custom_metrics("RowsSuperseded")
    return [_graph(f"{title}Files", files), _graph(f"{title}Rows", rows)]


def _function(
    ingest: IngestFunction, *, failing: Sequence[cloudwatch.IMetric] = (), title: str = ""
) -> list[cloudwatch.IWidget]:
    """`failing` is shown beside the function's own errors."""
    reserved = ingest.feed.reserved_concurrency
    return [
        _graph(
            f"{title}Duration against the timeout",
            [ingest.lambda_metric("Duration", statistic) for statistic in ("p50", "p99")],
            limits={"timeout": ingest.feed.timeout_seconds * 1000},
        ),
        _graph(
            f"{title}Concurrency against the reservation",
            [ingest.lambda_metric("ConcurrentExecutions", "Maximum"), ingest.lambda_metric("Throttles")],
            limits={"reserved": reserved} if reserved else {},
        ),
        _graph(
            f"{title}Waiting and failing",
            [ingest.lambda_metric("AsyncEventAge", "Maximum"), ingest.lambda_metric("Errors"), *failing],
        ),
    ]


def _costs(ingest: IngestFunction, capacity: Sequence[cloudwatch.IMetric], title: str = "") -> list[cloudwatch.IWidget]:
    deliveries = [ingest.custom_metric("Deliveries"), ingest.lambda_metric("Invocations")]
    failed = ingest.custom_metrics("ConnectionsFailed")
    return [
        *([_graph(f"{title}Write capacity consumed", capacity)] if capacity else []),
        *([_graph(f"{title}Connections that failed", failed)] if ingest.feed.is_postgresql else []),
        _graph(f"{title}Deliveries, what is paid for", deliveries),
    ]


def _graph(
    title: str, metrics: Sequence[cloudwatch.IMetric], *, limits: Mapping[str, float] | None = None
) -> cloudwatch.GraphWidget:
    """A third of a row, with a labelled horizontal line for each limit."""
    lines = [cloudwatch.HorizontalAnnotation(value=value, label=label) for label, value in (limits or {}).items()]
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=8, left_annotations=lines or None)
