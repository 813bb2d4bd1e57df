"""The trial of a file: its rows, or those of its first part, are read before any of them is stored."""

import sys
from collections.abc import Callable

from csv_ingest import csvfile
from csv_ingest.acceptance import Acceptance, Tally
from csv_ingest.model import FileFormat, RejectedRow, Row, Tuning

MAX_KEPT_CHARACTERS = 32 << 20
"""Characters of rows that are kept in memory."""

Records = list[Row | RejectedRow]


class Trial:
    """One reading of a file's rows."""

    def __init__(self, acceptance: Acceptance | None, tuning: Tuning, *, of_beginning: bool = False) -> None:
        """`of_beginning` says whether the first part of the file is read, and not the whole file."""
        self._acceptance = acceptance
        self._of_beginning = of_beginning
        self._max_lines = tuning.part_lines if of_beginning else tuning.whole_lines
        self._max_bytes = tuning.part_bytes if of_beginning else tuning.whole_bytes
        self._characters = 0

    def run(
        self,
        stream: csvfile.ByteStream,
        format_: FileFormat,
        *,
        on_row: Callable[[int], None] | None = None,
        max_lines: int = sys.maxsize,
    ) -> tuple[csvfile.Table, Records | None]:
        """Read a file from its first byte; returns its header and its rows, None if those are too many to be kept.

        If they are too many, the file is read to its end only if `on_row` is given, which gets the number of each row.
        Raises UnreadableFile if the file is not to be accepted, or cannot be read as far as that, and TooManyLines.
        """
        counted = csvfile.CountingStream(stream)
        table = csvfile.read_table(counted, format_, max_lines=max_lines)
        tally = Tally(self._acceptance, table.header, remember=self._max_lines) if self._acceptance else None
        kept: Records | None = []
        for number, row in enumerate(table.rows(max_held=csvfile.MAX_HELD), start=1):
            if kept is not None and self._has_room(row, row.line - table.line, counted.position):
                kept.append(row)
            else:
                kept = None
                if not on_row:
                    break
            if on_row:
                on_row(number)
            if tally:
                tally.add(row, counted.position)
        if tally:
            tally.require_acceptable(counted.position)
        return table, None if self._of_beginning else kept

    def _has_room(self, row: Row | RejectedRow, lines: int, position: int) -> bool:
        """Whether one more row is kept, so many lines below the header, of a file that was read up to a position."""
        self._characters += row.characters if isinstance(row, Row) else 0
        return lines <= self._max_lines and position <= self._max_bytes and self._characters <= MAX_KEPT_CHARACTERS
