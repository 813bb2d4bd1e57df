"""From a cell to its value: which spellings each type of a column accepts. Pure; docs/files.md has the tables."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from csv_ingest.csvfile import moments, numbers
from csv_ingest.csvfile.unfit import Unfit
from csv_ingest.model import FALSE_WORDS, TRUE_WORDS, TYPES, Column, DateFormat, FileFormat, Value

__all__ = ["KINDS", "SPACES", "Convert", "Unfit", "converter", "spelling"]

SPACES = " "
"""What is ignored around cells of other types than text."""

Convert = Callable[[str], Value]
"""Gets a cell that is not empty, and of other types than text has no spaces around it. Raises ValueError."""

KINDS = {type_: f"an {type_}" if type_ == "integer" else f"a {type_}" for type_ in TYPES}
"""How messages name a value of a type."""

_EXAMPLE = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)


def converter(column: Column, format_: FileFormat) -> Convert:
    """The function that converts the cells of a column."""
    match column.type:
        case "text":
            return str
        case "boolean":
            return _booleans(format_.true_values or TRUE_WORDS, format_.false_values or FALSE_WORDS)
        case "date":
            return moments.dates(column.formats or format_.date_format)
        case "timestamp":
            return moments.timestamps(column.formats or format_.timestamp_format, column.timezone or format_.timezone)
        case _:
            return numbers.converter(column.type, format_)


def _booleans(true: Sequence[str], false: Sequence[str]) -> Convert:
    values = {word.casefold(): False for word in false} | {word.casefold(): True for word in true}

    def read(cell: str) -> bool:
        if (value := values.get(cell.casefold())) is None:
            raise ValueError
        return value

    return read


def spelling(column: Column, format_: FileFormat) -> str:
    """How a value of a column is written, for the message about a cell that is none."""
    group, point = format_.grouping_separator, format_.decimal_separator
    zone = "" if column.timezone or format_.timezone else "+01:00"
    return {
        "text": "",
        "boolean": _words(format_),
        "date": _moment(column.formats or format_.date_format) or "2026-11-28",
        "timestamp": _moment(column.formats or format_.timestamp_format) or f"2026-11-28T09:30:00{zone}",
        "integer": f"1{group}234",
        "decimal": f"1{group}234{point}5",
    }[column.type]


def _words(format_: FileFormat) -> str:
    if not (format_.true_values or format_.false_values):
        return "true, false, yes, no, 1 or 0"
    *others, last = [*(format_.true_values or TRUE_WORDS), *(format_.false_values or FALSE_WORDS)]
    return f"{', '.join(others)} or {last}"


def _moment(formats: Sequence[str]) -> str:
    """The same moment in each of the formats."""
    return " or ".join(DateFormat.compile(text).write(_EXAMPLE) for text in formats)
