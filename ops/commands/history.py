"""`history`."""

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import Any

import click

from csv_ingest import ledger

from .. import display, history
from . import explanations, guards, options

HEADER = f"{'':2}{'status':<10}  {'settled (UTC)':<19} {'seconds':>10} {'read':>10} {'stored':>10} {'rejected':>10}"
"""77 columns, under a line with nothing but the key: a key must never be cut."""

COLOURS = {ledger.COMPLETE: "green", ledger.REJECTED: "red"}


@click.command(name="history", epilog="Example: csv-ingest history --since 12h --feed orders")
@options.feed
@options.prefix
@click.option("--since", type=options.SINCE, default="7d", show_default=True, help="12h, 90m, 2w, or 2026-11-21.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000_000), help="How many uploads.")
@options.as_json
@click.pass_obj
def history_command(
    find: options.Find, *, feed: str | None, prefix: str, since: datetime, limit: int, json_: bool
) -> None:
    """List uploads by time, the latest first: what became of them, and when.

    An upload is listed if it was settled since, or is under way since. The seconds are from the upload to its outcome.
    An index finds the uploads: neither the bucket nor the whole ledger is read. One without a delivery is not listed:
    `status` finds it. Exit code 0, whatever is listed.
    """
    pipeline = find()
    guards.refuse_without_index(pipeline)
    feeds = options.feeds_named(pipeline, feed)
    found = history.uploads(pipeline, feeds, since=since, prefix=prefix, limit=limit + 1)
    shown = islice(found, limit)
    if json_:
        display.print_json_list(map(_as_json, shown))
    else:
        _print(shown, since)
    if next(found, None):
        display.say(f"There are more: --limit {limit * 10}", err=True)


def _print(shown: Iterable[ledger.FileRecord], since: datetime) -> None:
    number = 0
    for number, record in enumerate(shown, start=1):
        if number == 1:
            display.say(HEADER)
        _print_upload(record)
    if not number:
        display.say(f"No upload was settled or is under way since {display.when(since)}.")


def _print_upload(record: ledger.FileRecord) -> None:
    display.say(record.object_key)
    state, taken = history.state(record), history.seconds(record)
    duration = "" if taken is None else f"{taken:,.1f}"
    counts = (f"{number:,}" for number in record.counts[:3]) if record.counts else ("",) * 3
    numbers = " ".join(f"{text:>10}" for text in (duration, *counts))
    line = f"  {state:<10}  {display.when(history.settled_at(record)):<19} {numbers}".rstrip()
    display.say_coloured(line, state, _colour(record))
    for explanation in _explanations(record):
        display.say(f"  {explanation}")


def _explanations(record: ledger.FileRecord) -> list[str]:
    uploaded = display.when(history.uploaded_at(record))
    begun = display.when(record.started_at)
    times = [f"uploaded {uploaded}"] if uploaded else []
    if not record.is_settled and begun:
        times.append(f"last delivered {begun}")
    failed = f"the last delivery that failed: {record.last_error}" if record.last_error else ""
    said = [", ".join(times), record.reason, failed]
    return [
        *filter(None, said),
        *explanations.superseded(record),
        *explanations.erasure(record),
        *explanations.acknowledgement(record),
    ]


def _colour(record: ledger.FileRecord) -> str | None:
    if record.is_complete and record.counts and record.counts.rejected:
        return "yellow"
    return COLOURS.get(history.state(record))


def _as_json(record: ledger.FileRecord) -> dict[str, Any]:
    """The record as the ledger has it, numbers as numbers, and what follows from it."""
    about = {"feed": record.feed, "seconds": history.seconds(record), "status": history.state(record)}
    return {**record.attributes, **about}
