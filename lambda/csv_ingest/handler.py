"""The Lambda handler: an S3 event in, one ingest for each object that it names. It adapts, it decides nothing."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from csv_ingest import aws
from csv_ingest.contract import Metric
from csv_ingest.errors import UnreadableFile
from csv_ingest.events import (
    ObjectVersion,
    Task,
    bucket_of,
    is_test_event,
    object_version,
    records_of,
    rejection,
    task_of,
)
from csv_ingest.ingest import Delivery, Outcome
from csv_ingest.ledger import Ledger

logger = Logger()
metrics = Metrics()

TIME_TO_REPORT = 1.5
"""Seconds of the timeout kept back, so that an invocation that runs out of time can still say how far it came."""


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Ingest every object version that the event names.

    Returns only if each of them is complete, or rejected with a message in the failure queue, or none of ours; a log
    line says which. Everything else is raised, so that Lambda retries the event and then sends it to the failure
    queue: what a handler returns, Lambda ignores.
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
        reasons = "; ".join(str(failure) for failure in failures)
        raise ExceptionGroup(f"{len(failures)} records of one event failed: {reasons}", failures)


def _deliver(record: Mapping[str, Any], context: LambdaContext) -> None:
    settings = aws.settings()
    if (bucket := bucket_of(record)) != settings.upload_bucket:
        # Whoever may invoke the function could otherwise have it read any bucket. The console's sample event
        # comes this way too.
        _ignore("foreign bucket", bucket=bucket)
        return
    version, task = object_version(record), task_of(record)
    delivery = Delivery(
        version=version,
        settings=settings,
        s3=aws.s3(),
        dynamodb=aws.dynamodb(),
        lambda_=aws.lambda_,
        function=context.function_name,
        time_left=lambda: context.get_remaining_time_in_millis() / 1000 - TIME_TO_REPORT,
    )
    with logger.append_context_keys(
        object_key=version.key, etag=version.etag, version_id=version.version_id, **(task._asdict() if task else {})
    ):
        try:
            _report(version, task, delivery.of_part(task) if task else delivery.of_file())
        except UnreadableFile as error:
            if task:
                raise  # the whole file was found to be readable: this is not for its uploader to mend
            _reject(version, record, str(error), context)
        except Exception as error:
            # Lambda's own report has no object: this line says which one it was.
            logger.warning("failed", extra={"error": type(error).__name__})
            raise


def _report(version: ObjectVersion, task: Task | None, outcome: Outcome) -> None:
    tally = outcome.tally
    # Also for what was settled before: its first delivery may have been killed before it could tell.
    _count("RowsRejected", tally.rejected)
    if outcome.settled_before:
        logger.info("settled before", extra={"size": version.size})
        _count("FilesSettledBefore")
    elif task:
        logger.info("part complete", extra={**tally._asdict(), "already_present": outcome.already_present})
        _count("PartsComplete")
    if not outcome.settled_before and not (task and task.check):
        _count("RowsRead", tally.read)
        _count("RowsStored", tally.stored)
        _count("RowsAlreadyPresent", outcome.already_present)
    if outcome.delivered:
        logger.info("delivered in parts", extra={"size": version.size, "parts": outcome.delivered})
    if outcome.settled:
        extra = {"size": version.size, **outcome.settled._asdict(), "already_present": outcome.already_present}
        logger.info("complete", extra=extra)
        _count("FilesComplete")


def _reject(version: ObjectVersion, record: Mapping[str, Any], reason: str, context: LambdaContext) -> None:
    """Tell whoever watches the failure queue, then the ledger.

    In this order: killed in between, the next delivery sends a second message. The other way round, it could send none.
    """
    settings = aws.settings()
    message = rejection(
        record,
        reason,
        function_arn=context.invoked_function_arn,
        request_id=context.aws_request_id,
        now=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )
    aws.sqs().send_message(QueueUrl=settings.failure_queue, MessageBody=json.dumps(message))
    ledger = Ledger(aws.dynamodb(), settings.files_table, version, time_left=lambda: 0)
    ledger.reject_file(reason)
    # Without the reason: it may name columns, and without a header those are somebody's first row.
    logger.warning("rejected", extra={"size": version.size})
    _count("FilesRejected")


def _ignore(reason: str, **details: str) -> None:
    logger.info("ignored", extra={"reason": reason, **details})
    _count("DeliveriesIgnored")


def _count(name: Metric, value: int = 1) -> None:
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
