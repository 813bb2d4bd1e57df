"""The hourly sweep: finds uploads that never settled, and delivers them again."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from csv_ingest import aws
from csv_ingest.contract import Metric
from csv_ingest.errors import OutOfTime
from csv_ingest.events import ObjectVersion, upload_event
from csv_ingest.ledger import SETTLED, FileRecord
from csv_ingest.settings import SweepSettings
from csv_ingest.uploads import list_uploads, with_records

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

GRACE = timedelta(hours=1)
"""How long an upload may take until it counts as unsettled: its event, two retries, and some waiting."""

PARTS_GRACE = timedelta(hours=5)
"""And how much longer, if it is delivered in parts: six hours is as old as Lambda lets an event become."""

MAX_DELIVERIES = 100
"""In one run: a thousand lost events must not become a thousand invocations at once."""

TIME_TO_REPORT = 10
"""Seconds of the timeout kept back."""

logger = Logger()
metrics = Metrics()


class Swept(NamedTuple):
    """What a run found and did."""

    uploads: int
    unsettled: int
    delivered: int


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(_event: dict[str, Any], context: LambdaContext) -> None:
    """Look at every upload once. The schedule's event says nothing."""
    swept = sweep(
        settings=aws.sweep_settings(),
        s3=aws.s3(),
        dynamodb=aws.dynamodb(),
        lambda_=aws.lambda_(),
        before=datetime.now(UTC) - GRACE,
        time_left=lambda: context.get_remaining_time_in_millis() / 1000 - TIME_TO_REPORT,
    )
    logger.info("swept", extra=swept._asdict())
    name: Metric = "UnsettledFiles"
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=swept.unsettled)


def sweep(
    *,
    settings: SweepSettings,
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    lambda_: "LambdaClient",
    before: datetime,
    time_left: Callable[[], float],
) -> Swept:
    """Deliver again what was uploaded before a time and is neither complete nor rejected, at most 100 a run.

    The bucket is the truth: also an upload that the ledger has never heard of is found. Nothing is remembered from run
    to run, so that nothing can be remembered wrongly. Raises OutOfTime when `time_left()` (seconds) is used up before
    the last upload was looked at: a number that is too small would be taken for good news.
    """
    suffixes = settings.key_suffixes.split(",")
    uploads = list_uploads(s3, settings.upload_bucket, prefix=settings.key_prefix, suffixes=suffixes)
    old = (upload for upload in uploads if upload.modified < before)
    seen = 0
    unsettled: dict[tuple[str, str], ObjectVersion] = {}
    for upload, record in with_records(dynamodb, settings.files_table, old, time_left=time_left):
        seen += 1
        if time_left() <= 0:
            raise OutOfTime(f"after {seen:,} uploads, {len(unsettled):,} of them unsettled")
        if record.status not in SETTLED and not _is_under_way(record, before):
            unsettled[upload.version.key, upload.version.etag] = upload.version
    # By chance, or a hundred files that fail for ever would keep all others waiting for ever.
    chosen = random.sample(list(unsettled.values()), min(len(unsettled), MAX_DELIVERIES))
    for version in chosen:
        payload = json.dumps(upload_event(version)).encode()
        lambda_.invoke(FunctionName=settings.ingest_function, InvocationType="Event", Payload=payload)
    return Swept(seen, len(unsettled), len(chosen))


def _is_under_way(record: FileRecord, before: datetime) -> bool:
    """Whether parts of a file may still be in Lambda's queue. More of them would only delay each other."""
    return bool(record.parts and record.started_at and record.started_at > before - PARTS_GRACE)
