"""The records of a file, with the line on which each begins. Pure: memory is bounded by the longest record."""

import csv
import re
import sys
from collections.abc import Iterator
from itertools import chain

from csv_ingest.csvfile import streams
from csv_ingest.csvfile.text import MAX_RECORD, Lines
from csv_ingest.csvfile.tokens import Tokens
from csv_ingest.model import BEGINNING, FileFormat, PartStart, UnreadableFile

Record = tuple[int, list[str]]
"""The first line of a record, and its cells."""

_SEP = re.compile(r'"?sep=([\t!-/:-@\[-`{-~])"?[\r\n]*', re.IGNORECASE)
"""What Excel writes and reads as the first line of a file, to say the delimiter."""


class Records:
    """Yields each record from the header on, with its first line. Lines above a header whose line is set are skipped.

    A blank line is no record, nor is one whose cells are all empty; a mark at the beginning is no character. Cells are
    what Python's csv module reads, in its strict mode: quoted delimiters, quotes and newlines are part of the cell, and
    text after a closing quote is an error rather than a guess. Raises UnreadableFile with the place, and TooManyLines.
    """

    def __init__(
        self,
        stream: streams.ByteStream,
        format_: FileFormat,
        *,
        start: PartStart = BEGINNING,
        max_lines: int = sys.maxsize,
    ) -> None:
        self.format = format_
        """How the file is read: with the delimiter that its first line says, if it says one."""
        self._lines = Lines(stream, format_, start=start, max_lines=max_lines)
        self._text: Iterator[str] = self._lines
        if start == BEGINNING and format_.rules > 1:
            self._begin()

    @property
    def position(self) -> int:
        """The place in the file up to which its bytes were read."""
        return self._lines.position

    @property
    def is_empty(self) -> bool:
        """Whether the file has no line. Known before the first record is read only if lines are skipped."""
        return self._lines.next == 1

    def _begin(self) -> None:
        first = next(self._lines, "")
        if delimiter := said_delimiter(first, self.format):
            self.format = self.format.delimited_by(delimiter)
        elif self.format.header_line <= 1:
            self._text = chain([first] if first else [], self._lines)
            return
        self._lines.begin_record()
        while self._lines.next < self.format.header_line and next(self._lines, ""):
            self._lines.begin_record()

    def __iter__(self) -> Iterator[Record]:
        format_ = self.format
        of_empty_cells, lines = format_.rules == 1, self._lines
        csv.field_size_limit(MAX_RECORD)  # the module's default is lower than what an item can hold
        try:
            for cells in _cells(self._text, format_):
                if cells and (cells[0] or any(cells) or of_empty_cells):
                    yield lines.first, cells
                lines.begin_record()
        except csv.Error as error:
            advice = ": is a quote left open?" if str(error) == "unexpected end of data" else ""
            raise UnreadableFile(f"the record that starts on line {lines.first:,}: {error}{advice}") from error


def said_delimiter(line: str, format_: FileFormat) -> str:
    """The delimiter that the first line of a file says; empty if it is no such line."""
    found = _SEP.fullmatch(line)
    return found[1] if found and found[1] not in (format_.quote, format_.escape) else ""


def _cells(lines: Iterator[str], format_: FileFormat) -> Iterator[list[str]]:
    if format_.escape or format_.trim:
        return iter(Tokens(lines, format_))
    return csv.reader(
        lines,
        delimiter=format_.delimiter,
        quotechar=format_.quote or None,
        quoting=csv.QUOTE_MINIMAL if format_.quote else csv.QUOTE_NONE,
        strict=True,
    )


def read_records(stream: streams.ByteStream, format_: FileFormat, *, start: PartStart = BEGINNING) -> Iterator[Record]:
    """Yield each record, as Records does."""
    yield from Records(stream, format_, start=start)
