"""The Lambda handler of the ingest function: an S3 event in, one ingest for each object version that it names."""

import os
import traceback
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from csv_ingest import clients, configuration, events, fanout, ingest, reporting, settle
from csv_ingest.delivery import Delivery
from csv_ingest.model import DeliveryFailed, PartJob, PipelineError, Tuning, UnreadableFile

TIME_TO_REPORT = 1.5
"""Seconds of the timeout kept back, so that an invocation that runs out of time can still say how far it came."""

TUNING = Tuning()

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # Lambda gives the imports a whole processor, and the first delivery its share.
    clients.create()


@reporting.logger.inject_lambda_context(clear_state=True)
@reporting.published()
def handler(event: dict[str, Any], context: LambdaContext, *, tuning: Tuning = TUNING) -> None:
    """Ingest every object version that the event names.

    Returns if every object was ingested, rejected (with a message in the failure queue) or ignored; a log line says
    which. Raises otherwise, so that Lambda retries the event and then sends it to the failure queue: Lambda ignores
    what a handler returns. No error that is raised, nor any in whose handling it was raised, holds contents of a row.
    """
    reporting.count("Deliveries")
    if events.is_test_event(event):
        reporting.ignored("test event")
        return
    failures: list[Exception] = []
    for record in events.records_of(event):
        try:
            handle_record(record, context, tuning)
        except Exception as error:  # noqa: BLE001 - raised again below, once the event's other files had their turn
            failures.append(told(error))
    # Not in the block of an `except`, where the errors would get back what `told` took from them.
    if len(failures) == 1:
        raise failures[0]
    if failures:
        reasons = "; ".join(str(failure) for failure in failures)
        raise ExceptionGroup(f"{len(failures)} records of one event failed: {reasons}", failures)


def handle_record(record: Mapping[str, Any], context: LambdaContext, tuning: Tuning) -> None:
    """Ingest the object version, or the part of it, that one record of an event names."""
    config = configuration.IngestConfig.from_environment()
    if (bucket := events.bucket_of(record)) != config.upload_bucket:
        # Whoever may invoke the function could otherwise have it read any bucket. The console's sample event
        # comes this way too.
        reporting.ignored("foreign bucket", bucket=bucket)
        return
    version, job = events.object_version(record), events.part_job(record)
    delivery = Delivery(
        version,
        config=config,
        function=context.function_name,
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000 - TIME_TO_REPORT,
        tuning=tuning,
        time=config.feed.mode.event_time(record, datetime.now(UTC)),
    )
    part = {"part": job.number, "check": job.is_check} if job else {}
    with (
        closing(delivery),
        reporting.logger.append_context_keys(
            object_key=version.key, etag=version.etag, version_id=version.version_id, **part
        ),
    ):
        try:
            _ingest(delivery, job, record, context)
        except Exception as error:
            reporting.failed(error)
            settle.record_failure(delivery, reason_of(error))
            raise


def _ingest(delivery: Delivery, job: PartJob | None, record: Mapping[str, Any], context: LambdaContext) -> None:
    try:
        outcome = fanout.ingest_part(delivery, job) if job else ingest.ingest_file(delivery)
    except UnreadableFile as error:
        if job:  # the uploader cannot mend it, since the whole file was readable
            raise
        settle.reject(delivery, record, error, context)
    else:
        reporting.ended(delivery.version, job, outcome)


def reason_of(error: Exception) -> str:
    """What the ledger may tell of an error. The pipeline's own messages never hold the contents of a row."""
    return str(error) if isinstance(error, PipelineError) else clients.code_of(error) or type(error).__name__


def told(error: Exception) -> Exception:
    """An error as it may leave the handler: whoever prints it prints those as well in whose handling it was raised.

    They can quote rows, and so can the messages of errors that are not the pipeline's own.
    """
    telling = error if isinstance(error, PipelineError) else _without_message(error)
    telling.__cause__ = telling.__context__ = None
    return telling.with_traceback(error.__traceback__)


def _without_message(error: Exception) -> Exception:
    if isinstance(error, ClientError):
        said: Any = dict(error.response["Error"])
        if not said["Code"].startswith("AccessDenied"):  # those name who may not do what
            said["Message"] = "not shown, since it can quote a row"
        return ClientError({"Error": said}, error.operation_name)
    [*_, place] = traceback.extract_tb(error.__traceback__)
    return DeliveryFailed(f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}")
