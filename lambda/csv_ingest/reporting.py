"""What the functions log and count. Row contents and reasons that may quote them are never among it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from csv_ingest.metrics import NAMESPACE, Metric, service_of
from csv_ingest.model import ObjectVersion, Outcome, PartJob

logger = Logger()
metrics = Metrics()


def count(name: Metric, value: int = 1) -> None:
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def count_for_feed(name: Metric, feed: str, value: int) -> None:
    """Count for a feed what another function than the feed's own counts."""
    service = service_of(str(metrics.service), feed)
    with single_metric(
        name=name,
        unit=MetricUnit.Count,
        value=value,
        namespace=NAMESPACE,
        default_dimensions={"service": service},
    ):
        pass


@contextmanager
def published() -> Iterator[None]:
    """Publish what was counted in a block, and what no line about a delivery has carried, however the block ends."""
    try:
        yield
    finally:
        if metrics.metric_set:
            metrics.flush_metrics()


def ignored(reason: str, **details: str) -> None:
    """Report a delivery that is no upload of this pipeline."""
    count("DeliveriesIgnored")
    logger.info("ignored", extra={"reason": reason, **details, **_counted()})


def rejected(version: ObjectVersion) -> None:
    """Report a file that cannot be read. Not the reason: it may name columns, which can be somebody's first row."""
    count("FilesRejected")
    logger.warning("rejected", extra={"size": version.size, **_counted()})


def failed(error: Exception) -> None:
    """Report a delivery that failed. Lambda's own report has no object: this line says which one it was."""
    logger.warning("failed", extra={"error": type(error).__name__, **_counted()})


def ended(version: ObjectVersion, job: PartJob | None, outcome: Outcome) -> None:
    """Report what a delivery of a file, or of a part of it, came to: in one line, which carries the metrics."""
    about: dict[str, Any] = {"size": version.size}
    present = {"already_present": outcome.already_present}
    # Also for what was complete already: its first delivery may have been killed before it could tell.
    count("RowsRejected", outcome.counts.rejected)
    message = "settled before"
    if outcome.already_complete:
        count("FilesSettledBefore")
    elif job:
        message, about = "part complete", about | outcome.counts._asdict() | present
        count("PartsComplete")
    if not outcome.already_complete and not (job and job.is_check):
        count("RowsRead", outcome.counts.read)
        count("RowsStored", outcome.counts.stored)
        count("RowsAlreadyPresent", outcome.already_present)
        if outcome.counts.superseded:
            count("RowsSuperseded", outcome.counts.superseded)
    if outcome.parts_dispatched:
        message, about = "parts dispatched", about | {"parts": outcome.parts_dispatched}
    if outcome.settled:
        message, about = "complete", about | outcome.settled._asdict() | present
        count("FilesComplete")
    logger.info(message, extra=about | _counted())


def _counted() -> dict[str, Any]:
    """What was counted so far, as fields of a log record from which CloudWatch makes metrics; it is not counted again.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    if not metrics.metric_set:  # of the second record of an event, which failed
        return {}
    counted = dict(metrics.serialize_metric_set())
    metrics.clear_metrics()
    return counted
