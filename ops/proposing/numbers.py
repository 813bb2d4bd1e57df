"""How the numbers of a feed are written: its separators, the signs of accounting, and what may stand beside digits."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from csv_ingest.csvfile import numbers
from csv_ingest.model import FileFormat

from . import kinds

CODE = re.compile(r"\+|[^0-9]*0[0-9]")
"""How a cell begins that has digits and is no number, such as an article number or a telephone number."""

SEPARATORS = (
    *((".", ""), (",", ""), (".", ","), (",", ".")),
    *((".", " "), (",", " "), (".", "'"), (",", "'")),
)
"""Of decimals and of groups; the usual ones first."""

SETTINGS = ("decimal_separator", "grouping_separator", "number_style", "affixes")

_AFFIX = re.compile(kinds.AFFIX)
_ONES = str.maketrans("023456789", "111111111")
_FIRST = re.compile("[0-9]")
_GROUPED_ZERO = re.compile(r"[^0-9]*0([^0-9])1")

Readings = Mapping[str, str]
"""The type of each column that is one of numbers."""


class Numbers(NamedTuple):
    """How the numbers of a feed are written, and what this makes of its columns."""

    settings: dict[str, Any]
    types: dict[str, str]
    ambiguous: dict[str, str]
    """Columns that can be read as other numbers, too, each with the settings that would do it."""
    conflicts: dict[str, str]
    """Columns that are numbers only under other settings, each with these."""


def form(cell: str) -> str:
    """All of a cell that decides whether it is a number: not which digits it has, but for a zero that comes first."""
    text, first = cell.translate(_ONES), _FIRST.search(cell)
    return f"{text[: first.start()]}0{text[first.end() :]}" if first and first[0] == "0" else text


def affixes(cells: Iterable[str]) -> set[str]:
    """What stands beside the digits of cells; the empty text if there is a cell that has nothing there."""
    return {" ".join(_AFFIX.findall(cell)) for cell in cells}


def possible(texts: Iterable[str]) -> list[FileFormat]:
    """How numbers can be written that have these affixes, the usual ways first."""
    return [
        FileFormat(decimal_separator=decimal, grouping_separator=grouping, number_style=style, affixes=tuple(texts))
        for style in ("plain", "accounting")
        for decimal, grouping in SEPARATORS
    ]


def choose(forms: Mapping[str, Sequence[str]], texts: Sequence[str]) -> Numbers:
    """The settings under which most columns are numbers, and of these the usual ones.

    `forms` has the different forms of the cells of each column that may be one of numbers, and `texts` the affixes.
    """
    formats = possible(texts)
    readings = [_types(forms, format_) for format_ in formats]
    most = max(map(len, readings))
    best = [index for index, types in enumerate(readings) if len(types) == most]
    ambiguous = {}
    for name in readings[best[0]]:
        values = {_values(forms[name], formats[index]): index for index in reversed(best) if name in readings[index]}
        if len(values) > 1:
            ambiguous[name] = " or ".join(words(formats[index]) for index in sorted(values.values()))
    types = {name: type_ for name, type_ in readings[best[0]].items() if name not in ambiguous}
    chosen = next(index for index, each in enumerate(readings) if types.items() <= each.items())
    conflicts = {
        name: words(formats[index])
        for index, each in reversed(list(enumerate(readings)))
        for name in each.keys() - types.keys() - ambiguous.keys()
    }
    return Numbers(_settings(formats[chosen], [forms[name] for name in types]), types, ambiguous, conflicts)


def _types(forms: Mapping[str, Sequence[str]], format_: FileFormat) -> Readings:
    found = {name: _type(each, format_) for name, each in forms.items()}
    return {name: type_ for name, type_ in found.items() if type_}


def _type(forms: Sequence[str], format_: FileFormat) -> str:
    """The type of a column; empty if it is no column of numbers."""
    if format_.grouping_separator and any(_is_grouped_zero(each, format_) for each in forms):
        return ""
    return next((type_ for type_ in ("integer", "decimal") if _values(forms, format_, type_)), "")


def _values(forms: Sequence[str], format_: FileFormat, type_: str = "decimal") -> tuple[Any, ...]:
    """What the forms are as numbers; nothing if one of them is none."""
    convert = numbers.converter(type_, format_)
    try:
        return tuple(map(convert, forms))
    except ValueError:
        return ()


def _is_grouped_zero(form_: str, format_: FileFormat) -> bool:
    """Whether a zero would be the first group of digits: nobody writes 0.125 for 125."""
    found = _GROUPED_ZERO.match(form_)
    return found is not None and found[1] != format_.decimal_separator


def words(format_: FileFormat) -> str:
    """The settings of numbers, as a person writes them."""
    names = ["decimal_separator", "grouping_separator", *["number_style"] * (format_.number_style != "plain")]
    return ", ".join(f"{name}={format_.written(name)}" for name in names)


def _settings(format_: FileFormat, forms: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The settings of a format, with those affixes that the columns have."""
    used = sorted(set().union(*map(affixes, forms)) - {""}) if forms else []
    return {name: getattr(format_, name) for name in SETTINGS[:-1]} | ({"affixes": used} if used else {})
