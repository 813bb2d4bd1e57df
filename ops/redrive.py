"""Events, delivered again: those of the failure queue, and those of objects that the trigger did not deliver."""

import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from botocore.exceptions import ClientError

from csv_ingest import model, queues
from csv_ingest.failure import Failure
from csv_ingest.sweeping.expected import is_too_old

from . import brake, failures
from .pipeline import DeployedFeed, NoFeed, Pipeline


class Undeliverable(Exception):
    """There is no function to which an event may be delivered now. The message says why."""


class Redriven(NamedTuple):
    """One message, and what was done with it."""

    failure: Failure
    action: str
    """`delivered`, `discarded`, `kept`, or `kept: ` or `failed: ` and why."""

    @property
    def is_good(self) -> bool:
        """Whether the message is gone from the queue."""
        return self.action in ("delivered", "discarded")


class Backfilled(NamedTuple):
    """How many uploads a backfill has delivered or passed over so far."""

    delivered: int = 0
    settled_before: int = 0
    expired: int = 0
    """They were never read, and their rows would have expired by now."""


def backfill(
    pipeline: Pipeline,
    *,
    prefix: str,
    feed: DeployedFeed | None = None,
    rate: float,
    again: bool = False,
    progress: Callable[[Backfilled], None] = lambda _: None,
) -> Backfilled:
    """Deliver each upload below a prefix, of one feed or of all, at most `rate` per second.

    Uploads that are settled are only delivered `again`. Interrupted, it is resumed by the same call: what is settled by
    then is passed over, at one read per upload.
    """
    delivered = settled_before = expired = 0
    for upload, record in pipeline.records(prefix, feed):
        days = pipeline.feed_of(upload.version.key).settings.keep_rows_days
        if record.is_settled and not again:
            settled_before += 1
        elif not record.is_planned and is_too_old(upload, days):
            expired += 1
        else:
            pipeline.redeliver(upload.version)
            delivered += 1
            time.sleep(1 / rate)
        progress(Backfilled(delivered, settled_before, expired))
    return Backfilled(delivered, settled_before, expired)


def redrive_all(
    pipeline: Pipeline,
    *,
    wanted: Callable[[Failure], bool] = lambda _: True,
    dry_run: bool = False,
    discard: bool = False,
    rate: float = 10,
    paused: Collection[DeployedFeed] = (),
) -> list[Redriven]:
    """Deliver the events of the failure queue again, or delete them; returns what was done with each message.

    Only those that are `wanted`, at most `rate` per second, and none of a `paused` feed.
    Other messages stay in the queue, and are visible to others again on return; if an error ends
    this early, within five minutes.
    """
    done: list[Redriven] = []
    kept: list[Failure] = []
    try:
        for failure in failures.failures(pipeline):
            if not wanted(failure):
                kept.append(failure)
                continue
            action = _settle(pipeline, failure, dry_run=dry_run, discard=discard, paused=paused)
            done.append(Redriven(failure, action))
            if not done[-1].is_good:
                kept.append(failure)
            if action == "delivered":
                time.sleep(1 / rate)
    finally:
        for failure in kept:
            failures.put_back(pipeline, failure)
    return done


def delivered(done: Sequence[Redriven]) -> list[model.ObjectVersion]:
    """The object versions that were delivered, each once."""
    found = [each.failure for each in done if each.action == "delivered"]
    return list(dict.fromkeys(version for failure in found for version in failure.versions))


def _settle(
    pipeline: Pipeline, failure: Failure, *, dry_run: bool, discard: bool, paused: Collection[DeployedFeed]
) -> str:
    """Deliver or delete one message; what was done. A message that cannot be delivered must not keep the others."""
    if failure.event is None:
        return "kept: only a failure record has an event to deliver"
    if discard and not dry_run:
        _delete(pipeline, failure)
        return "discarded"
    try:
        function = _function_for(pipeline, failure, paused)
        if dry_run:
            return "kept"
        # In this order: interrupted in between, the event is delivered twice, which changes nothing. The other way
        # round, it could be lost.
        queues.dispatch(pipeline.clients.lambda_, function, failure.event)
        _delete(pipeline, failure)
    except Undeliverable as error:
        return f"kept: {error}"
    except (ClientError, model.NotAccepted) as error:
        return f"failed: {error}"
    return "delivered"


def _function_for(pipeline: Pipeline, failure: Failure, paused: Collection[DeployedFeed]) -> str:
    """The function to which an event is delivered; raises Undeliverable.

    An upload is for the function that ingests its key today. Another event is for the function that failed on it, if
    that is a function of this stack: whoever can write to the queue must not choose what is invoked.
    """
    if not failure.subjects:
        if failure.function not in pipeline.functions:
            raise Undeliverable(f"{failure.function} is not a function of the stack {pipeline.stack}")
        return failure.function
    try:
        feeds = list(dict.fromkeys(pipeline.feed_of(subject.key) for subject in failure.subjects))
    except NoFeed as error:
        raise Undeliverable(str(error)) from error
    if len(feeds) > 1:
        names = ", ".join(feed.name for feed in feeds)
        raise Undeliverable(f"its keys are of several feeds, {names}: deliver them with backfill, and discard it")
    if feeds[0] in paused:
        raise Undeliverable(brake.why(pipeline, feeds[0]))
    return feeds[0].function


def _delete(pipeline: Pipeline, failure: Failure) -> None:
    pipeline.clients.sqs.delete_message(QueueUrl=pipeline.failure_queue, ReceiptHandle=failure.receipt)
