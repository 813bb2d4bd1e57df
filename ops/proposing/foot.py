"""Which records at the end of a file are no rows: those of another width, and total lines."""

import re
from collections import Counter
from collections.abc import Sequence

from csv_ingest.csvfile.records import Record

from . import kinds

MAX_TAIL = 10
"""Records at the end of a file that are looked at."""

MAX_FOOTERS = 5
"""Of the width of rows. More of them cannot be told from rows that are nearly empty."""

_FEWEST_ROWS = 2
"""With which records of the same width are compared."""

_FEWEST_MISSING = 2
"""Columns that a record lacks. A row lacks a single one by mistake, and has to be rejected rather than left out."""

_TYPED = {kinds.NUMBER, kinds.MOMENT}

_TOTAL = re.compile(
    r"(sub)?total|sum(me)?|gesamt|somme|end(e)?|eof|trailer|records|rows|count|saldo|balance", re.IGNORECASE
)


class Profile:
    """Which kinds of cells each column has, in the rows of a file."""

    def __init__(self, width: int) -> None:
        self._kinds: list[Counter[str]] = [Counter() for _ in range(width)]
        self.rows = 0

    def add(self, cells: Sequence[str]) -> None:
        self.rows += 1
        for found, cell in zip(self._kinds, cells, strict=True):
            found[kinds.kind(cell)] += 1

    def with_rows(self, records: Sequence[Record]) -> "Profile":
        """The profile of these records, too."""
        more = Profile(len(self._kinds))
        more._kinds = [Counter(each) for each in self._kinds]
        more.rows = self.rows
        for _, cells in records:
            more.add(cells)
        return more

    def is_foot(self, cells: Sequence[str]) -> bool:
        """Whether a record lacks most of what all rows have: it has nothing there, or a word for a number or a date.

        If it begins with a word for a total, it is enough that one column has another kind of cell.
        """
        always = [(found, kinds.kind(cell)) for found, cell in zip(self._kinds, cells, strict=True) if _is_full(found)]
        other = [(found, kind) for found, kind in always if not found[kind]]
        if _is_total(cells):
            return bool(other)
        missing = [found for found, kind in other if kind == kinds.EMPTY or found.keys() <= _TYPED]
        # What comes first names the record. If it is there, the record is a row, however little else it has.
        return len(missing) >= max(_FEWEST_MISSING, len(always) // 2 + 1) and missing[0] is always[0][0]


def _is_full(found: Counter[str]) -> bool:
    return bool(found) and not found[kinds.EMPTY]


def of_other_width(tail: Sequence[Record], width: int, *, fills: bool) -> int:
    """How many records at the end have fewer cells than the rows; if short rows are filled, none has.

    A wider record is a row with a delimiter too many, unless it begins with a word for a total.
    """
    count = 0
    for _, cells in reversed(tail):
        if len(cells) == width or not (_is_total(cells) or (len(cells) < width and not fills)):
            break
        count += 1
    return count


def _is_total(cells: Sequence[str]) -> bool:
    return _TOTAL.match(next((cell.strip() for cell in cells if cell.strip()), "")) is not None


def of_same_width(tail: Sequence[Record], profile: Profile) -> int:
    """How many records at the end, of the width of rows, are no rows, as the profile of those before the tail says."""
    for count in range(1, min(MAX_FOOTERS, len(tail)) + 1):
        before = profile.with_rows(tail[:-count])
        if before.rows < max(_FEWEST_ROWS, count * 2):
            return 0
        if all(before.is_foot(cells) for _, cells in tail[-count:]):
            return count
    return 0
