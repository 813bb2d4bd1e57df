"""The failure queue: what is in it, and its events delivered again."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from csv_ingest.events import part_job
from csv_ingest.model import MalformedEvent
from ops.pipeline import Pipeline

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

HIDE_SECONDS = 300
"""How long a message is hidden from others while `failures` looks through the queue."""


@dataclass(frozen=True)
class Failure:
    """One message of the failure queue, written by Lambda or by the ingest function."""

    id: str
    receipt: str
    keys: list[str]
    """Of the objects that its event names, and which part of one; empty for the event of a schedule."""
    condition: str
    reason: str
    event: dict[str, Any] | None
    """None if the message is not a failure record; then it is never delivered and never deleted."""
    function: str | None


class Redriven(NamedTuple):
    """What was done with one message."""

    failure: Failure
    action: str
    """`delivered`, `discarded`, `kept`, or `failed: ` and why."""

    @property
    def is_good(self) -> bool:
        """Whether the message is gone from the queue."""
        return self.action in ("delivered", "discarded")


def redrive_all(
    pipeline: Pipeline, *, key_prefix: str = "", dry_run: bool = False, discard: bool = False
) -> list[Redriven]:
    """Deliver the events of the failure queue again, or delete them; returns what was done with each message.

    Only events of objects whose key starts with the prefix. What was not delivered or deleted stays in the queue, and
    is visible to others again on return; if an error ends this early, within five minutes.
    """
    done: list[Redriven] = []
    kept: list[Failure] = []
    try:
        for failure in failures(pipeline):
            if key_prefix and not any(key.startswith(key_prefix) for key in failure.keys):
                kept.append(failure)
                continue
            redriven = Redriven(failure, "kept" if dry_run else _settle(pipeline, failure, discard=discard))
            if not redriven.is_good:
                kept.append(failure)
            done.append(redriven)
    finally:
        for failure in kept:
            put_back(pipeline, failure)
    return done


def _settle(pipeline: Pipeline, failure: Failure, *, discard: bool) -> str:
    """Deliver or delete one message; what was done. A message that cannot be delivered must not keep the others."""
    if failure.event is None:
        return "kept"
    if discard:
        delete(pipeline, failure)
        return "discarded"
    try:
        redrive(pipeline, failure)
    except ClientError as error:
        return f"failed: {error}"
    return "delivered"


def failures(pipeline: Pipeline, *, hide_seconds: int = HIDE_SECONDS) -> Iterator[Failure]:
    """Yield each message that was in the queue at the beginning, once; others do not see it for five minutes.

    Messages sent since are left for the next time: a redriven event that fails again would be redriven for ever. The
    time is that of SQS, because the clock of this machine may be wrong.
    """
    begun = _clock_of_sqs(pipeline)
    seen: set[str] = set()
    events: set[str] = set()
    later: list[Failure] = []
    try:
        while messages := pipeline.sqs.receive_message(
            QueueUrl=pipeline.failure_queue,
            MaxNumberOfMessages=10,
            VisibilityTimeout=hide_seconds,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["SentTimestamp"],
        ).get("Messages"):
            for message in messages:
                failure = _failure(message)
                if failure.id in seen:  # five minutes have passed: all messages were seen
                    later.append(failure)
                    return
                seen.add(failure.id)
                event = json.dumps(failure.event, sort_keys=True)
                sent = int(message["Attributes"]["SentTimestamp"])
                # Within the first second, an event seen twice is taken for the redriven event that failed again.
                if sent < begun or (sent < begun + 1000 and event not in events):
                    events.add(event)
                    yield failure
                else:
                    later.append(failure)
    finally:
        for failure in later:
            put_back(pipeline, failure)


def _clock_of_sqs(pipeline: Pipeline) -> float:
    """Now, in milliseconds since 1970, of which it tells whole seconds."""
    answer = pipeline.sqs.get_queue_attributes(QueueUrl=pipeline.failure_queue, AttributeNames=["QueueArn"])
    date = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return date.timestamp() * 1000


def put_back(pipeline: Pipeline, failure: Failure) -> None:
    """Make a message visible again, now rather than after its five minutes."""
    # It may be visible already, or in other hands; in both cases it is not lost.
    with suppress(pipeline.sqs.exceptions.MessageNotInflight, pipeline.sqs.exceptions.ReceiptHandleIsInvalid):
        pipeline.sqs.change_message_visibility(
            QueueUrl=pipeline.failure_queue, ReceiptHandle=failure.receipt, VisibilityTimeout=0
        )


def redrive(pipeline: Pipeline, failure: Failure) -> None:
    """Deliver a failure's event again, then delete its message.

    In this order: interrupted in between, the event is delivered twice, which changes nothing. The other way round, it
    could be lost. Raises ValueError if the message is not a failure record.
    """
    if failure.event is None:
        raise ValueError(failure.reason)
    # An upload is for the function that ingests today. Another event is for the function that failed on it.
    pipeline.deliver(failure.event, pipeline.function if failure.keys else failure.function)
    delete(pipeline, failure)


def delete(pipeline: Pipeline, failure: Failure) -> None:
    """Delete a message."""
    pipeline.sqs.delete_message(QueueUrl=pipeline.failure_queue, ReceiptHandle=failure.receipt)


def _failure(message: "MessageTypeDef") -> Failure:
    id_, receipt = message["MessageId"], message["ReceiptHandle"]
    try:
        record = json.loads(message["Body"])
        event = record["requestPayload"]
        context = record["requestContext"]
        keys = [unquote_plus(each["s3"]["object"]["key"]) + _part(each) for each in event.get("Records", [])]
        payload = record.get("responsePayload") or {}
        # The function's ARN can end with its version, which is not what is invoked.
        function = context["functionArn"].removesuffix(":$LATEST")
        return Failure(id_, receipt, keys, context["condition"], payload.get("errorMessage", ""), event, function)
    except (ValueError, KeyError, TypeError, AttributeError, MalformedEvent) as error:
        return Failure(id_, receipt, [], "unreadable", f"not a failure record: {error!r}", None, None)


def _part(record: dict[str, Any]) -> str:
    """What to add to the key of an object of which only a part is concerned."""
    job = part_job(record)
    return f" (part {job.number}{', check' if job.is_check else ''})" if job else ""
