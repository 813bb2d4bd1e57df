"""How uploads are shown: by `status`, and by the commands that wait for them."""

from collections.abc import Iterable
from typing import Any

from rich import filesize

from csv_ingest.ledger import REJECTED
from ops import display
from ops.failure import NO_REASON
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


def as_json(status: UploadStatus) -> dict[str, Any]:
    """The record as the ledger has it, numbers as numbers; without a record, what the bucket has."""
    about = {"object_key": status.key, "entry": status.etag, "size": status.size, **status.record.attributes}
    more: dict[str, Any] = {"progress": status.progress, "remark": status.remark}
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
    display.say(f"  {state:<10}  {display.when(status.since):<19}  {size:>9} {numbers}".rstrip())
    for line in _explanations(status):
        display.say(f"  {line}")


def _explanations(status: UploadStatus) -> Iterable[str]:
    yield f"etag {status.etag}" + (f", version {status.record.version_id}" if status.record.merges else "")
    if status.is_replaced:
        yield "a newer version of it was delivered"
    if status.record.counts and (superseded := status.record.counts.superseded):
        yield f"{superseded:,} superseded: newer uploads have rows of their ids"
    yield from filter(None, (status.record.reason, status.progress, status.remark))
    if status.record.last_error:
        yield f"the last delivery that failed: {status.record.last_error}"
    if command := status.record.erasing:
        yield f"{command} has begun, and deletes its rows"
        yield f"next: {display.command(command, key=status.key)}"
    elif failure := status.failure:
        yield f"in the failure queue since {display.when(failure.sent_at)}: {failure.condition}"
        if failure.reason != status.record.reason or not failure.reason:
            yield failure.reason or NO_REASON
        yield f"next: {display.command('redrive', '--prefix', status.key)}"
    elif status.remark and not status.is_settled:
        next_command = display.command(*status.next_command) if status.next_command else ""
        yield f"next: {next_command or display.command('status', key=status.key)}"
    has_rejects = bool(status.record.counts and status.record.counts.rejected)
    if status.record.status != REJECTED and has_rejects and not status.is_replaced:
        yield f"next: {display.command('rejects', key=status.key)}"
