"""Which columns identify the rows of each file: no file has their cells twice, and none is ever empty."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice
from typing import NamedTuple

from csv_ingest.model import LINE_AS_ID

from ..wording import counted
from . import kinds
from .cells import Cells
from .sheet import MAX_ROWS, Sheet

MAX_PAIRED = 12
"""Columns of which each two are looked at together."""

_LIKELY = re.compile(
    r"(?i:(?<![a-z])(id|nr|no|number|nummer|num|key|code|reference|referenz|r[ée]f[ée]rence|ref|pos|position|sku|ean|gtin|isin|beleg)(?![a-z]))"
    r"|(?<=[a-z])(Id|ID|Nr|No|Number|Key|Code|Ref)(?![a-z])|(?i:nummer|number)$"
)
_POSSIBLE = re.compile(r"[^@\[].{0,254}")  # names that the setting takes for columns
_MEASURES = ("decimal", "boolean", "timestamp")
"""Types of columns that only happen to have a value once in each row."""


class Ids(NamedTuple):
    """What identifies rows."""

    columns: tuple[str, ...]
    """None: the line does."""
    why: str

    @property
    def setting(self) -> str | list[str]:
        if not self.columns:
            return LINE_AS_ID
        return self.columns[0] if len(self.columns) == 1 else list(self.columns)


NO_IDS = Ids((), "")


def find(sheets: Sequence[Sheet], columns: Mapping[str, Cells], types: Mapping[str, str]) -> Ids:
    """One column, or two together, or the line. Raises UnreadableFile."""
    rows = sum(sheet.kept for sheet in sheets)
    where = f"in {counted(rows, 'row')}{', each file for itself' if len(sheets) > 1 else ''}"
    full = [name for name in columns if _POSSIBLE.fullmatch(name) and _is_full(columns[name])]
    ranked = sorted(full, key=lambda name: not _LIKELY.search(name))  # else as they stand in the file
    unique = [name for name in ranked if columns[name].is_unique]
    codes = [name for name in unique if _is_code(columns[name], types.get(name))]
    first = [name for name in codes if name == sheets[0].head.names[0]]
    if likely := [name for name in unique if _LIKELY.search(name)] or first:
        return Ids((likely[0],), f"it is never empty, and has no cell twice {where}")
    paired = [name for name in ranked if types.get(name) not in _MEASURES and _is_short(columns[name])][:MAX_PAIRED]
    pair = _unique_pair(sheets, paired)
    if codes and not any(map(_LIKELY.search, pair)):
        return Ids((codes[0],), f"it is never empty, and has no cell twice {where}")
    if pair:
        in_order = tuple(sorted(pair, key=list(columns).index))
        return Ids(in_order, f"together, they are never empty, and no row has the same {where}")
    return Ids((), f"no column, and no two together, are unique and never empty {where}: each row has its line as id")


def _is_full(cells: Cells) -> bool:
    """Whether no cell is empty, or stands for nothing."""
    return bool(cells.filled) and not cells.empty and not any(null in cells.first for null in kinds.NULLS)


def _is_code(cells: Cells, type_: str | None) -> bool:
    """Whether a column may be made to identify rows: it has no text of several words, and measures nothing."""
    return type_ not in (*_MEASURES, "date") and all(" " not in cell for cell in cells.sampled())


def _is_short(cells: Cells) -> bool:
    return all(len(cell) <= 40 for cell in cells.sampled())  # noqa: PLR2004  a longer one is a description


def _unique_pair(sheets: Sequence[Sheet], names: Sequence[str]) -> tuple[str, ...]:
    """The first two columns that no file has twice together; none if there are no such columns."""
    pairs = list(combinations(names, 2))
    for sheet in sheets:
        places = {name: sheet.head.names.index(name) for name in names}
        seen: dict[tuple[str, str], set[tuple[str, str]]] = {pair: set() for pair in pairs}
        for cells in _kept(sheet):
            for pair in list(seen):
                both = (cells[places[pair[0]]], cells[places[pair[1]]])
                if both in seen[pair]:
                    del seen[pair]
                else:
                    seen[pair].add(both)
            if not seen:
                return ()
        pairs = list(seen)
    return pairs[0] if pairs else ()


def _kept(sheet: Sheet) -> Iterator[list[str]]:
    """The rows of a file that the columns have, too."""
    for _, cells in islice(sheet.records(), min(sheet.rows, MAX_ROWS)):
        if cells != sheet.head.names and (filled := sheet.filled(cells)):
            yield filled
