"""How uploads are shown: by `status`, and by the commands that wait for them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, repeat
from typing import Any

from rich import filesize

from csv_ingest import ledger, uploads
from ops import display, waiting
from ops.failure import NO_REASON, Failure
from ops.pipeline import Pipeline
from ops.status import UploadStatus

HEADER = f"{'':2}{'status':<10}  {'since (UTC)':<19}  {'size':>9} {'read':>10} {'stored':>10} {'rejected':>10}"
"""78 columns, under a line with nothing but the key: a key must never be cut."""


def print_uploads(statuses: Iterable[UploadStatus], *, json_: bool, also: Iterable[dict[str, Any]] = ()) -> None:
    """Show uploads: as JSON, followed by what else is in the list; or a line with the key and some lines about it."""
    if json_:
        display.print_json([*map(as_json, statuses), *also])
        return
    for number, status in enumerate(statuses):
        if not number:
            display.say(HEADER)
        print_upload(status)


def wait_and_print(
    pipeline: Pipeline,
    versions: Sequence[uploads.ObjectVersion],
    *,
    begun: datetime,
    seconds: float,
    json_: bool,
    remark: Callable[[int, UploadStatus], UploadStatus] = lambda _, status: status,
) -> bool:
    """Wait for uploads that were delivered since `begun`, and show them; whether each is complete without rejects.

    `remark` gets the number of each upload, from 0, and its status, and may add a remark.
    """
    with display.working("waiting") as show:
        ended = waiting.wait(
            pipeline, versions, begun=begun, seconds=seconds, progress=show, tell=display.say_meanwhile
        )
    ended = [remark(number, each) for number, each in enumerate(ended)]
    print_uploads(ended, json_=json_)
    return all(each.is_good for each in ended)


def as_json(status: UploadStatus) -> dict[str, Any]:
    """The record as the ledger has it, numbers as numbers; without a record, what the bucket has."""
    about = {"object_key": status.key, "entry": status.etag, "size": status.size, **status.record.attributes}
    more: dict[str, Any] = {"progress": status.progress, "remark": status.remark, "absence": status.absence}
    if failure := status.failure:
        sent_at = failure.sent_at.isoformat()
        more["failure"] = {"sent_at": sent_at, "condition": failure.condition, "reason": failure.reason}
    return about | {name: value for name, value in more.items() if value}


def print_upload(status: UploadStatus) -> None:
    size = "" if status.size is None else filesize.decimal(status.size)
    counts = (f"{number:,}" for number in status.record.counts[:3]) if status.record.counts else ("",) * 3
    numbers = " ".join(f"{number:>10}" for number in counts)
    display.say(status.key)
    state = status.record.status or "no record"
    line = f"  {state:<10}  {display.when(status.since):<19}  {size:>9} {numbers}".rstrip()
    display.say_coloured(line, state, _colour(status))
    for explanation in chain(_explanations(status), _next(status)):
        display.say(f"  {explanation}")


def _colour(status: UploadStatus) -> str | None:
    if status.record.status == ledger.REJECTED:
        return "red"
    if not status.is_settled:
        return None
    return "green" if status.is_good else "yellow"


def _explanations(status: UploadStatus) -> Iterable[str]:
    record = status.record
    yield f"etag {status.etag}" + (f", version {record.version_id}" if record.mode.each_version else "")
    if status.is_replaced:
        yield "a newer version of it was delivered"
    if record.counts and (superseded := record.counts.superseded):
        yield f"{superseded:,} superseded: newer uploads have rows of their ids"
    yield from filter(None, (status.absence, record.reason, status.progress, status.remark))
    if command := record.erasing:
        yield f"{command} has begun, and deletes its rows"
    yield from _failures(record, status.failure)
    if known := record.acknowledgement:
        yield f"acknowledged {display.when(known.at)} by {known.by}: {known.reason}"


def _failures(record: ledger.FileRecord, failure: Failure | None) -> Iterator[str]:
    """The message in the failure queue, and the last delivery that failed; each reason once."""
    reasons = [record.reason]
    if failure:
        yield f"in the failure queue since {display.when(failure.sent_at)}: {failure.condition}"
        reasons.append(failure.reason or NO_REASON)
        if reasons[1] != record.reason:
            yield reasons[1]
    # Lambda's words can be longer: the code of S3's answer, and a sentence about it.
    if record.last_error and not any(record.last_error in reason for reason in reasons):
        yield f"the last delivery that failed: {record.last_error}"


def _next(status: UploadStatus) -> Iterable[str]:
    """The ways to make an upload good; none if it needs nothing."""
    return (f"{word}: {way}" for word, way in zip(chain(["next"], repeat("or")), _ways(status), strict=False))


def _ways(status: UploadStatus) -> Iterator[str]:
    if command := status.record.erasing:
        yield display.command(command, key=status.key)
    elif status.is_open:
        if status.is_settled and status.absence:
            yield _acknowledge(status)
        yield from _ways_to_be_good(status)
        if status.is_settled and not status.absence:
            yield _acknowledge(status)


def _ways_to_be_good(status: UploadStatus) -> Iterator[str]:
    if status.absence:
        yield display.command("forget", key=status.key)
    elif status.is_poison:
        if not status.is_replaced:
            yield "correct the file and upload it again; or correct the settings and redrive"
    elif status.next_command:
        yield display.command(*status.next_command)
    elif status.failure:
        yield display.command("redrive", "--prefix", status.key)
    elif status.remark and not status.is_settled:
        yield display.command("status", key=status.key)
    elif status.has_rejects and not status.is_replaced:
        yield display.command("rejects", key=status.key)


def _acknowledge(status: UploadStatus) -> str:
    return display.command("acknowledge", "--reason", "...", key=status.key)
