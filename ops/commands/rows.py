"""`rows`."""

import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import click

from csv_ingest.ledger import REJECTED, FileRecord
from csv_ingest.rows import StoredRow
from ops import display
from ops.commands import options, stored
from ops.feed import DeployedFeed
from ops.pipeline import ObjectGone
from ops.rows import Missing, Superseded, feed_with_rows, rows_of
from ops.wording import counted

Shown = StoredRow | Missing | Superseded


@click.command(name="rows", epilog="Example: python -m ops rows incoming/orders.csv --limit 20")
@click.argument("key")
@click.option("--limit", type=click.IntRange(min=1), help="Read no more than so many rows.")
@options.as_json
@click.pass_obj
def rows_command(find: options.Find, *, key: str, limit: int | None, json_: bool) -> None:
    """Print the rows of KEY as the destination has them.

    Those of the newest upload under KEY, in the order of the lines: line, id, data, and declared columns. In a feed
    that merges, also which rows newer uploads have superseded. Exit code 1 if the upload is not complete, or a row is
    missing. Rejected rows are not stored: `rejects` prints them.
    """
    pipeline = find()
    record = options.latest_record(pipeline, key)
    if record.status == REJECTED:
        raise click.ClickException(f"{key}: no row of it was stored: {record.reason}")
    feed = feed_with_rows(pipeline, key, record)
    seen = _Seen()
    with closing(rows_of(pipeline, feed, record)) as found:
        rows = seen.until_gone(found)
        shown = seen.counted(islice(rows, limit))
        if json_:
            display.print_json_list(map(_as_json, shown))
        else:
            for each in shown:
                display.say(_as_text(each))
        more = seen.all == limit and next(rows, None) is not None
    if seen.gone:
        raise click.ClickException(f"{seen.gone}: {_without_object(seen, seen.gone, record, feed)}")
    display.say(_sum(seen, record, more=more), err=True)
    if seen.missing:
        # Where rows are superseded, the row that belongs there can be that of a file under another key.
        below = ("--feed", feed.name) if feed.mode.supersedes else ("--prefix", key)
        display.say(f"To write what is missing: {display.command('audit', '--repair', *below)}", err=True)
    sys.exit(0 if record.is_complete and not seen.missing else 1)


@dataclass
class _Seen:
    """What was met so far."""

    stored: int = 0
    missing: int = 0
    superseded: int = 0
    gone: ObjectGone | None = None
    """Why the rest is not known."""

    @property
    def all(self) -> int:
        return self.stored + self.missing + self.superseded

    def until_gone(self, rows: Iterator[Shown]) -> Iterator[Shown]:
        """The same rows; they end where the file is needed and gone, so that what is printed has an end, too."""
        try:
            yield from rows
        except ObjectGone as error:
            self.gone = error

    def counted(self, rows: Iterator[Shown]) -> Iterator[Shown]:
        for each in rows:
            if isinstance(each, Missing):
                self.missing += 1
            elif isinstance(each, Superseded):
                self.superseded += 1
            else:
                self.stored += 1
            yield each


def _as_text(found: Shown) -> str:
    if isinstance(found, Missing):
        return f"line {found.line:,}: {stored.quoted(found.id)} is missing: {found.why}"
    if isinstance(found, Superseded):
        return f"line {found.line:,}: {stored.quoted(found.id)} is superseded: uploaded {found.uploaded}"
    return f"line {found.line:,}: {stored.as_text(found)}"


def _as_json(found: Shown) -> dict[str, Any]:
    if isinstance(found, Missing):
        return {"line": found.line, "id": found.id, "missing": found.why}
    if isinstance(found, Superseded):
        return {"line": found.line, "id": found.id, "superseded": found.uploaded}
    return stored.as_json(found)


def _sum(seen: _Seen, record: FileRecord, *, more: bool) -> str:
    """How many rows there are, and what of the file's rows is known."""
    rows = f"{'the first ' if more else ''}{counted(seen.stored, 'row')}, {seen.missing:,} missing"
    if seen.superseded:
        rows += f", {seen.superseded:,} superseded: newer uploads have rows of their ids, `find` says which"
    if record.erasing:
        return f"{rows} so far: {record.erasing} has begun, and deletes them"
    if not record.is_complete:
        return f"{rows} so far: the upload is not complete, and its rows may still change"
    if not (counts := record.counts):
        return rows
    ledger = f"{rows}. The ledger: {counts.read:,} read, {counts.stored:,} stored, {counts.rejected:,} rejected"
    return f"{ledger}, {counts.superseded:,} superseded" if counts.superseded else ledger


def _without_object(seen: _Seen, gone: ObjectGone, record: FileRecord, feed: DeployedFeed) -> str:
    """What is known without the file, and how to know more."""
    if gone.by_etag:
        recorded = record.counts.stored if record.counts else 0
        whether = "are missing or superseded" if feed.mode.supersedes else "are missing or on two lines"
        rows = counted(seen.stored, "row")
        return (
            f"the table has {rows}, the ledger counts {recorded:,}, and only the file could tell whether rows {whether}"
        )
    index = "" if feed.settings.database else "set file_index=true and deploy, or "
    return f"its ids are read there: {index}look for single ids with `find`"
