"""The failure queue, looked at: nothing is delivered or deleted here."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus

from csv_ingest.events import object_version, part_job
from csv_ingest.model import MalformedEvent, ObjectVersion, PartJob
from ops.pipeline import Pipeline

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

HIDE_SECONDS = 300
"""How long a message is hidden from others while `failures` looks through the queue."""

PEEK_SECONDS = 30
PEEK_MESSAGES = 100
"""A peek hides at most so many messages, for so long at most."""

FRUITLESS = 10
"""After so many answers without a new message, every message was seen."""

NO_REASON = "throttled, paused or killed before it could tell"
"""What is said of a failure without a reason: Lambda gives none if the function did not run, or not to its end."""


class Subject(NamedTuple):
    """What an event is about."""

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
    """Empty for the event of a schedule."""
    function: str = ""
    """The name of the function that failed."""

    @property
    def keys(self) -> list[str]:
        """Of the objects that the event names, and which part of one."""
        return list(map(str, self.subjects))

    @property
    def versions(self) -> list[ObjectVersion]:
        """The object versions that the event names."""
        return [subject.version for subject in self.subjects if subject.version]


def failures(pipeline: Pipeline, *, hide_seconds: int = HIDE_SECONDS) -> Iterator[Failure]:
    """Yield each message that was in the queue at the beginning, once; others do not see it for five minutes.

    Messages sent since are left for the next time: a redriven event that fails again would be redriven for ever. The
    time is that of SQS, because the clock of this machine may be wrong.
    """
    begun = clock(pipeline).timestamp()
    seen: set[str] = set()
    events: set[str] = set()
    later: list[Failure] = []
    fruitless = 0
    try:
        while fruitless < FRUITLESS and (received := _receive(pipeline, hide_seconds)):
            new = [failure for failure in received if failure.id not in seen]
            later += [failure for failure in received if failure.id in seen]  # it came back after five minutes
            fruitless = 0 if new else fruitless + 1
            for failure in new:
                seen.add(failure.id)
                event = json.dumps(failure.event, sort_keys=True)
                age = begun - failure.sent_at.timestamp()
                # Within the first second, an event seen twice is taken for the redriven event that failed again.
                if age > 0 or (age > -1 and event not in events):
                    events.add(event)
                    yield failure
                else:
                    later.append(failure)
    finally:
        for failure in later:
            put_back(pipeline, failure)


def peek(pipeline: Pipeline) -> list[Failure]:
    """At most a hundred messages of the queue, which are visible to others again on return.

    SQS counts a look as a receipt, and stops reporting the age of a message after three of them.
    """
    found: list[Failure] = []
    try:
        found.extend(islice(failures(pipeline, hide_seconds=PEEK_SECONDS), PEEK_MESSAGES))
    finally:
        for failure in found:
            put_back(pipeline, failure)
    return found


def count(pipeline: Pipeline) -> int:
    """How many messages are in the queue and not in other hands, about; asking is no receipt."""
    answer = pipeline.sqs.get_queue_attributes(
        QueueUrl=pipeline.failure_queue, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def clock(pipeline: Pipeline) -> datetime:
    """Now, on the clock of SQS, which tells whole seconds."""
    answer = pipeline.sqs.get_queue_attributes(QueueUrl=pipeline.failure_queue, AttributeNames=["QueueArn"])
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])


def put_back(pipeline: Pipeline, failure: Failure) -> None:
    """Make a message visible again, now rather than after its five minutes."""
    # It may be visible already, or in other hands; in both cases it is not lost.
    with suppress(pipeline.sqs.exceptions.MessageNotInflight, pipeline.sqs.exceptions.ReceiptHandleIsInvalid):
        pipeline.sqs.change_message_visibility(
            QueueUrl=pipeline.failure_queue, ReceiptHandle=failure.receipt, VisibilityTimeout=0
        )


def _receive(pipeline: Pipeline, hide_seconds: int) -> list[Failure]:
    answer = pipeline.sqs.receive_message(
        QueueUrl=pipeline.failure_queue,
        MaxNumberOfMessages=10,
        VisibilityTimeout=hide_seconds,
        WaitTimeSeconds=1,
        MessageSystemAttributeNames=["SentTimestamp"],
    )
    return [_failure(message) for message in answer.get("Messages", [])]


def _failure(message: "MessageTypeDef") -> Failure:
    sent_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    id_, receipt = message["MessageId"], message["ReceiptHandle"]
    try:
        record = json.loads(message["Body"])
        event, context = record["requestPayload"], record["requestContext"]
        payload = record.get("responsePayload") or {}
        return Failure(
            id_,
            receipt,
            sent_at,
            condition=str(context["condition"]),
            reason=str(payload.get("errorMessage", "")),
            event=event,
            subjects=[_subject(each) for each in event.get("Records", [])],
            function=_name_of(context["functionArn"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, MalformedEvent) as error:
        return Failure(id_, receipt, sent_at, "unreadable", f"not a failure record: {error!r}")


def _subject(record: dict[str, Any]) -> Subject:
    version = None
    with suppress(MalformedEvent):
        version = object_version(record)
    return Subject(unquote_plus(record["s3"]["object"]["key"]), part_job(record), version)


def _name_of(arn: str) -> str:
    """The name in a function's ARN, `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, which may end with a version."""
    parts = arn.split(":")
    return parts[6] if len(parts) > 6 else arn  # noqa: PLR2004 - where the name is
