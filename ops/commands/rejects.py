"""`rejects`."""

import io
import sys

import click

from csv_ingest import sending_back
from csv_ingest.escaping import escaped
from csv_ingest.ledger import FileRecord

from .. import display, rows
from ..pipeline import ObjectGone, Pipeline
from . import guards, options


@click.command(name="rejects", epilog="Example: csv-ingest rejects incoming/orders.csv --csv > send-back.csv")
@click.argument("key")
@click.option("--csv", "csv_", is_flag=True, help="Print the rows as a CSV file, the reasons to standard error.")
@click.option("--spreadsheet", is_flag=True, help="With --csv: put ' before each cell that would be a formula.")
@options.as_json
@click.pass_obj
def rejects_command(find: options.Find, *, key: str, csv_: bool, spreadsheet: bool, json_: bool) -> None:
    """List rejected rows, or write them as CSV.

    Lines and reasons of the newest upload under KEY; if the ledger has not all of them, the file is read. With --csv,
    standard output is a file that can be corrected and uploaded: the header and the rejected rows with the cells of the
    file, written as the feed reads them. `end` stands in the place of footers. On a terminal, the cells are escaped.
    """
    if (csv_ and json_) or (spreadsheet and not csv_):
        raise click.UsageError("--csv and --json exclude each other, and --spreadsheet needs --csv")
    pipeline = find()
    record = guards.record_with_rows(pipeline, key)
    if csv_:
        _write_csv(pipeline, key, record, spreadsheet=spreadsheet)
        return
    found = rows.rejected_rows(pipeline, record)
    if json_:
        display.print_json([reject._asdict() for reject in found])
        return
    number = 0
    for number, reject in enumerate(found, 1):  # noqa: B007 - the last number is the sum
        display.say(f"line {reject.line:,}: {reject.reason}")
    if number:
        _warn_of_newer_rows(pipeline, key)
        display.say(f"For the rows themselves: {display.command('rejects', '--csv', key=key)}", err=True)
    else:
        display.say(f"No row of {key} was rejected.")


def _warn_of_newer_rows(pipeline: Pipeline, key: str) -> None:
    """In a feed that merges, a correction is the newest upload, and would replace rows of newer files."""
    feed = pipeline.feed_of(key)
    if feed.mode.supersedes:
        found = display.command("find", "ID", "--feed", feed.name)
        display.say(
            "The feed merges, and a correction is the newest upload: leave out rows whose id a newer file has, or it "
            f"replaces them. To look: {found}",
            err=True,
        )


def _write_csv(pipeline: Pipeline, key: str, record: FileRecord, *, spreadsheet: bool) -> None:
    """Write a file that its feed can read to standard output, and a line about each row to standard error."""
    for_terminal = sys.stdout.isatty()
    format_ = pipeline.feed_of(key).settings.format
    encoding = "utf-8" if for_terminal else format_.encoding
    text = io.TextIOWrapper(sys.stdout.buffer, encoding=encoding, newline="")
    write = sending_back.writer(text, format_, spreadsheet=spreadsheet)
    try:
        sending_back.begin(text, format_)
        for reject, cells in rows.rows_to_send_back(pipeline, record):
            write([escaped(cell) for cell in cells] if for_terminal else cells)
            text.flush()
            if reject:
                display.say(f"line {reject.line:,}: {reject.reason}", err=True)
        sending_back.end(write, format_)
        text.flush()
        _warn_of_newer_rows(pipeline, key)
    except ObjectGone as error:
        raise click.ClickException(f"{error}: without --csv, the lines and the reasons are printed") from error
    except UnicodeEncodeError as error:
        reason = f"a rejected row has a character that is not in {encoding}, which the pipeline reads now"
        raise click.ClickException(f"{key}: {reason}") from error
    finally:
        text.detach()
