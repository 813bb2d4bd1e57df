"""What the functions log and count. Row contents and reasons that may quote them are never among it."""

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


def ignored(reason: str, **details: str) -> None:
    """Report a delivery that is no upload of this pipeline."""
    logger.info("ignored", extra={"reason": reason, **details})
    count("DeliveriesIgnored")


def rejected(version: ObjectVersion) -> None:
    """Report a file that cannot be read. Not the reason: it may name columns, which can be somebody's first row."""
    logger.warning("rejected", extra={"size": version.size})
    count("FilesRejected")


def ended(version: ObjectVersion, job: PartJob | None, outcome: Outcome) -> None:
    """Report what a delivery of a file, or of a part of it, came to."""
    size = {"size": version.size}
    present = {"already_present": outcome.already_present}
    # Also for what was complete already: its first delivery may have been killed before it could tell.
    count("RowsRejected", outcome.counts.rejected)
    if outcome.already_complete:
        logger.info("settled before", extra=size)
        count("FilesSettledBefore")
    elif job:
        logger.info("part complete", extra=outcome.counts._asdict() | present)
        count("PartsComplete")
    if not outcome.already_complete and not (job and job.is_check):
        count("RowsRead", outcome.counts.read)
        count("RowsStored", outcome.counts.stored)
        count("RowsAlreadyPresent", outcome.already_present)
        if outcome.counts.superseded:
            count("RowsSuperseded", outcome.counts.superseded)
    if outcome.parts_dispatched:
        logger.info("parts dispatched", extra=size | {"parts": outcome.parts_dispatched})
    if outcome.settled:
        logger.info("complete", extra=size | outcome.settled._asdict() | present)
        count("FilesComplete")
