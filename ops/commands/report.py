"""`report`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from .. import display, reporting
from . import guards, options


@click.command(name="report", epilog="Example: csv-ingest report --html report.html --since 30d")
@click.option("--html", "file", required=True, metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Where to write the page.")  # fmt: skip
@options.feed
@click.option("--since", type=options.SINCE, default="7d", show_default=True, help="12h, 90m, 2w, or 2026-11-21.")
@click.pass_obj
def report_command(find: options.Find, *, file: Path, feed: str | None, since: datetime) -> None:
    """Write a page about the uploads of a time, in one HTML file.

    Files by outcome, rows per hour, times from upload to complete, rejected rows by reason and column, what waits,
    what it cost, and a line for each of 1,000 files. Rejected rows are those of the latest 500 files with some, 200 of
    each. The page has no contents of rows, and loads nothing from anywhere. Exit code 0, whatever it says.
    """
    pipeline = find()
    guards.refuse_without_index(pipeline)
    feeds = options.feeds_named(pipeline, feed)
    with display.working("reading the ledger") as show:
        page = reporting.report(pipeline, feeds, since=since, until=datetime.now(UTC), progress=show)
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
    display.say(f"The report: {file}")
