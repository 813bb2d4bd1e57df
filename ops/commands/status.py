"""`status`."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from itertools import chain, islice
from typing import Any

import click

from csv_ingest import source
from csv_ingest.csvfile.streams import ByteStream
from csv_ingest.ledger import FileRecord
from ops import display, ignored, other_feeds
from ops import status as uploads
from ops.commands import options
from ops.commands.ignored import as_json as ignored_as_json
from ops.commands.ignored import print_ignored, say_how_many
from ops.commands.uploads import HEADER, as_json, print_upload, print_uploads
from ops.feed import Feed
from ops.pipeline import Pipeline
from ops.presence import absence, why_unknown
from ops.status import UploadStatus
from ops.wording import counted

SHOWN_REJECTS = 20


@click.command(name="status", epilog="Example: python -m ops status incoming/orders.csv")
@click.argument("key", required=False)
@options.feed
@click.option("--since", type=options.SINCE, help="Only what changed since: 7d, 12h, 90m, 2w, or 2026-11-21.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="How many uploads to list.")
@options.as_json
@click.pass_obj
def status_command(
    find: options.Find, *, key: str | None, feed: str | None, since: datetime | None, limit: int, json_: bool
) -> None:
    """Show what became of KEY, or what is not well.

    Without KEY: every upload that is not complete or has rejected rows, the latest change first, but those that
    `acknowledge` was told of; then every object that no feed takes. Exit code 1 if one is listed; with KEY, if the
    upload that changed last is one.
    """
    if key is not None and (feed is not None or since is not None):
        raise click.UsageError("--feed and --since are for the list: KEY says which feed it is")
    pipeline = find()
    only = options.feed_named(pipeline, feed)
    with display.working("reading the bucket and the ledger"):
        if key is None:
            found, acknowledged = _listed(pipeline, only, since)
        else:
            found, acknowledged = uploads.of_key(pipeline, key), 0
        shown = uploads.explained(pipeline, found[:limit])
        objects = _ignored(pipeline, key, only, since)
    if key is not None and not found and not objects:
        raise click.ClickException(f"{key}: {why_unknown(pipeline, key)}")
    options.say_if_paused(pipeline, _looked_at(pipeline, key, only))
    also = list(map(ignored_as_json, objects[:limit]))
    if key is not None:
        _print_with_rejects(pipeline, shown, json_=json_, also=also)
    elif found or objects or json_:
        print_uploads(shown, json_=json_, also=also)
    else:
        display.say(_nothing_listed(since, acknowledged))
    if not json_:
        print_ignored(objects[:limit], with_header=key is None and not shown)
    if acknowledged and (found or objects):
        display.say(f"Not listed: {counted(acknowledged, 'upload')} that somebody has acknowledged.", err=True)
    if len(found) > limit:
        display.say(f"{len(found) - limit:,} more: --limit {len(found)}", err=True)
    if objects and key is None:
        say_how_many(len(objects), limit)
    sys.exit(1 if objects or (found and found[0].is_open) else 0)


def _ignored(
    pipeline: Pipeline, key: str | None, feed: Feed | None, since: datetime | None
) -> Sequence[ignored.IgnoredObject]:
    if key is not None:
        return ignored.of_key(pipeline, key)
    return [each for each in ignored.ignored_objects(pipeline, feed) if not since or each.modified >= since]


def _listed(pipeline: Pipeline, feed: Feed | None, since: datetime | None) -> tuple[list[UploadStatus], int]:
    """What is not good and changed since a time: what somebody has to look at, and how many were acknowledged."""
    found = [each for each in uploads.not_good(pipeline, feed) if not since or not each.since or each.since >= since]
    listed = [each for each in found if each.is_open]
    return listed, len(found) - len(listed)


def _nothing_listed(since: datetime | None, acknowledged: int) -> str:
    which = f"Every upload that changed since {display.when(since)}" if since else "Every upload"
    known = f", except for what was acknowledged: {counted(acknowledged, 'upload')}" if acknowledged else ""
    return f"{which} is complete, and no row was rejected{known}."


def _looked_at(pipeline: Pipeline, key: str | None, only: Feed | None) -> Sequence[Feed]:
    """The feeds that were asked about. A key of the ledger can be of none of today's feeds."""
    if only:
        return [only]
    return pipeline.feeds if key is None else [feed for feed in pipeline.feeds if feed.is_ingested(key)]


def latest_record(pipeline: Pipeline, key: str) -> FileRecord:
    """The record of the newest upload under a key that was delivered; ends the command if there is none.

    Newest in the bucket, whatever the order of the deliveries; of uploads that are in the bucket no more, as the ledger
    has it. If a newer version was not delivered so far, or the object is in the bucket no more, says so.
    """
    gone = absence(pipeline, key)
    in_bucket = (record for _, record in pipeline.records_of_versions(key))
    for newer, record in enumerate(chain(in_bucket, pipeline.files.records_of_key(key))):
        if record.status:
            if newer:
                display.say(f"{key} has a newer version, of which no delivery has come so far.", err=True)
            if gone:
                display.say(f"{key}: {gone}.", err=True)
            return record
    raise click.ClickException(f"{key}: {why_unknown(pipeline, key)}")


def _open(pipeline: Pipeline, status: UploadStatus) -> AbstractContextManager[ByteStream]:
    return source.open_object(status.record.object_version(pipeline.upload_bucket), pipeline.s3)


def _print_with_rejects(
    pipeline: Pipeline, statuses: list[UploadStatus], *, json_: bool, also: Sequence[dict[str, Any]]
) -> None:
    statuses = [other_feeds.remarked(pipeline, each, partial(_open, pipeline, each)) for each in statuses]
    rejects = [list(islice(pipeline.files.rejected_rows(s.record), SHOWN_REJECTS)) for s in statuses]
    if json_:
        pairs = zip(statuses, rejects, strict=True)
        found = [as_json(each) | {"rejects": [row._asdict() for row in rows]} for each, rows in pairs]
        display.print_json([*found, *also])
        return
    display.say(HEADER)
    for status, rows in zip(statuses, rejects, strict=True):
        print_upload(status)
        for row in rows:
            display.say(f"  line {row.line:,}: {row.reason}")
        if status.record.counts and status.record.counts.rejected > SHOWN_REJECTS:
            display.say(f"  and {status.record.counts.rejected - SHOWN_REJECTS:,} more")
