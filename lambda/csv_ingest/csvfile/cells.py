"""From a cell to its value: which spellings each type of a column accepts. Pure; docs/settings.md has the table."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation, Subnormal
from typing import TypeVar

from csv_ingest.model import FileFormat, Integer, Value

T = TypeVar("T")

Convert = Callable[[str], Value]
"""Gets a cell that is not empty, and of other types than text has no spaces around it. Raises ValueError."""


class Unfit(ValueError):
    """Why a cell is not of its type. Unlike that of another ValueError, the message does not quote the cell."""


# What DynamoDB holds exactly:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
MAX_DIGITS = 38
_ZERO = Decimal(0)
_EXACT = Context(prec=MAX_DIGITS, Emin=-130, Emax=125, traps=[Inexact, InvalidOperation, Subnormal])

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Python's own parser would cut off the seventh decimal place, take 24:00, and more.
_TIMESTAMP = re.compile(
    r"""[0-9]{4}-[0-9]{2}-[0-9]{2} [T\ ] ([01][0-9]|2[0-3]) : [0-9]{2} (: [0-9]{2} (\.[0-9]{1,6}0*)?)?
        (?P<zone> Z | [+-][0-9]{2} (:?[0-5][0-9])? )?""",
    re.VERBOSE,
)
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def converter(type_: str, format_: FileFormat) -> Convert:
    """The function that converts the cells of a column; raises KeyError for a type that there is not."""
    return _decimal_with_comma if type_ == "decimal" and format_.decimal_separator == "," else CONVERTERS[type_]


def _text(cell: str) -> str:
    return cell


def _integer(cell: str) -> Decimal:
    if not _INTEGER.fullmatch(cell):
        raise ValueError
    return Integer(_number(cell))


def _decimal(cell: str) -> Decimal:
    if "," in cell:
        raise Unfit("it has a comma, and decimal_separator is point")
    if not _DECIMAL.fullmatch(cell):
        raise ValueError
    return _number(cell)


def _decimal_with_comma(cell: str) -> Decimal:
    if "." in cell:
        raise Unfit("it has a point, and decimal_separator is comma")
    return _decimal(cell.replace(",", "."))


def _number(digits: str) -> Decimal:
    """The number, exactly; raises Unfit if a destination could only hold a rounded one."""
    try:
        return _EXACT.create_decimal(digits) or _ZERO  # not the negative zero
    except (Inexact, Subnormal) as error:
        raise Unfit(f"more than {MAX_DIGITS} digits") from error


def _boolean(cell: str) -> bool:
    if (value := _BOOLEANS.get(cell.lower())) is None:
        raise ValueError
    return value


def _date(cell: str) -> str:
    if not _DATE.fullmatch(cell):
        raise ValueError
    _existing(date.fromisoformat, cell)
    return cell


def _timestamp(cell: str) -> str:
    """The same moment in UTC. As texts, such timestamps have the order of time."""
    found = _TIMESTAMP.fullmatch(cell)
    if not found:
        raise ValueError
    moment = _existing(datetime.fromisoformat, cell)
    if not found["zone"]:
        raise Unfit("no time zone")
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError as error:
        raise Unfit("not within the years 1 to 9999 in UTC") from error


def _existing(parse: Callable[[str], T], cell: str) -> T:
    """The day or the moment that is written in a cell of the right form; raises Unfit for one like February 30."""
    try:
        return parse(cell)
    except ValueError:
        raise Unfit("there is no such day or time") from None


CONVERTERS: dict[str, Convert] = {
    "text": _text,
    "integer": _integer,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
}
"""By the name of the type: each of `file_format.TYPES`."""

KINDS = {type_: f"an {type_}" if type_ == "integer" else f"a {type_}" for type_ in CONVERTERS}
"""How messages name a value of a type."""


def spelling(type_: str, format_: FileFormat) -> str:
    """How a value of a type is written, for the message about a cell that is none."""
    return _SPELLINGS.get(type_, f"1234{format_.decimal_separator}5")


_SPELLINGS = {
    "integer": "1234",
    "boolean": "true, false, yes, no, 1 or 0",
    "date": "2026-11-28",
    "timestamp": "2026-11-28T09:30:00+01:00",
}
