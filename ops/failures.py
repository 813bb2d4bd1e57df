"""The failure queue, looked at: nothing is delivered or deleted here."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import islice

from csv_ingest import queues
from csv_ingest.failure import Failure, failure_of

from .pipeline import Pipeline

HIDE_SECONDS = 300  # how long a message is hidden from others while `failures` looks through the queue
PEEK_SECONDS, PEEK_MESSAGES = 30, 100  # a peek hides at most so many messages, for so long at most
FRUITLESS = 10  # after so many answers without a new message, every message was seen


def failures(pipeline: Pipeline, *, hide_seconds: int = HIDE_SECONDS) -> Iterator[Failure]:
    """Yield each message that was in the queue at the beginning, once; others do not see it for five minutes.

    Messages sent since are left for the next time: a redriven event that fails again would be redriven for ever. The
    time is that of SQS, because the clock of this machine may be wrong.
    """
    begun = clock(pipeline).timestamp()
    seen, events = set[str](), set[str]()
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
    """At most a hundred messages of the queue, which are visible to others again on return."""
    found: list[Failure] = []
    try:
        found.extend(islice(failures(pipeline, hide_seconds=PEEK_SECONDS), PEEK_MESSAGES))
    finally:
        for failure in found:
            put_back(pipeline, failure)
    return found


def count(pipeline: Pipeline) -> queues.Count:
    """How many messages are in the queue, about. Asking hides none of them."""
    return queues.count_messages(pipeline.clients.sqs, pipeline.failure_queue)


def clock(pipeline: Pipeline) -> datetime:
    """Now, on the clock of SQS, which tells whole seconds."""
    answer = pipeline.clients.sqs.get_queue_attributes(QueueUrl=pipeline.failure_queue, AttributeNames=["QueueArn"])
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])


def put_back(pipeline: Pipeline, failure: Failure) -> None:
    """Make a message visible again, now rather than after its five minutes."""
    # It may be visible already, or in other hands; in both cases it is not lost.
    sqs, queue = pipeline.clients.sqs, pipeline.failure_queue
    with suppress(sqs.exceptions.MessageNotInflight, sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=failure.receipt, VisibilityTimeout=0)


def _receive(pipeline: Pipeline, hide_seconds: int) -> list[Failure]:
    received = queues.receive(pipeline.clients.sqs, pipeline.failure_queue, hide_seconds=hide_seconds)
    return list(map(failure_of, received))
