"""Which type a column nearly has, and where the cells are that are not of it."""

from collections.abc import Iterator
from typing import Any

from csv_ingest.csvfile.cells import Convert
from csv_ingest.csvfile.moments import dates, timestamps
from csv_ingest.model import DateFormat, FileFormat

from ..wording import counted
from . import kinds, moments, numbers, types
from .cells import Cells, fits

NEARLY = 0.95
"""The share of filled cells from which on a type is named."""


def remark(cells: Cells, settings: dict[str, Any]) -> str:
    """The type that most of the filled cells have, how many do not, and the first of these; empty if there is none."""
    nulls = [each for each in kinds.NULLS if each in cells.first]
    filled = cells.filled - cells.count(nulls)
    sampled = cells.sampled(nulls)
    found = []
    for what, convert in _candidates(sampled, settings):
        fitting = sum(fits(convert, cell) for cell in sampled)
        if fitting * 2 > len(sampled) and (misfits := cells.misfits(convert, nulls)).number:
            found.append((misfits.number, what, misfits.places))
    best = min(found, key=lambda each: each[0], default=None)
    if not best or best[0] > filled * (1 - NEARLY):
        return ""
    places = ", ".join(f"{each.file} line {each.line:,}" for each in best[2])
    return f"nearly {best[1]}: {best[0]:,} of {counted(filled, 'filled cell')} do not fit: {places}"


def _candidates(sampled: list[str], settings: dict[str, Any]) -> Iterator[tuple[str, Convert]]:
    yield "an integer", types.converter("integer", FileFormat(**settings))
    yield "a boolean", types.converter("boolean", FileFormat(**settings))
    for format_ in numbers.possible(sorted(_affixes(sampled))):
        yield f"a decimal with {numbers.words(format_)}", types.converter("decimal", format_)
    yield "a date in ISO 8601", dates(())
    yield "a timestamp in ISO 8601", timestamps((), "UTC")
    for text in moments.candidates(sampled):
        read = timestamps((text,), "UTC") if DateFormat.compile(text).has_time else dates((text,))
        yield f"{'a timestamp' if DateFormat.compile(text).has_time else 'a date'} written {text}", read


def _affixes(sampled: list[str]) -> set[str]:
    """What stands beside numbers, if it is one thing in each of them."""
    beside = numbers.affixes(cell for cell in sampled if kinds.kind(cell) == kinds.NUMBER)
    return beside - {""} if len(beside) == 1 else set()
