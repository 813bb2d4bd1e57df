"""Where the header of a file is, or that it has none."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from csv_ingest.csvfile.records import Record

from ..wording import counted
from . import kinds

SEARCHED = 1_000
"""Records among which the header is looked for, as many as `header=search` reads."""

_TYPED = (kinds.NUMBER, kinds.MOMENT)
_NAMES = (kinds.WORD, kinds.CODE)
_MOST = 0.8


class Head(NamedTuple):
    """What is above the rows of a file."""

    line: int
    """Of the header; 0 if there is none."""
    names: list[str]
    above: list[list[str]]
    """Records above the header, or above the first row."""
    first: int
    """The line from which on records are rows."""
    why: str


def find(records: Sequence[Record]) -> Head:
    """The head of a file, from its first records, of which there is one at least."""
    at = _top(records)
    line, top = records[at]
    above = [cells for _, cells in records[:at]]
    following = [cells for _, cells in records[at + 1 :] if len(cells) == len(top)]
    below = [cells for cells in following if cells != top]
    is_repeated = len(below) < len(following)  # as in files that were put one after the other
    for_header, for_data = _votes(top, below)
    repeats = any(cell and cell in {cells[place] for cells in below} for place, cell in enumerate(top))
    is_data = for_data > for_header or (for_data == for_header and (repeats or _has_typed(top)) and not is_repeated)
    if is_data:
        why = (
            f"the first record of {len(top)} fields has what the records below have: it is a row. The names are made up"
        )
        return Head(0, [f"column_{number}" for number in range(1, len(top) + 1)], above, line, why)
    typed = f"{counted(for_header, 'column')} of numbers or dates below"
    why = f"its cells are names, with {typed}" if for_header else "nothing tells it from a row but that it comes first"
    return Head(line, top, above, line + 1, why)


def _top(records: Sequence[Record]) -> int:
    """The index of the first record that is as wide as the table, and more than half filled."""
    usual = Counter(len(cells) for _, cells in records if len(cells) > 1).most_common(1)
    width = usual[0][0] if usual else 1
    for index, (_, cells) in enumerate(records):
        if len(cells) == width and sum(map(bool, cells)) * 2 > width:
            return index
        if len(cells) > width and _is_wide_header(cells, records[index + 1 :]):
            return index
    return next((index for index, (_, cells) in enumerate(records) if len(cells) == width), 0)


def _is_wide_header(cells: list[str], below: Sequence[Record]) -> bool:
    """Whether a record names more columns than most records have, all of them, and none has more."""
    are_names = all(kinds.kind(cell) in _NAMES for cell in cells) and len(set(cells)) == len(cells)
    return are_names and all(len(each) <= len(cells) for _, each in below)


def _votes(top: list[str], below: list[list[str]]) -> tuple[int, int]:
    """How many columns say that a record is a header, and how many that it is a row."""
    for_header = for_data = 0
    for place, cell in enumerate(top):
        found = Counter(kinds.kind(cells[place]) for cells in below)
        filled = found.total() - found[kinds.EMPTY]
        typed = sum(found[each] for each in _TYPED)
        if filled and typed >= filled * _MOST:
            for_header += kinds.kind(cell) in _NAMES
            for_data += kinds.kind(cell) in _TYPED
    return for_header, for_data


def _has_typed(top: list[str]) -> bool:
    return any(kinds.kind(cell) in _TYPED for cell in top)
