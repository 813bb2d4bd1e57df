"""The Lambda handler: an S3 event in, one ingest for each object that it names. It adapts, it decides nothing."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from csv_ingest import aws
from csv_ingest.events import bucket_of, is_test_event, object_version, records_of
from csv_ingest.ingest import ingest

logger = Logger()
metrics = Metrics()

TIME_TO_REPORT = 1.5
"""Seconds of the timeout kept back, so that an invocation that runs out of time can still say so."""


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Ingest every object version that the event names.

    Returns only if each of them is settled, or is none of ours; a log line says which. Everything else is raised, so
    that Lambda retries the event and then sends it to the failure queue: what a handler returns, Lambda ignores.
    """
    _count("Deliveries")
    if is_test_event(event):
        _ignore("test event")
        return
    failures: list[Exception] = []
    for record in records_of(event):
        try:
            _deliver(record, context)
        except Exception as error:  # noqa: BLE001 - raised again below, once the event's other files had their turn
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup(f"{len(failures)} records of one event failed", failures)


def _deliver(record: Mapping[str, Any], context: LambdaContext) -> None:
    settings = aws.settings()
    if (bucket := bucket_of(record)) != settings.upload_bucket:
        # Whoever may invoke the function could otherwise have it read any bucket. The console's sample event
        # comes this way too.
        _ignore("foreign bucket", bucket=bucket)
        return
    version = object_version(record)
    with logger.append_context_keys(object_key=version.key, etag=version.etag, version_id=version.version_id):
        tally = ingest(
            version,
            settings=settings,
            s3=aws.s3(),
            dynamodb=aws.dynamodb(),
            time_left=lambda: context.get_remaining_time_in_millis() / 1000 - TIME_TO_REPORT,
        )
        if tally is None:
            logger.info("settled before", extra={"size": version.size})
            _count("FilesSettledBefore")
            return
        logger.info("complete", extra={"size": version.size, **tally._asdict()})
        _count("FilesComplete")
        _count("RowsRead", tally.read)
        _count("RowsStored", tally.stored)
        _count("RowsAlreadyPresent", tally.already_present)
        _count("RowsRejected", tally.rejected)


def _ignore(reason: str, **details: str) -> None:
    logger.info("ignored", extra={"reason": reason, **details})
    _count("DeliveriesIgnored")


def _count(name: str, value: int = 1) -> None:
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
