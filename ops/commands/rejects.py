"""`rejects`."""

import csv
import io
import sys
from collections.abc import Callable, Sequence
from typing import Literal, TextIO

import click

from csv_ingest.ledger import FileRecord
from csv_ingest.model import FileFormat
from ops import display, rows
from ops.commands import guards, options
from ops.pipeline import ObjectGone, Pipeline

FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the full-width ones are meant
"""With these, a spreadsheet takes a cell for a formula: https://owasp.org/www-community/attacks/CSV_Injection"""


@click.command(name="rejects", epilog="Example: python -m ops rejects incoming/orders.csv --csv > send-back.csv")
@click.argument("key")
@click.option("--csv", "csv_", is_flag=True, help="Print the rows as a CSV file, the reasons to standard error.")
@click.option("--spreadsheet", is_flag=True, help="With --csv: put ' before each cell that would be a formula.")
@options.as_json
@click.pass_obj
def rejects_command(find: options.Find, *, key: str, csv_: bool, spreadsheet: bool, json_: bool) -> None:
    """List rejected rows, or write them as CSV.

    Lines and reasons of the newest upload under KEY. With --csv, standard output is a file that can be corrected and
    uploaded: the header and the rejected rows with the cells of the file, written as the feed reads them. `end` stands
    in the place of footers. On a terminal, the cells are escaped.
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
        display.say(f"For the rows themselves: {display.command('rejects', '--csv', key=key)}", err=True)
    else:
        display.say(f"No row of {key} was rejected.")


def _write_csv(pipeline: Pipeline, key: str, record: FileRecord, *, spreadsheet: bool) -> None:
    """Write a file that its feed can read to standard output, and a line about each row to standard error."""
    for_terminal = sys.stdout.isatty()
    format_ = pipeline.feed_of(key).settings.format
    encoding = "utf-8" if for_terminal else format_.encoding
    text = io.TextIOWrapper(sys.stdout.buffer, encoding=encoding, newline="")
    # With all cells quoted, a spreadsheet that expects another delimiter begins no cell inside of one.
    write = _writer(text, format_, spreadsheet=spreadsheet)
    try:
        text.write("\r\n" * (format_.header_line - 1))
        for reject, cells in rows.rows_to_send_back(pipeline, record):
            write([display.escaped(cell) for cell in cells] if for_terminal else cells)
            text.flush()
            if reject:
                display.say(f"line {reject.line:,}: {reject.reason}", err=True)
        for _ in range(format_.footer_records):
            write(["end"])
        text.flush()
    except ObjectGone as error:
        raise click.ClickException(f"{error}: without --csv, the lines and the reasons are printed") from error
    except UnicodeEncodeError as error:
        reason = f"a rejected row has a character that is not in {encoding}, which the pipeline reads now"
        raise click.ClickException(f"{key}: {reason}") from error
    finally:
        text.detach()


def _writer(text: TextIO, format_: FileFormat, *, spreadsheet: bool) -> Callable[[Sequence[str]], object]:
    """The function that writes the cells of a record as the feed reads them."""
    escape = format_.escape
    if not format_.quote:
        return lambda cells: text.write(format_.delimiter.join(cells) + "\r\n")
    # With all cells quoted, a spreadsheet that expects another delimiter begins no cell inside of one.
    quoting: Literal[0, 1] = csv.QUOTE_ALL if spreadsheet else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=format_.delimiter, quotechar=format_.quote, quoting=quoting)

    def write(cells: Sequence[str]) -> object:
        cells = list(map(_as_text, cells)) if spreadsheet else cells
        return writer.writerow([cell.replace(escape, escape * 2) for cell in cells] if escape else cells)

    return write


def _as_text(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA_STARTS) else cell
