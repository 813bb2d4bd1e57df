"""`status`, and how uploads are shown."""

import sys
from collections.abc import Iterable
from itertools import islice
from typing import Any

import click
from rich import filesize

from csv_ingest.ledger import REJECTED
from ops import display
from ops import status as uploads
from ops.brake import is_paused
from ops.commands import options
from ops.failure import NO_REASON
from ops.pipeline import Pipeline
from ops.status import UploadStatus

SHOWN_REJECTS = 20

HEADER = f"{'':2}{'status':<10}  {'since (UTC)':<19}  {'size':>9} {'read':>10} {'stored':>10} {'rejected':>10}"
"""78 columns, under a line with nothing but the key: a key must never be cut."""


@click.command(name="status", epilog="Example: python -m ops status incoming/orders.csv")
@click.argument("key", required=False)
@click.option("--limit", default=50, show_default=True, help="How many uploads to list.")
@options.as_json
@click.pass_obj
def status_command(find: options.Find, *, key: str | None, limit: int, json_: bool) -> None:
    """Show what became of KEY, or what is not well.

    Without KEY: every upload that is not complete or has rejected rows, the latest change first. Exit code 1 if there
    is one.
    """
    pipeline = find()
    with display.working("reading the bucket and the ledger"):
        found = uploads.not_good(pipeline) if key is None else uploads.of_key(pipeline, key)
        shown = uploads.explained(pipeline, found[:limit])
    if key is not None and not found:
        raise click.ClickException(f"{key}: {why_unknown(pipeline, key)}")
    if is_paused(pipeline):
        display.say(f"The pipeline is paused. To end the pause: {display.command('resume')}", err=True)
    if key is None:
        print_uploads(shown, json_=json_)
        if not found and not json_:
            display.say("Every upload is complete, and no row was rejected.")
    else:
        _print_with_rejects(pipeline, shown, json_=json_)
    if len(found) > limit:
        display.say(f"{len(found) - limit:,} more: --limit {len(found)}", err=True)
    sys.exit(1 if found and not found[0].is_good else 0)


def why_unknown(pipeline: Pipeline, key: str) -> str:
    """Why nothing is known of uploads under a key."""
    return "there is no such upload" if pipeline.is_ingested(key) else "such keys are not ingested"


def print_uploads(statuses: Iterable[UploadStatus], *, json_: bool) -> None:
    """Show uploads: as JSON, or a line with the key and some lines about it."""
    if json_:
        display.print_json(list(map(as_json, statuses)))
        return
    for number, status in enumerate(statuses):
        if not number:
            display.say(HEADER)
        _print_upload(status)


def as_json(status: UploadStatus) -> dict[str, Any]:
    """The record as the ledger has it, numbers as numbers; without a record, what the bucket has."""
    about = {"object_key": status.key, "entry": status.etag, "size": status.size, **status.record.attributes}
    more: dict[str, Any] = {"progress": status.progress, "remark": status.remark}
    if failure := status.failure:
        sent_at = failure.sent_at.isoformat()
        more["failure"] = {"sent_at": sent_at, "condition": failure.condition, "reason": failure.reason}
    return about | {name: value for name, value in more.items() if value}


def _print_upload(status: UploadStatus) -> None:
    size = "" if status.size is None else filesize.decimal(status.size)
    counts = (f"{number:,}" for number in status.record.counts) if status.record.counts else ("",) * 3
    numbers = " ".join(f"{number:>10}" for number in counts)
    display.say(status.key)
    state = status.record.status or "no record"
    display.say(f"  {state:<10}  {display.when(status.since):<19}  {size:>9} {numbers}".rstrip())
    for line in _explanations(status):
        display.say(f"  {line}")


def _explanations(status: UploadStatus) -> Iterable[str]:
    yield f"etag {status.etag}"
    yield from filter(None, (status.record.reason, status.progress, status.remark))
    if failure := status.failure:
        yield f"in the failure queue since {display.when(failure.sent_at)}: {failure.condition}"
        yield failure.reason or NO_REASON
        yield f"next: {display.command('redrive', '--prefix', status.key)}"
    if status.record.status != REJECTED and status.record.counts and status.record.counts.rejected:
        yield f"next: {display.command('rejects', status.key)}"


def _print_with_rejects(pipeline: Pipeline, statuses: list[UploadStatus], *, json_: bool) -> None:
    rejects = [list(islice(pipeline.files.rejected_rows(s.key, s.etag), SHOWN_REJECTS)) for s in statuses]
    if json_:
        found = zip(statuses, rejects, strict=True)
        display.print_json([as_json(each) | {"rejects": [row._asdict() for row in rows]} for each, rows in found])
        return
    display.say(HEADER)
    for status, rows in zip(statuses, rejects, strict=True):
        _print_upload(status)
        for row in rows:
            display.say(f"  line {row.line:,}: {row.reason}")
        if status.record.counts and status.record.counts.rejected > SHOWN_REJECTS:
            display.say(f"  and {status.record.counts.rejected - SHOWN_REJECTS:,} more")
