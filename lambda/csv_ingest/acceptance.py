"""Which files are accepted, judged by their rows before the first one is stored. Pure.

Each rejected row is an item of the ledger, and the names of the columns are stored with each row. So the number of
rejected rows, and what storing the rows costs, have to be in proportion to the file.
"""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from csv_ingest.model import RejectedRow, Row, UnreadableFile, fingerprint
from csv_ingest.modes import duplicate

FEW = 100
"""Rejected rows that a file may have, whatever share of its rows they are."""

SHOWN_REASONS = 5

MAX_NAME = 255
"""Characters in the name of a column."""

MAX_NAMES = 100_000
"""Characters in the names of all columns, as JSON: one item of 400 KB takes them and the plan of a file in parts."""

KB = 1_024

ROW_OVERHEAD = 200
"""Characters of a row beside its `data` and its values: its key, and the names of its attributes."""

UNITS_PER_FILE, UNITS_PER_KB = 10_000, 16
"""Write units that the rows of a file may take beside one per row: per file, and per KB of the file, uncompressed.

A row takes one for each KB that it has begun. So a file of 150 columns with names of 15 characters is accepted though
nearly all cells are empty, and so are the answers to a form whose column names are whole questions.
"""

HOPELESS = 10_000
"""Units beyond that bound after which no more rows are read: what follows would have to make up for it."""


class MaxRejected(NamedTuple):
    """How many rejected rows a file may have. Without either field, any number."""

    rows: int | None = None
    percent: int | None = None
    """Of the rows that were read, if more than a hundred are rejected."""

    @classmethod
    def parse(cls, text: str | None) -> "MaxRejected":
        """A number of rows, a share such as `50%`, or None, which is no limit."""
        if text is None:
            return cls()
        if text.endswith("%"):
            return cls(percent=int(text.removesuffix("%")))
        return cls(rows=int(text))

    def __str__(self) -> str:
        return f"{self.percent}%" if self.rows is None else f"{self.rows:,}"

    def is_exceeded(self, rejected: int, read: int) -> bool:
        if self.rows is not None:
            return rejected > self.rows
        return self.percent is not None and rejected > FEW and rejected * 100 > self.percent * read


class Acceptance(NamedTuple):
    """What a file has to be to be accepted."""

    max_bytes: int
    max_rejected: MaxRejected
    refusal: Callable[[Row], str | None]
    """Why the destination can never store a row; None if it can."""


class Tally:
    """Counts the rows of a file, or of its beginning, by what would become of them."""

    def __init__(self, acceptance: Acceptance, header: Sequence[str], *, remember: int) -> None:
        """Duplicate ids are found among so many first rows. Raises UnreadableFile if no such header is accepted."""
        _require_names(header)
        self._acceptance = acceptance
        self._remember = remember
        self._first: dict[str, Row] = {}
        self._rows = 0
        self._rejected = 0
        self._reasons: list[str] = []
        self._units = 0

    def add(self, record: Row | RejectedRow, position: int) -> None:
        """Count a record of a file that was read up to `position`. Raises UnreadableFile if the file is hopeless."""
        self._rows += 1
        if isinstance(record, Row):
            self._units += -(-(record.characters + ROW_OVERHEAD) // KB)
            self._require_proportion(position, excess=HOPELESS)
        if reason := self._reason(record):
            self._rejected += 1
            if len(self._reasons) < SHOWN_REASONS:
                self._reasons.append(f"line {record.line:,}: {reason}")

    def require_acceptable(self, position: int) -> None:
        """Raise UnreadableFile if the file is not to be accepted by the records that were read up to `position`."""
        self._require_proportion(position)
        allowed, read = self._acceptance.max_rejected, self._rows
        if allowed.is_exceeded(self._rejected, read):
            raise UnreadableFile(
                f"of the first {read:,} rows, {self._rejected:,} would be rejected, and max_rejected={allowed} "
                f"allows fewer: {'; '.join(self._reasons)}: correct the file, or the settings"
            )

    def _require_proportion(self, position: int, *, excess: int = 0) -> None:
        """Raise UnreadableFile if the rows that were read up to `position` would take too many units."""
        if self._units > UNITS_PER_FILE + self._rows + position * UNITS_PER_KB // KB + excess:
            raise UnreadableFile(
                f"its first {self._rows:,} rows would take {self._units:,} KB, which is out of proportion to the file: "
                "the names of the columns are stored with each row: shorten the names, or leave out columns"
            )

    def _reason(self, record: Row | RejectedRow) -> str | None:
        if isinstance(record, RejectedRow):
            return record.reason
        if reason := self._acceptance.refusal(record):
            return reason
        first = self._first.get(record.id)
        if first is None:
            if len(self._first) < self._remember:
                self._first[record.id] = record
        elif fingerprint(first, first.values) != fingerprint(record, record.values):
            return duplicate(record, first.line).reason
        return None


def _require_names(names: Sequence[str]) -> None:
    """Raise UnreadableFile if the names of the columns are too long to be stored with each row."""
    if (characters := len(json.dumps(names))) > MAX_NAMES:
        raise UnreadableFile(
            f"header: the names of the {len(names):,} columns have {characters:,} characters, and {MAX_NAMES:,} are "
            "allowed: shorten the names, or leave out columns"
        )
    for number, name in enumerate(names, start=1):
        if len(name) > MAX_NAME:
            raise UnreadableFile(
                f"header: the name of column {number:,} has {len(name):,} characters, and {MAX_NAME} are allowed: "
                "shorten the name"
            )
