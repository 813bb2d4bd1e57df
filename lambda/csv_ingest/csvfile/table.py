"""The header of a file, and the rows below it. Pure."""

import sys
from collections.abc import Iterator, Sequence
from itertools import starmap, takewhile
from typing import NamedTuple

from csv_ingest.csvfile import header as headers
from csv_ingest.csvfile import streams
from csv_ingest.csvfile.columns import Make, row_maker
from csv_ingest.csvfile.ending import Ending
from csv_ingest.csvfile.records import Record, Records
from csv_ingest.model import BEGINNING, NO_HEADER, SEARCH, FileFormat, PartStart, RejectedRow, Row, UnreadableFile

Rows = Iterator[Row | RejectedRow]

NOT_HEADED = (1, list[str]())


class Table(NamedTuple):
    """A file that is open, and read to its header."""

    format: FileFormat
    """As Records.format."""
    line: int
    """Of the header; 0 if the file has none."""
    header: Sequence[str]
    """The names of its columns; none of a file without a record."""
    records: Iterator[Record]
    """Below the header, in file order; those at the end of the file, too, which are no rows."""
    make: Make
    """Makes a row of a record."""

    def rows(self, *, max_held: int = sys.maxsize) -> Rows:
        """Yield each row in file order. Raises UnreadableFile with the place, as Ending does, and TooManyLines."""
        ending = Ending(self.format.footer_records, max_held=max_held)
        records = self.records if self.format.rules == 1 else ending.rows(self.records)
        return starmap(self.make, records)


def read_table(stream: streams.ByteStream, format_: FileFormat, *, max_lines: int = sys.maxsize) -> Table:
    """Read the header of a file. Raises UnreadableFile if no row can be read below it, and TooManyLines."""
    records = Records(stream, format_, max_lines=max_lines)
    all_ = iter(records)
    line, names = _read_header(records, all_)
    if not names:
        return Table(records.format, line, names, iter(()), _make_nothing)
    return Table(records.format, line, names, all_, row_maker(names, records.format))


def read_header(stream: streams.ByteStream, format_: FileFormat) -> tuple[int, Sequence[str]]:
    """The line of the header and the names in it; no names if the file has no header. Raises as `read_table`."""
    table = read_table(stream, format_)
    return table.line, table.header


def read_rows(stream: streams.ByteStream, format_: FileFormat) -> Rows:
    """Yield each row of a whole file, in file order. Raises UnreadableFile with the place."""
    yield from read_table(stream, format_).rows()


def read_part(
    stream: streams.ByteStream, format_: FileFormat, header: Sequence[str], *, start: PartStart, end_line: int
) -> Rows:
    """Yield each row of a part of a file, in file order, as `read_rows`.

    Where the part begins, where the rows of the file end, and what its header is, were found when it was planned.
    """
    if not header:  # of a plan that an earlier release made of a file without a record
        return iter(())
    make, records = row_maker(header, format_), read_part_records(stream, format_, start=start)
    if end_line < sys.maxsize:
        records = takewhile(lambda record: record[0] < end_line, records)
    return starmap(make, records)


def read_part_records(stream: streams.ByteStream, format_: FileFormat, *, start: PartStart) -> Iterator[Record]:
    """Yield each record below the header of a part of a file. Raises UnreadableFile with the place."""
    if start == BEGINNING:
        return read_table(stream, format_).records
    return iter(Records(stream, format_, start=start))


def _read_header(records: Records, all_: Iterator[Record]) -> tuple[int, Sequence[str]]:
    format_ = records.format
    if format_.header == NO_HEADER:
        return 0, format_.header_names
    if format_.header == SEARCH:
        return headers.search(all_, records)
    found = next(all_, NOT_HEADED)
    if not found[1] and format_.header_line > 1 and not records.is_empty:
        raise UnreadableFile(f"header: the file has no record from line {format_.header_line:,} on")
    return found


def _make_nothing(line: int, record: list[str]) -> Row | RejectedRow:
    raise NotImplementedError(f"{record} on line {line}: a file without a header has no records")
