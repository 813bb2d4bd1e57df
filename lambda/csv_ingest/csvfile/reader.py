"""From a stream of bytes to records and rows. Pure: memory is bounded by the longest record, not by the file."""

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from csv_ingest.csvfile import columns, streams
from csv_ingest.model import BEGINNING, FileFormat, PartStart, RejectedRow, Row, UnreadableFile

MAX_RECORD = 1 << 20
"""Characters in one record. DynamoDB stores 400 KB per item, so a longer record is a quote that was never closed."""


class TooManyLines(Exception):
    """The text has more lines than its reader allows: a gzip file of 300 KB can have 300 million blank ones."""


def read_header(stream: streams.ByteStream, format_: FileFormat) -> tuple[int, list[str]]:
    """The line of the header and the names in it; no names if the file has no header.

    Raises UnreadableFile if no row can be read under these names.
    """
    return read_table(stream, format_)[:2]


def read_rows(
    stream: streams.ByteStream,
    format_: FileFormat,
    *,
    header: Sequence[str] | None = None,
    start: PartStart = BEGINNING,
) -> Iterator[Row | RejectedRow]:
    """Yield each record after the header, in file order; raises UnreadableFile with the place.

    A part of a file that begins after the header is read with the names of the `header` and the place where it begins.
    """
    records = read_records(stream, format_, start=start)
    names = next((cells for _, cells in records), []) if header is None else header
    if not names:
        return
    make_row = columns.row_maker(names, format_)
    for line, cells in records:
        yield make_row(line, cells)


def read_table(
    stream: streams.ByteStream, format_: FileFormat, *, max_lines: int = sys.maxsize
) -> tuple[int, list[str], Iterator[Row | RejectedRow]]:
    """The line of the header, the names in it, and each record after it, as `read_rows`; nothing without a header.

    Raises UnreadableFile, as the iterator does, and TooManyLines.
    """
    records = read_records(stream, format_, max_lines=max_lines)
    line, names = next(records, (1, []))
    if not names:
        return line, names, iter(())
    make_row = columns.row_maker(names, format_)
    return line, names, (make_row(number, cells) for number, cells in records)


def read_records(
    stream: streams.ByteStream, format_: FileFormat, *, start: PartStart = BEGINNING, max_lines: int = sys.maxsize
) -> Iterator[tuple[int, list[str]]]:
    """Yield each record, the header too, with its first line. Blank lines are no records; a UTF-8 BOM is no character.

    Cells are what Python's csv module reads, in its strict mode: quoted delimiters, quotes and newlines are part of
    the cell, and text after a closing quote is an error rather than a guess. Raises UnreadableFile with the place.
    """
    counted = streams.CountingStream(stream, start=start.byte)
    # Only at the beginning of a file is U+FEFF no character of its first cell.
    codec = "utf-8-sig" if format_.encoding == "utf-8" and start == BEGINNING else format_.encoding
    # newline="" leaves line ends to the csv module, or a quoted CRLF would not survive.
    numbered = _NumberedLines(io.TextIOWrapper(counted, encoding=codec, newline=""), start.line, max_lines)
    csv.field_size_limit(MAX_RECORD)  # the module's default is lower than what an item can hold
    try:
        for cells in csv.reader(numbered, delimiter=format_.delimiter, strict=True):
            if cells:
                yield numbered.first, cells
            numbered.begin_record()
    except UnicodeDecodeError as error:
        raise UnreadableFile(_not_decoded(error, counted.position, numbered.next, format_.encoding)) from None
    except UnicodeError as error:  # without a place: a UTF-16 file that does not begin with a byte order mark
        raise UnreadableFile(f"not {format_.encoding}: {error}") from None
    except csv.Error as error:
        advice = ": is a quote left open?" if str(error) == "unexpected end of data" else ""
        raise UnreadableFile(f"the record that starts on line {numbered.first:,}: {error}{advice}") from error


def _not_decoded(error: UnicodeDecodeError, position: int, line: int, encoding: str) -> str:
    """Why a file is not text, and what to do. What is before byte `position` and before `line` was read."""
    # The decoder sees the stream in pieces, each of which ends where reading has got to. A piece is decoded when no
    # whole line is left of the pieces before it.
    offset = position - len(error.object) + error.start
    before = error.object[: error.start].decode(error.encoding, "ignore")
    line += len(before.replace("\r\n", "\n").replace("\r", "\n").split("\n")) - 1
    other = "cp1252" if encoding == "utf-8" else "utf-8"
    return (
        f"byte {offset:,} (0x{error.object[error.start]:02x}) on line {line:,} is not {encoding}: "
        f"is the file {other}? set encoding={other}"
    )


class _NumberedLines:
    """The physical lines of the text; knows on which line the current record began and how long the record is."""

    def __init__(self, text: TextIO, first_line: int, max_lines: int) -> None:
        self._text = text
        self._last = first_line - 1 + max_lines
        self._count = first_line - 1
        self._record_size = 0
        self.first = first_line
        """Of the current record: the number of its first line."""

    @property
    def next(self) -> int:
        """The number of the line that is read next."""
        return self._count + 1

    def begin_record(self) -> None:
        """Begin a new record at the next line."""
        self.first = self.next
        self._record_size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_RECORD + 1)
        if not line:
            raise StopIteration
        self._count += 1
        if self._count > self._last:
            raise TooManyLines(self._last)
        self._record_size += len(line)
        if self._record_size > MAX_RECORD:
            raise UnreadableFile(
                f"the record that starts on line {self.first:,} has more than {MAX_RECORD:,} characters: "
                "is a quote left open?"
            )
        if "\0" in line:
            raise UnreadableFile(f"line {self._count:,} has a NUL byte")
        return line
