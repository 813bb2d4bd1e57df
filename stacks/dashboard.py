"""The dashboard: what was ingested, whether the functions keep up, and what it costs."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from csv_ingest.metrics import Metric
from csv_ingest.table_keys import ROWS_INDEX
from stacks.ingest_function import IngestFunction
from stacks.ingestion import Ingestion


class Dashboard(cloudwatch.Dashboard):
    """Three rows of graphs for a single feed. Several feeds have three rows each, below one row of what they share."""

    def __init__(self, scope: Construct, id_: str, *, ingestion: Ingestion) -> None:
        several = len(ingestion.ingest) > 1
        super().__init__(scope, id_, widgets=(_several_feeds if several else _one_feed)(ingestion))


def _one_feed(ingestion: Ingestion) -> list[list[cloudwatch.IWidget]]:
    [ingest] = ingestion.ingest
    capacity = [*_rows_capacity(ingestion, ingest), _write_capacity(ingestion.storage.files, "files")]
    return [
        [*_files_and_rows(ingest), _graph("Not settled", _not_settled(ingestion))],
        _function(ingest, failing=[ingestion.sweep.lambda_metric("Errors")]),
        _costs(ingest, capacity),
    ]


def _several_feeds(ingestion: Ingestion) -> list[list[cloudwatch.IWidget]]:
    shared: list[cloudwatch.IWidget] = [
        _graph("Not settled", _not_settled(ingestion)),
        _graph("Failing sweeps", [ingestion.sweep.lambda_metric("Errors")]),
        _graph("Write capacity consumed by the ledger", [_write_capacity(ingestion.storage.files, "files")]),
    ]
    rows = [shared]
    for ingest in ingestion.ingest:
        title = f"{ingest.feed.name}: "
        rows += [
            _files_and_rows(ingest, title),
            _function(ingest, title=title),
            _costs(ingest, _rows_capacity(ingestion, ingest), title),
        ]
    return rows


def _not_settled(ingestion: Ingestion) -> list[cloudwatch.Metric]:
    unsettled = ingestion.sweep.custom_metric("UnsettledFiles", "Maximum", Duration.hours(1))
    ignored = ingestion.sweep.custom_metric("ObjectsIgnored", "Maximum", Duration.hours(1))
    return [ingestion.failures.waiting_events(), unsettled, ignored]


def _files_and_rows(ingest: IngestFunction, title: str = "") -> list[cloudwatch.IWidget]:
    return [
        _graph(
            f"{title}Files",
            _custom_metrics(
                ingest, "FilesComplete", "PartsComplete", "FilesRejected", "FilesSettledBefore", "DeliveriesIgnored"
            ),
        ),
        _graph(f"{title}Rows", _custom_metrics(ingest, *_rows_by_outcome(ingest))),
    ]


def _rows_by_outcome(ingest: IngestFunction) -> list[Metric]:
    superseded: list[Metric] = ["RowsSuperseded"] if ingest.feed.mode.supersedes else []
    return ["RowsRead", "RowsStored", "RowsAlreadyPresent", "RowsRejected", *superseded]


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


def _rows_capacity(ingestion: Ingestion, ingest: IngestFunction) -> list[cloudwatch.IMetric]:
    """Of the DynamoDB table of a feed, and of its index, if it has one. A PostgreSQL feed has neither."""
    if ingest.feed.is_postgresql:
        return []
    table = ingestion.storage.tables[ingest.feed.name]
    rows = _write_capacity(table, "rows")
    of_index = {"TableName": table.table_name, "GlobalSecondaryIndexName": ROWS_INDEX}
    return [rows, *([rows.with_(dimensions_map=of_index, label="index")] if ingest.feed.file_index else [])]


def _costs(ingest: IngestFunction, capacity: Sequence[cloudwatch.IMetric], title: str = "") -> list[cloudwatch.IWidget]:
    deliveries = [*_custom_metrics(ingest, "Deliveries"), ingest.lambda_metric("Invocations")]
    failed = _custom_metrics(ingest, "ConnectionsFailed")
    return [
        *([_graph(f"{title}Write capacity consumed", capacity)] if capacity else []),
        *([_graph(f"{title}Connections that failed", failed)] if ingest.feed.is_postgresql else []),
        _graph(f"{title}Deliveries, what is paid for", deliveries),
    ]


def _write_capacity(table: dynamodb.ITable, label: str) -> cloudwatch.Metric:
    return table.metric_consumed_write_capacity_units(period=Duration.minutes(5), label=label)


def _custom_metrics(ingest: IngestFunction, *names: Metric) -> list[cloudwatch.Metric]:
    return [ingest.custom_metric(name) for name in names]


def _graph(
    title: str, metrics: Sequence[cloudwatch.IMetric], *, limits: Mapping[str, float] | None = None
) -> cloudwatch.GraphWidget:
    """A third of a row, with a labelled horizontal line for each limit."""
    lines = [cloudwatch.HorizontalAnnotation(value=value, label=label) for label, value in (limits or {}).items()]
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=8, left_annotations=lines or None)
