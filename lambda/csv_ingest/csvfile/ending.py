"""What at the end of a file is no row: the footers, and a last line of Ctrl-Z, which DOS ended files with. Pure."""

import sys
from collections import deque
from collections.abc import Iterator

from csv_ingest.csvfile.records import Record
from csv_ingest.model import UnreadableFile

CTRL_Z = ["\x1a"]

MAX_HELD = 4 << 20
"""Characters of the records that a function holds back: two of the longest, or a hundred of 40 KB."""

OVERHEAD = 64
"""Characters that a record counts beside its own."""


class Ending:
    """Holds back the records that may be the end of a file, until more records follow."""

    def __init__(self, footers: int, *, max_held: int = sys.maxsize) -> None:
        """The records that are held back may have `max_held` characters."""
        self._footers, self._max_held = footers, max_held
        self.held: deque[Record] = deque()
        """The end of the file, once all records were read."""
        self._count = 0
        self._characters = 0
        self.has_rows = False
        """Whether a record was let go, so that all of the ending is after it."""

    def rows(self, records: Iterator[Record]) -> Iterator[Record]:
        """Yield the records that are not the end. Raises UnreadableFile if too much is held back."""
        if not self._footers:
            yield from self._without_ctrl_z(records)
            return
        for record in records:
            self._hold(record)
            while self._is_too_many:
                self.has_rows = True
                yield self._let_go()

    def _without_ctrl_z(self, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            if self.held:  # it is not the last one
                self.has_rows = True
                yield self.held.pop()
            if record[1] == CTRL_Z:
                self.held.append(record)
            else:
                self.has_rows = True
                yield record

    @property
    def _is_too_many(self) -> bool:
        """Whether the first record is let go: enough others may be footers, or it is a Ctrl-Z above all of them."""
        return self._count > self._footers or (self._count == self._footers and self.held[0][1] == CTRL_Z)

    def _hold(self, record: Record) -> None:
        self.held.append(record)
        self._count += record[1] != CTRL_Z
        self._characters += _size(record)
        if self._characters > self._max_held:
            raise UnreadableFile(
                f"from line {self.held[0][0]:,} on, {len(self.held):,} records may be the end with footer_records="
                f"{self._footers}, and are more than the {self._max_held:,} characters that can be held back: lower it"
            )

    def _let_go(self) -> Record:
        record = self.held.popleft()
        self._count -= record[1] != CTRL_Z
        self._characters -= _size(record)
        return record

    @property
    def line(self) -> int:
        """The first line of the end of the file, once all records were read; 0 if each record is a row."""
        return self.held[0][0] if self.held else 0


def _size(record: Record) -> int:
    return sum(map(len, record[1])) + OVERHEAD
