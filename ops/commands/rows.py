"""`rows`."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click

from csv_ingest import ledger, model

from .. import display, rows, wording
from ..pipeline import DeployedFeed, ObjectGone
from . import guards, options, stored


@click.command(name="rows", epilog="Example: csv-ingest rows incoming/orders.csv --limit 20")
@click.argument("key")
@click.option("--limit", type=click.IntRange(min=1), help="Read no more than so many rows.")
@options.as_json
@click.pass_obj
def rows_command(find: options.Find, *, key: str, limit: int | None, json_: bool) -> None:
    """Print the rows of KEY as the destination has them.

    Those of the newest upload under KEY, in the order of the lines: line, id, data, and declared columns. In a feed
    that merges, also which rows newer uploads have superseded. Exit code 1 if the upload is not complete, or a row is
    missing. Rejected rows are not stored: `rejects` prints them. No values are compared: `audit` does that.
    """
    pipeline = find()
    record = guards.record_with_rows(pipeline, key)
    feed = rows.feed_with_rows(pipeline, key, record)
    seen = _Seen()
    with closing(rows.rows_of(pipeline, feed, record)) as found:
        shown = seen.read(found, limit)
        if json_:
            display.print_json_list(map(_as_json, shown))
        else:
            for each in shown:
                display.say(_as_text(each))
    if seen.gone:
        raise click.ClickException(f"{seen.gone}: {_without_object(seen, seen.gone, record, feed)}")
    display.say(_sum(seen, record), err=True)
    if seen.counts[rows.Missing]:
        # Where rows are superseded, the row that belongs there can be that of a file under another key.
        below = ("--feed", feed.name) if feed.mode.supersedes else ("--prefix", key)
        display.say(f"To write what is missing: {display.command('audit', '--repair', *below)}", err=True)
    sys.exit(0 if record.is_complete and not seen.counts[rows.Missing] else 1)


@dataclass
class _Seen:
    """The rows that were met so far."""

    counts: Counter[type] = field(default_factory=Counter)
    """Of stored, missing and superseded rows, by their types."""
    gone: ObjectGone | None = None
    """Why the rest is not known."""
    has_more: bool = False
    """Whether there are more than were asked for."""

    def read(self, found: Iterator[rows.Shown], limit: int | None) -> Iterator[rows.Shown]:
        """Rows up to a limit; they end where the file is needed and gone, so that what is printed has an end, too."""
        try:
            for each in islice(found, limit):
                self.counts[type(each)] += 1
                yield each
            self.has_more = limit is not None and next(found, None) is not None
        except ObjectGone as error:
            self.gone = error


def _as_text(found: rows.Shown) -> str:
    if isinstance(found, rows.Missing):
        return f"line {found.line:,}: {stored.quoted(found.id)} is missing: {found.why}"
    if isinstance(found, rows.Superseded):
        return f"line {found.line:,}: {stored.quoted(found.id)} is superseded: uploaded {found.uploaded}"
    return f"line {found.line:,}: {stored.as_text(found)}"


def _as_json(found: rows.Shown) -> dict[str, Any]:
    if isinstance(found, rows.Missing):
        return {"line": found.line, "id": found.id, "missing": found.why}
    if isinstance(found, rows.Superseded):
        return {"line": found.line, "id": found.id, "superseded": found.uploaded}
    return stored.as_json(found)


def _sum(seen: _Seen, record: ledger.FileRecord) -> str:
    """How many rows there are, and what of the file's rows is known."""
    found = wording.counted(seen.counts[model.StoredRow], "row")
    text = f"{'the first ' if seen.has_more else ''}{found}, {seen.counts[rows.Missing]:,} missing"
    if superseded := seen.counts[rows.Superseded]:
        text += f", {superseded:,} superseded: newer uploads have rows of their ids, `find` says which"
    if record.erasing:
        return f"{text} so far: {record.erasing} has begun, and deletes them"
    if not record.is_complete:
        return f"{text} so far: the upload is not complete, and its rows may still change"
    if record.is_expired(datetime.now(UTC)):
        return f"{text}: the rows of this upload expired on {record.rows_expire_at[:10]}"
    if not (counts := record.counts):
        return text
    counted = f"{text}. The ledger: {counts.read:,} read, {counts.stored:,} stored, {counts.rejected:,} rejected"
    return f"{counted}, {counts.superseded:,} superseded" if counts.superseded else counted


def _without_object(seen: _Seen, gone: ObjectGone, record: ledger.FileRecord, feed: DeployedFeed) -> str:
    """The counts that are known without the file, and how to know more."""
    if gone.by_etag:
        recorded = record.counts.stored if record.counts else 0
        found = wording.counted(seen.counts[model.StoredRow], "row")
        whether = "are missing or superseded" if feed.mode.supersedes else "are missing or on two lines"
        told = f"the table has {found}, the ledger counts {recorded:,}"
        return f"{told}, and only the file could tell whether rows {whether}"
    index = "" if feed.settings.database else "set file_index=true and deploy, or "
    return f"its ids are read there: {index}look for single ids with `find`"
