"""Rejected rows as a file that their feed reads: to be corrected, and uploaded again."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, TextIO

from csv_ingest import csvfile
from csv_ingest.model import FileFormat, RejectedRow

FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the full-width ones are meant
"""With these, a spreadsheet takes a cell for a formula: https://owasp.org/www-community/attacks/CSV_Injection"""

LineWriter = Callable[[Sequence[str]], object]


def rows_to_send_back(
    stream: csvfile.ByteStream, format_: FileFormat, rejects: Iterable[RejectedRow]
) -> Iterator[tuple[RejectedRow | None, list[str]]]:
    """Yield the header's cells with None, if the file has one; then each rejected row with its cells in the file.

    `rejects` come by line. Raises UnreadableFile if the file is not what it was.
    """
    table = csvfile.read_table(stream, format_)
    if table.line:
        yield None, list(table.header)
    for rejected in rejects:
        for line, cells in table.records:  # both are in the order of the file
            if line == rejected.line:
                yield rejected, cells
                break


def writer(text: TextIO, format_: FileFormat, *, spreadsheet: bool = False) -> LineWriter:
    """The function that writes the cells of a record as a feed with a format reads them.

    For a `spreadsheet`, ' stands before each cell that would be a formula.
    """
    escape = format_.escape
    if not format_.quote:
        special = re.compile(f"[{re.escape(escape + format_.delimiter)}\r\n]")

        def write_unquoted(cells: Sequence[str]) -> object:
            written = [special.sub(lambda found: escape + found[0], cell) for cell in cells] if escape else cells
            return text.write(format_.delimiter.join(written) + "\r\n")

        return write_unquoted
    # With all cells quoted, a spreadsheet that expects another delimiter begins no cell inside of one.
    quoting: Literal[0, 1] = csv.QUOTE_ALL if spreadsheet else csv.QUOTE_MINIMAL
    lines = csv.writer(text, delimiter=format_.delimiter, quotechar=format_.quote, quoting=quoting)

    def write(cells: Sequence[str]) -> object:
        cells = list(map(_as_text, cells)) if spreadsheet else cells
        return lines.writerow([cell.replace(escape, escape * 2) for cell in cells] if escape else cells)

    return write


def begin(text: TextIO, format_: FileFormat) -> None:
    """Write what stands above the header of a file with a format."""
    text.write("\r\n" * (format_.header_line - 1))


def end(write: LineWriter, format_: FileFormat) -> None:
    """Write what stands below the rows of a file with a format."""
    for _ in range(format_.footer_records):
        write(["end"])


def _as_text(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA_STARTS) else cell
