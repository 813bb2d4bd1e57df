"""The type of each column, and the settings under which its cells are of this type."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from csv_ingest.csvfile import cells as converters
from csv_ingest.csvfile.cells import Convert
from csv_ingest.csvfile.columns import MAX_CHARACTERS
from csv_ingest.model import Column, FileFormat, Value

from . import kinds, moments, numbers, words
from .cells import Cells
from .moments import Moments

MAX_INTEGER = 2**63 - 1  # a larger number is proposed as a decimal: not every destination has larger integers

_MOSTLY = 0.9
"""The share of sampled cells that look like numbers, from which on a column may be one of numbers."""


@dataclass
class Types:
    """What was found out about the columns of a feed."""

    types: dict[str, str] = field(default_factory=dict)
    """The type of each column that is declared."""
    formats: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Of the columns of dates and timestamps that are not written in ISO 8601."""
    nulls: dict[str, list[str]] = field(default_factory=dict)
    """What stands for an empty cell, in each column that has a type."""
    remarks: dict[str, str] = field(default_factory=dict)
    """Why a column has no type, though it seems to have one."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Of FileFormat. Those at their defaults may be among them."""


def choose(columns: Mapping[str, Cells], timezone: str) -> Types:
    """The narrowest type of each column that all of its cells have, but for those that stand for nothing."""
    found = Types()
    nulls = {name: [each for each in kinds.NULLS if each in cells.first] for name, cells in columns.items()}
    filled = {name: cells for name, cells in columns.items() if len(cells.first) > len(nulls[name])}
    booleans = words.choose(filled, nulls)
    found.types = dict.fromkeys(booleans.columns, "boolean")
    found.settings |= booleans.settings
    others = {name: cells for name, cells in filled.items() if name not in found.types}
    for name, cells in others.items():
        if moment := moments.find(cells, nulls[name]):
            _take_moment(found, name, moment, timezone)
    others = {name: cells for name, cells in others.items() if name not in found.types and name not in found.remarks}
    _take_numbers(found, others, nulls)
    used = {each for name in found.types for each in nulls[name]}
    found.nulls = {name: each for name, each in nulls.items() if each and name in found.types}
    found.settings["null_values"] = [each for each in kinds.NULLS if each in used]
    return found


def _take_moment(found: Types, name: str, moment: Moments, timezone: str) -> None:
    if moment.is_ambiguous:
        formats = " and ".join(moment.formats)
        found.remarks[name] = f"every cell fits {formats}, which give other days: ask, and declare a {moment.type}"
    elif not (moment.has_zone or timezone):
        written = " and ".join(moment.formats) or "ISO 8601"
        found.remarks[name] = f"timestamps without a zone, written as {written}: give --timezone, such as Europe/Berlin"
    else:
        found.types[name] = moment.type
        if moment.formats:
            found.formats[name] = moment.formats
        if not moment.has_zone:
            found.settings["timezone"] = timezone


def _take_numbers(found: Types, columns: Mapping[str, Cells], nulls: Mapping[str, Collection[str]]) -> None:
    forms, texts = {}, set[str]()
    for name, cells in columns.items():
        filled = [cell for cell in cells.first if cell not in nulls[name]]
        if not _seem_numbers(cells, nulls[name]) or any(map(numbers.CODE.match, filled)):
            continue
        beside = numbers.affixes(filled)
        if len(beside) > 1:
            shown = ", ".join(each or "nothing" for each in sorted(beside))
            found.remarks[name] = f"beside its numbers stand {shown}: they may differ in what they mean"
            continue
        texts |= beside - {""}
        forms[name] = sorted(set(map(numbers.form, filled)))
    chosen = numbers.choose(forms, sorted(texts))
    found.settings |= chosen.settings
    found.remarks |= {name: f"its numbers can be read with {how}: ask" for name, how in chosen.ambiguous.items()}
    found.remarks |= {name: f"a number only with {how}, unlike other columns" for name, how in chosen.conflicts.items()}
    format_ = FileFormat(**chosen.settings)
    for name, type_ in chosen.types.items():
        fitting = (
            each
            for each in (type_, "decimal")
            if not columns[name].misfits(converter(each, format_), nulls[name]).number
        )
        if fits := next(fitting, None):
            found.types[name] = fits


def _seem_numbers(cells: Cells, nulls: Collection[str]) -> bool:
    sampled = cells.sampled(nulls)
    return sum(kinds.kind(cell) in (kinds.NUMBER, kinds.MOMENT) for cell in sampled) >= len(sampled) * _MOSTLY


def converter(type_: str, format_: FileFormat, formats: tuple[str, ...] = ()) -> Convert:
    """The conversion of a column as rows have it, which raises ValueError for cells that are not proposed, too."""
    column = Column("x", type_, required=False, stored_as="x", formats=formats)
    convert = converters.converter(column, format_)

    def read(cell: str) -> Value:
        is_code = type_ in ("integer", "decimal") and numbers.CODE.match(cell)
        if is_code or len(cell) > MAX_CHARACTERS or (type_ == "boolean" and cell in "01"):
            raise ValueError
        value = convert(cell)
        if type_ == "integer" and not -MAX_INTEGER <= value <= MAX_INTEGER:  # type: ignore[operator]
            raise ValueError
        return value

    return read
