"""The physical lines of a text, counted and bounded."""

from collections.abc import Iterator
from typing import TextIO

from csv_ingest.model import UnreadableFile

MAX_RECORD = 1 << 20
"""Characters in one record. DynamoDB stores 400 KB per item, so a longer record is a quote that was never closed."""


class TooManyLines(Exception):
    """The text has more lines than its reader allows: a gzip file of 300 KB can have 300 million blank ones."""


class NumberedLines:
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
