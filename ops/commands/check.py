"""`check`."""

import sys
from pathlib import Path

import click

from csv_ingest.model import Row, RowKey, StoredRow

from .. import checking, display, feed_file, local_files, other_feeds, wording
from . import options, stored

SHOWN_REJECTS = 20

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(name="check", epilog="Example: csv-ingest check orders.csv --settings orders.json")
@click.argument("file", type=FILE)
@click.option("--feed", metavar="NAME", help="The deployed feed that would read it; needed if there are several.")
@click.option("--settings", type=FILE, help="The settings of a feed, as `propose` prints them; nothing is deployed.")
@options.as_json
@click.pass_obj
def check_command(find: options.Find, *, file: Path, feed: str | None, settings: Path | None, json_: bool) -> None:
    """Say what would become of FILE, and upload nothing.

    The file is read here, with the settings of the deployed feed, or with those of a file. Exit code 1 unless every row
    would be stored.
    """
    if feed and settings:
        raise click.UsageError("--feed names a deployed feed, and --settings has those of another: give one of them")
    pipeline = None if settings else find()
    chosen = options.one_feed(pipeline, feed) if pipeline else None
    with display.working(f"reading {file.name}") as show:
        read_as: checking.AnyFeed = chosen or feed_file.read(settings or file)
        checked = checking.check(read_as, file, shown=None if json_ else SHOWN_REJECTS, progress=show)
        if checked.reason and pipeline:
            checked.remark = other_feeds.advice(pipeline, chosen, lambda: local_files.open_file(file))
    if not checked.is_ingested:
        endings = ", ".join(f"*{suffix}" for suffix in read_as.settings.key_suffixes)
        display.say(f"{file.name} would not be ingested under this name: only {endings} is", err=True)
    if json_:
        display.print_json(_as_json(checked))
    else:
        _print(checked)
    sys.exit(0 if checked.is_good else 1)


def _as_json(checked: checking.Checked) -> dict[str, object]:
    return {
        "status": "REJECTED" if checked.reason else "COMPLETE",
        "reason": checked.reason,
        **({"remark": checked.remark} if checked.remark else {}),
        "is_ingested": checked.is_ingested,
        "header": list(checked.header),
        "header_line": checked.header_line,
        "first_rows": [stored.as_json(_as_stored(row)) for row in checked.first_rows],
        "rows_read": checked.rows,
        "rows_stored": checked.stored,
        "rows_rejected": checked.rejected,
        "parts": checked.parts,
        "write_units": checked.write_units,
        "dollars": round(checked.dollars, 6),
        "rejects": [reject._asdict() for reject in checked.rejects],
    }


def _print(checked: checking.Checked) -> None:
    if checked.reason:
        display.say(f"It would be REJECTED, and no row be stored: {checked.reason}")
        if checked.remark:
            display.say(checked.remark)
        return
    if checked.header:
        where = f"line {checked.header_line:,}" if checked.header_line else "the settings"
        display.say(f"header: {', '.join(checked.header)} ({where})")
    for row in checked.first_rows:
        display.say(f"line {row.line:,} would be stored: {stored.as_text(_as_stored(row))}")
    for reject in checked.rejects:
        display.say(f"line {reject.line:,}: {reject.reason}")
    if (more := checked.rejected - len(checked.rejects)) > 0:
        display.say(f"and {more:,} more: --json lists all")
    pieces = f"in {wording.counted(checked.parts, 'part')}" if checked.parts else "in one piece"
    rows = wording.counted(checked.rows, "row")
    display.say(f"{rows}, read {pieces}: {checked.stored:,} stored, {checked.rejected:,} rejected")
    cost = f"{checked.dollars:,.6f} dollars in us-east-1"
    display.say(f"about {wording.counted(checked.write_units, 'write unit')} of DynamoDB, {cost}, if the file is new")


def _as_stored(row: Row) -> StoredRow:
    """A row as `rows` would show it."""
    return StoredRow(RowKey("", row.id), "", row.line, row.data, row.values)
