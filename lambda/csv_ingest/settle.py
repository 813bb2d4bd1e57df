"""How a file is settled: the one place that completes or rejects it. And what is recorded if neither can be done."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from csv_ingest import clients, events, ledger, reporting
from csv_ingest.delivery import Delivery
from csv_ingest.model import Outcome, RowCounts, RowsNotWritten, UnreadableFile


def complete(delivery: Delivery, file: ledger.FileLedger, counts: RowCounts) -> Outcome:
    """Settle a file as complete. Each row has to be confirmed by the destination, or recorded as rejected.

    The destination is told first: killed in between, the next delivery tells it again. The other way round, none would.
    """
    delivery.destination.mark_complete(delivery.complete_file(file.record, counts))
    file.complete(counts)
    return Outcome(settled=counts)


def reject(delivery: Delivery, record: Mapping[str, Any], error: UnreadableFile, context: LambdaContext) -> None:
    """Send the failure queue a message about a file that cannot be read, then settle the file as rejected.

    In this order: killed in between, the next delivery sends a second message. The other way round, it could send none.
    """
    message = events.rejection(
        record,
        str(error),
        function_arn=context.invoked_function_arn,
        version=context.function_version,
        request_id=context.aws_request_id,
        now=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )
    clients.sqs().send_message(QueueUrl=delivery.config.failure_queue, MessageBody=json.dumps(message))
    delivery.read_ledger().reject(str(error), delivery.uploaded_at)
    reporting.rejected(delivery.version)


def record_failure(delivery: Delivery, reason: str) -> None:
    """Record why a delivery failed, as far as that can be recorded: the error itself is what must be told."""
    with suppress(RowsNotWritten, ClientError, BotoCoreError):
        delivery.read_ledger().record_error(reason)
