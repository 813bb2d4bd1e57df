"""What a proposal is made of: a line for each decision. No line has a cell."""

from collections.abc import Iterator
from typing import Any

from ..wording import counted
from . import nearly
from .reading import Found
from .sheet import Sheet

_OF_NUMBERS = ("decimal_separator", "grouping_separator", "number_style", "affixes")


def lines(found: Found, settings: dict[str, Any]) -> Iterator[str]:
    """The evidence, in the order of the settings."""
    yield from _of_files(found)
    for sheet in found.sheets:
        yield from _of_sheet(sheet)
    if found.format.trim:
        yield "trim: spaces stand around names, ids or many texts"
    if found.fills:
        yield "short_rows: cells are missing at the end of many records"
    yield f"id: {_quoted(found.ids.columns) or 'the line'}: {found.ids.why}"
    yield from _of_words(settings)
    for name in found.columns:
        yield f"column {name!r}: {_of_column(name, found)}"
    first = found.sheets[0].head.names
    if undeclared := list(dict.fromkeys(name for name in first if name not in found.columns)):
        yield f"not declared: {_quoted(undeclared)}: not in each file once with a name"


def _of_files(found: Found) -> Iterator[str]:
    for sheet, encoding in zip(found.sheets, found.encodings, strict=True):
        yield f"{sheet.name}: encoding {encoding.name}: {encoding.why}"
    others = {each.name for each in found.encodings if not each.is_ascii}
    if len(others) > 1:
        yield f"encoding: the files have different ones, and a feed has one: {found.format.encoding} is proposed"
    format_ = found.format
    characters = f"delimiter {format_.delimiter!r}, quote {format_.quote or 'none'}, escape {format_.escape or 'none'}"
    yield f"{characters}: {found.dialect.why}"


def _of_sheet(sheet: Sheet) -> Iterator[str]:
    head = sheet.head
    above = f", below {counted(len(head.above), 'record')}" if head.above else ""
    yield f"{sheet.name}: header: {f'line {head.line:,}' if head.line else 'none'}{above}: {head.why}"
    if sheet.footers:
        line = sheet.tail[-sheet.footers][0]
        yield (
            f"{sheet.name}: footer: {counted(sheet.footers, 'record')} from line {line:,} on: of another width, or "
            "without what all rows have"
        )
    if sheet.kept < sheet.rows:
        yield f"{sheet.name}: only the first {sheet.kept:,} of {counted(sheet.rows, 'row')} were looked at for types"


def _of_words(settings: dict[str, Any]) -> Iterator[str]:
    if numbers := [f"{key} {_listed(settings[key])}" for key in _OF_NUMBERS if key in settings]:
        yield f"numbers: {', '.join(numbers)}: so most columns have numbers"
    for key in ("null_values", "true_values", "false_values"):
        if key in settings:
            yield f"{key}: {_listed(settings[key])}: in columns that have one type"


def _of_column(name: str, found: Found) -> str:
    cells, types = found.columns[name], found.types
    filled = f"{cells.filled:,} of {counted(cells.filled + cells.empty, 'cell')} filled"
    if type_ := types.types.get(name):
        formats = types.formats.get(name, ())
        written = f", written {' or '.join(formats)}" if formats else ""
        is_id = ", not declared, because it is the id" if found.ids.columns == (name,) else ""
        return f"{type_}{written}{is_id}: {filled}"
    if not cells.filled:
        return f"text: {filled}"
    remark = types.remarks.get(name) or nearly.remark(cells, types.settings)
    return f"text: {filled}{f'; {remark}' if remark else ''}"


def _quoted(names: tuple[str, ...] | list[str]) -> str:
    return " and ".join(map(repr, names))


def _listed(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
