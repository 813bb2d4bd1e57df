"""How the dates and timestamps of a column are written: the formats that all of its cells fit."""

import re
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from itertools import combinations
from typing import NamedTuple

from csv_ingest.csvfile import moments
from csv_ingest.model import DateFormat, NoSuchMoment

from .cells import Cells

DATES = (
    *("%Y-%m-%d", "%d.%m.%Y", "%-d.%-m.%Y", "%d.%m.%y", "%-d.%-m.%y"),
    *("%d/%m/%Y", "%m/%d/%Y", "%-d/%-m/%Y", "%-m/%-d/%Y", "%d/%m/%y", "%m/%d/%y", "%-d/%-m/%y", "%-m/%-d/%y"),
    *("%Y/%m/%d", "%Y/%-m/%-d", "%Y.%m.%d", "%Y%m%d", "%d-%m-%Y", "%m-%d-%Y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d"),
    *("%d-%b-%Y", "%-d-%b-%Y", "%d-%b-%y", "%-d-%b-%y", "%d %b %Y", "%-d %b %Y", "%d %B %Y", "%-d %B %Y"),
    *("%b %d, %Y", "%b %-d, %Y", "%B %d, %Y", "%B %-d, %Y"),
)
"""The usual ones first: of those that give the same days, the first is taken."""

TIMES = (
    *("%H:%M:%S", "%H:%M", "%-H:%M:%S", "%-H:%M", "%H:%M:%S.%f"),
    *("%I:%M %p", "%-I:%M %p", "%I:%M:%S %p", "%-I:%M:%S %p", "%I:%M%p", "%-I:%M%p"),
)

_MIN_MIXED = 2
"""Cells of each of two formats. A single one is more likely a mistake than a second format."""

_YEARS = ("1900", "2100")
"""Between which eight digits are a day rather than a number."""

_DATE = "%Y-%m-%d"  # any complete date: only the time of a format is compared
_TIMED = re.compile(
    r"(?P<date>.+?)(?P<between>, |[ T])(?P<time>\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?: ?[AaPp][Mm])?)"
    r"(?P<space> ?)(?P<zone>[+-]\d\d:?\d\d)?"
)
_DIRECTIVE = re.compile(r"%-?([A-Za-z])")


class Moments(NamedTuple):
    """What a column of dates, or of timestamps, is."""

    type: str
    formats: tuple[str, ...]
    """None for ISO 8601. If `is_ambiguous`, those that all cells fit, and which give other days."""
    is_ambiguous: bool = False
    has_zone: bool = True


def find(cells: Cells, without: Collection[str]) -> Moments | None:
    """The formats that all cells fit, but for some; None if there are none."""
    filled = [cell for cell in cells.first if cell not in without]
    iso = (("date", moments.dates(())), ("timestamp", moments.timestamps((), "UTC")))
    for type_, convert in iso:
        if not cells.misfits(convert, without).number:
            has_zone = type_ == "date" or not cells.misfits(moments.timestamps((), ""), without).number
            return Moments(type_, (), has_zone=has_zone)
    possible = candidates(cells.sampled(without))
    fitting = {text: {cell for cell in filled if _fits(text, cell)} for text in possible}
    found: list[tuple[str, ...]] = [(text,) for text in possible if len(fitting[text]) == len(filled)]
    found = found or [pair for pair in combinations(possible, 2) if _are_mixed(pair, fitting, cells, len(filled))]
    if not found:
        return None
    has_time = DateFormat.compile(found[0][0]).has_time
    has_zone = not has_time or all(DateFormat.compile(text).has_zone for text in found[0])
    type_ = "timestamp" if has_time else "date"
    if len({frozenset(map(_order, texts)) for texts in found}) > 1:
        return Moments(type_, tuple(dict.fromkeys(each for texts in found for each in texts)), is_ambiguous=True)
    return Moments(type_, found[0], has_zone=has_zone)


def candidates(sampled: Sequence[str]) -> list[str]:
    """The formats that some of these cells fit, the usual ones first."""
    found = {text: None for cell in sampled for text in _of_cell(cell)}
    return sorted(found, key=_rank)


def _of_cell(cell: str) -> Iterator[str]:
    yield from (text for text in DATES if _fits(text, cell))
    if not (timed := _TIMED.fullmatch(cell)):
        return
    zone = f"{timed['space']}%z" if timed["zone"] else ""
    for time in TIMES:
        if _fits(f"{_DATE} {time}", f"2026-11-28 {timed['time']}"):
            yield from (f"{text}{timed['between']}{time}{zone}" for text in DATES if _fits(text, timed["date"]))


@cache
def _compiled(text: str) -> DateFormat:
    return DateFormat.compile(text)


def _fits(text: str, cell: str) -> bool:
    if text == "%Y%m%d" and not _YEARS[0] <= cell < _YEARS[1]:
        return False
    try:
        return _compiled(text).read(cell) is not None
    except NoSuchMoment:
        return False


def _rank(text: str) -> tuple[int, int]:
    date = max((each for each in DATES if text.startswith(each)), key=len)
    return DATES.index(date), next((at for at, time in enumerate(TIMES) if text[len(date) :].find(time) > 0), -1)


def _order(text: str) -> str:
    """In which order a format has the day, the month and the year."""
    return "".join({"b": "m", "B": "m", "y": "Y"}.get(each, each) for each in _DIRECTIVE.findall(text))[:3]


def _are_mixed(pair: tuple[str, str], fitting: dict[str, set[str]], cells: Cells, number: int) -> bool:
    """Whether all cells fit one of two formats, some each of them, and none can be read as two days."""
    first, second = (fitting[text] for text in pair)
    skeletons = {_DIRECTIVE.sub("%", text) for text in pair}
    if len(first | second) < number or (len(skeletons) == 1 and _order(pair[0]) != _order(pair[1])):
        return False
    if _compiled(pair[0]).has_time != _compiled(pair[1]).has_time:
        return False
    return min(cells.count(first - second), cells.count(second - first)) >= _MIN_MIXED
