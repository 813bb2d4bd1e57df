"""`status`."""

import sys
from itertools import islice

import click

from ops import display
from ops import status as uploads
from ops.brake import is_paused
from ops.commands import options
from ops.commands.uploads import HEADER, as_json, print_upload, print_uploads
from ops.pipeline import Pipeline
from ops.status import UploadStatus

SHOWN_REJECTS = 20


@click.command(name="status", epilog="Example: python -m ops status incoming/orders.csv")
@click.argument("key", required=False)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="How many uploads to list.")
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


def _print_with_rejects(pipeline: Pipeline, statuses: list[UploadStatus], *, json_: bool) -> None:
    rejects = [list(islice(pipeline.files.rejected_rows(s.key, s.etag), SHOWN_REJECTS)) for s in statuses]
    if json_:
        found = zip(statuses, rejects, strict=True)
        display.print_json([as_json(each) | {"rejects": [row._asdict() for row in rows]} for each, rows in found])
        return
    display.say(HEADER)
    for status, rows in zip(statuses, rejects, strict=True):
        print_upload(status)
        for row in rows:
            display.say(f"  line {row.line:,}: {row.reason}")
        if status.record.counts and status.record.counts.rejected > SHOWN_REJECTS:
            display.say(f"  and {status.record.counts.rejected - SHOWN_REJECTS:,} more")
