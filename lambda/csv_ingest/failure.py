"""One message of the failure queue: what failed, and why. Who may send to the queue can write anything into it."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus

from csv_ingest import events
from csv_ingest.model import MalformedEvent, ObjectVersion, PartJob

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

REJECTION = "Rejected"
"""The condition of a message about a file that can never be read, which the ingest function sends."""

NOT_INVOKED = "NotInvoked"
"""The condition of a message of EventBridge, which could not invoke the function for a day."""

CONDITIONS = (
    REJECTION,
    NOT_INVOKED,
    "RetriesExhausted",
    "EventAgeExceeded",
    "ZeroReservedConcurrency",
    "RetryAttemptsExhausted",
    "MaximumRecordAgeExceeded",
)
"""Those that occur. The others are Lambda's: deliveries failed three times, an event waited for more than six hours, or
came during a pause; the last two are of batches of the ledger's stream."""

NO_REASON = "throttled, paused or killed before it could tell"
"""The reason that is shown where Lambda gives none: the function did not run, or not to its end."""


_BATCH = "DDBStreamBatchInfo"

MAX_KEY = 1_024
"""Bytes. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""


class Subject(NamedTuple):
    """The object, or the part of it, that an event is about."""

    key: str
    part: PartJob | None
    """None if it is about the whole object."""
    version: ObjectVersion | None
    """None if the event does not name one."""

    def __str__(self) -> str:
        if not self.part:
            return self.key
        return f"{self.key} (part {self.part.number}{', check' if self.part.is_check else ''})"


@dataclass(frozen=True)
class Failure:
    """One message of the failure queue, written by Lambda or by the ingest function."""

    id: str
    receipt: str
    sent_at: datetime
    condition: str
    reason: str
    """Empty if Lambda gives none."""
    event: dict[str, Any] | None = None
    """None if the message is not a failure record; then it is never delivered and never deleted."""
    subjects: list[Subject] = field(default_factory=list)
    """Empty for the event of a schedule, and of an outcome that could not be told."""
    outcome_of: str = ""
    """The key of the object whose outcome could not be told."""
    function: str = ""

    @property
    def keys(self) -> list[str]:
        """Of the objects that the event names, and which part of one."""
        return [self.outcome_of] if self.outcome_of else list(map(str, self.subjects))

    @property
    def versions(self) -> list[ObjectVersion]:
        return [subject.version for subject in self.subjects if subject.version]


def failure_of(message: "MessageTypeDef") -> Failure:
    """Read a message; any content gives a failure."""
    sent_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    id_, receipt = message["MessageId"], message["ReceiptHandle"]
    try:
        record = json.loads(message["Body"])
        if events.is_of_eventbridge(record):  # which puts the event itself into its dead-letter queue
            subjects = list(map(_subject, events.records_of(record)))
            return Failure(id_, receipt, sent_at, NOT_INVOKED, "", event=record, subjects=subjects)
        context = record["requestContext"]
        event = _event_of_batch(record[_BATCH]) if _BATCH in record else record["requestPayload"]
        payload = record.get("responsePayload") or {}
        return Failure(
            id_,
            receipt,
            sent_at,
            condition=str(context["condition"]),
            reason=str(payload.get("errorMessage", "")),
            event=event,
            subjects=[_subject(each) for each in _records_of(event)],
            outcome_of=_outcome_of(event),
            function=_name_of_function(context["functionArn"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, MalformedEvent) as error:
        return Failure(id_, receipt, sent_at, "unreadable", f"not a failure record: {error!r}")


def _records_of(event: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Of an event about uploads; none of another one."""
    is_upload = "Records" in event or events.is_of_eventbridge(event)
    return events.records_of(event) if is_upload else []


def _subject(record: Mapping[str, Any]) -> Subject:
    version, key = None, unquote_plus(record["s3"]["object"]["key"])
    if len(key.encode(errors="replace")) > MAX_KEY:
        raise MalformedEvent("the key of a record is longer than any of S3's")
    with suppress(MalformedEvent):
        version = events.object_version(record)
    return Subject(key, events.part_job(record), version)


def _event_of_batch(batch: Mapping[str, Any]) -> dict[str, Any]:
    """The notifier's event for a batch of the stream, of which Lambda records no data: all outcomes of its time.

    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    first, last = (batch[f"approximateArrivalOf{which}Record"] for which in ("First", "Last"))
    return {"again": {"since": first, "until": last}}


def _outcome_of(event: Mapping[str, Any]) -> str:
    """The object key in an event of the notifier for itself; empty if it is about a time."""
    if change := event.get("change"):
        return str(change["dynamodb"]["Keys"]["object_key"]["S"])
    return str((event.get("rejects") or event.get("again") or {}).get("object_key", ""))


def _name_of_function(arn: str) -> str:
    """The name in a function's ARN, `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, which may end with a version."""
    return next(iter(arn.split(":")[6:]), arn)
