"""`status`."""

import sys
from datetime import datetime
from itertools import islice
from typing import Any

import click
from click.core import ParameterSource

from .. import display, explaining, ignored, other_feeds, status, wording
from ..pipeline import DeployedFeed, Pipeline
from . import guards, options, uploads
from .watch import watch

SHOWN_REJECTS = 20

OF_WATCH = frozenset({"watch_", "until_idle", "interval"})


@click.command(name="status", epilog="Example: csv-ingest status incoming/orders.csv")
@click.argument("key", required=False)
@options.feed
@click.option("--since", type=options.SINCE, help="Only what changed since: 7d, 12h, 90m, 2w, or 2026-11-21.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="How many uploads to list.")
@options.as_json
@click.option("--watch", "watch_", is_flag=True, help="Show what is under way, again and again, until Ctrl-C.")
@click.option("--until-idle", is_flag=True, help="With --watch: end when nothing is under way.")
@click.option(
    "--interval",
    default=2.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    help="With --watch: seconds between two looks.",
)
@click.pass_context
def status_command(
    context: click.Context,
    *,
    key: str | None,
    feed: str | None,
    since: datetime | None,
    limit: int,
    json_: bool,
    watch_: bool,
    until_idle: bool,
    interval: float,
) -> None:
    """Show what became of KEY, or what is not well.

    Without KEY: every upload that is not complete or has rejected rows, the latest change first, but those that
    `acknowledge` was told of; then every object that no feed takes. Exit code 1 if one is listed; with KEY, if the
    upload that changed last is one.

    With --watch: the feeds, the files in flight (from the first delivery until they are settled), the failure queue and
    the alarms; where there is no terminal, a line per change. --until-idle also ends it if nothing has changed for 15
    minutes. Exit code 0 if at the end nothing is in flight, the queue is empty, and no alarm is on.
    """
    given = {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if watch_ and given - OF_WATCH - {"feed"}:
        raise click.UsageError("--watch is about all files in flight: beside its own options, it takes --feed alone")
    if not watch_ and given & OF_WATCH:
        raise click.UsageError("--until-idle and --interval are for --watch")
    if key is not None and (feed is not None or since is not None):
        raise click.UsageError("--feed and --since are for the list: KEY says which feed it is")
    pipeline: Pipeline = context.obj()
    if watch_:
        guards.refuse_without_index(pipeline)
        sys.exit(watch(pipeline, options.feeds_named(pipeline, feed), interval=interval, until_idle=until_idle))
    if key is None:
        _list(pipeline, options.feed_named(pipeline, feed), since, limit, json_=json_)
    else:
        _show(pipeline, key, limit, json_=json_)


def _list(pipeline: Pipeline, feed: DeployedFeed | None, since: datetime | None, limit: int, *, json_: bool) -> None:
    """List what is not good and changed since a time; ends the command."""
    with display.working("reading the bucket and the ledger"):
        not_good, earlier = status.not_good(pipeline, feed)
        found = [each for each in not_good if _is_since(since, each.since)]
        open_ = [each for each in found if each.is_open]
        shown = explaining.explained(pipeline, open_[:limit])
        not_taken = [each for each in ignored.ignored_objects(pipeline, feed) if _is_since(since, each.modified)]
    acknowledged = len(found) - len(open_)
    guards.say_if_paused(pipeline, [feed] if feed else pipeline.feeds)
    if json_:
        display.print_json([*map(uploads.as_json, shown), *map(uploads.ignored_as_json, not_taken[:limit])])
    elif open_ or not_taken:
        uploads.print_uploads(shown, not_taken[:limit])
    else:
        display.say(_nothing_listed(since, acknowledged))
    if earlier:
        display.say(f"Not listed: {uploads.earlier(earlier, pipeline)}.", err=True)
    if not open_ and not not_taken:
        sys.exit(0)
    if acknowledged:
        display.say(f"Not listed: {wording.counted(acknowledged, 'upload')} that somebody has acknowledged.", err=True)
    _say_how_many_more(len(open_), limit)
    if not_taken:
        _say_how_many_more(len(not_taken), limit, f"No feed takes {wording.counted(len(not_taken), 'object')}")
    sys.exit(1)


def _is_since(since: datetime | None, time: datetime | None) -> bool:
    """Whether something is to be listed: without a time, it is."""
    return not since or not time or time >= since


def _show(pipeline: Pipeline, key: str, limit: int, *, json_: bool) -> None:
    """Show the uploads of a key, with their rejected rows; ends the command."""
    with display.working("reading the bucket and the ledger"):
        found = status.of_key(pipeline, key)
        shown = explaining.explained(pipeline, found[:limit])
        not_taken = ignored.of_key(pipeline, key)
    if not found and not not_taken:
        raise click.ClickException(f"{key}: {explaining.why_unknown(pipeline, key)}")
    guards.say_if_paused(pipeline, [feed for feed in pipeline.feeds if feed.takes(key)])
    shown = [_remarked(pipeline, each) for each in shown]
    if json_:
        of_uploads = (_with_rejects_as_json(pipeline, each) for each in shown)
        display.print_json([*of_uploads, *map(uploads.ignored_as_json, not_taken[:limit])])
    else:
        display.say(uploads.HEADER)
        for each in shown:
            _print_with_rejects(pipeline, each)
        uploads.print_ignored(not_taken[:limit])
    _say_how_many_more(len(found), limit)
    sys.exit(1 if not_taken or (found and found[0].is_open) else 0)


def _remarked(pipeline: Pipeline, shown: status.UploadStatus) -> status.UploadStatus:
    return other_feeds.remarked(
        pipeline, shown, lambda: pipeline.open(shown.record.object_version(pipeline.upload_bucket))
    )


def _with_rejects_as_json(pipeline: Pipeline, shown: status.UploadStatus) -> dict[str, Any]:
    rejects = islice(pipeline.files.rejected_rows(shown.record), SHOWN_REJECTS)
    return uploads.as_json(shown) | {"rejects": [row._asdict() for row in rejects]}


def _print_with_rejects(pipeline: Pipeline, shown: status.UploadStatus) -> None:
    uploads.print_upload(shown)
    for row in islice(pipeline.files.rejected_rows(shown.record), SHOWN_REJECTS):
        display.say(f"  line {row.line:,}: {row.reason}")
    if shown.record.counts and shown.record.counts.rejected > SHOWN_REJECTS:
        display.say(f"  and {shown.record.counts.rejected - SHOWN_REJECTS:,} more")


def _say_how_many_more(found: int, limit: int, text: str = "") -> None:
    more = f"{found - limit:,} more: --limit {found}" if found > limit else ""
    if said := "; ".join(filter(None, (text, more))):
        display.say(said, err=True)


def _nothing_listed(since: datetime | None, acknowledged: int) -> str:
    which = f"Every upload that changed since {display.when(since)}" if since else "Every upload"
    known = f", except for what was acknowledged: {wording.counted(acknowledged, 'upload')}" if acknowledged else ""
    return f"{which} is complete, and no row was rejected{known}."
