"""From a cell to its number, exactly: separators, signs and affixes as the format of the file has them. Pure."""

import re
from collections.abc import Callable
from decimal import Context, Decimal, Inexact, InvalidOperation, Subnormal

from csv_ingest.csvfile.unfit import Unfit
from csv_ingest.model import FileFormat, Integer

# What DynamoDB holds exactly:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
MAX_DIGITS = 38
_ZERO = Decimal(0)
_EXACT = Context(prec=MAX_DIGITS, Emin=-130, Emax=125, traps=[Inexact, InvalidOperation, Subnormal])

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")

_SPACES = " \u00a0\u202f\u2009"
_GROUPS = {" ": _SPACES, "'": "'\u2019"}
"""The characters that a grouping separator stands for, if they are several."""

_MINUS = "\u2212-"
_NOTHING = "(?!)"
"""A pattern that never fits."""

_WORDS = {".": "point", ",": "comma"}


def converter(type_: str, format_: FileFormat) -> Callable[[str], Decimal]:
    """The function that makes a number of a cell of an integer or a decimal. It raises ValueError, and Unfit."""
    make = _integer_of if type_ == "integer" else number
    if format_.grouping_separator or format_.affixes or format_.number_style != "plain":
        return _Written(type_, format_, make).read
    return _integer if type_ == "integer" else _decimal_with(format_.decimal_separator)


def number(digits: str) -> Decimal:
    """The number, exactly; raises Unfit if a destination could only hold a rounded one."""
    try:
        return _EXACT.create_decimal(digits) or _ZERO  # not the negative zero
    except (Inexact, Subnormal) as error:
        raise Unfit(f"more than {MAX_DIGITS} digits") from error


def _integer_of(digits: str) -> Decimal:
    return Integer(number(digits))


def _integer(cell: str) -> Decimal:
    if not _INTEGER.fullmatch(cell):
        raise ValueError
    return _integer_of(cell)


def _decimal_with(separator: str) -> Callable[[str], Decimal]:
    other = "," if separator == "." else "."

    def read(cell: str) -> Decimal:
        if other in cell:
            raise Unfit(f"it has a {_WORDS[other]}, and decimal_separator is {_WORDS[separator]}")
        digits = cell.replace(separator, ".")
        if not _DECIMAL.fullmatch(digits):
            raise ValueError
        return number(digits)

    return read


class _Written:
    """Numbers with groups of digits, affixes, or the signs of accounting."""

    def __init__(self, type_: str, format_: FileFormat, make: Callable[[str], Decimal]) -> None:
        self._make = make
        self._separator = format_.decimal_separator
        groups = _GROUPS.get(format_.grouping_separator, format_.grouping_separator)
        # Groups of three, after a first one of one to three digits; or none at all.
        whole = rf"[0-9]{{1,3}}(?:[{re.escape(groups)}][0-9]{{3}})+|[0-9]+" if groups else "[0-9]+"
        point = re.escape(self._separator)
        digits = rf"(?:{whole})" if type_ == "integer" else rf"(?:(?:{whole})(?:{point}[0-9]*)?|{point}[0-9]+)"
        affix = "|".join(map(re.escape, sorted(format_.affixes, key=len, reverse=True))) or _NOTHING
        is_accounting = format_.number_style == "accounting"
        before = rf"[+({_MINUS}]" if is_accounting else "[+-]"
        after = rf"[){_MINUS}]" if is_accounting else _NOTHING
        # A sign, or a bracket, stands outside of an affix or between the affix and the digits; which of them, and
        # whether they are too many, is for `_is_negative`.
        self._pattern = re.compile(
            rf"({before})?(?:(?:{affix})[{_SPACES}]?)?({before})?(?P<digits>{digits})"
            rf"({after})?(?:[{_SPACES}]?(?:{affix}))?({after})?"
        )
        self._left_out = re.compile(rf"[{re.escape(groups)}]") if groups else None

    def read(self, cell: str) -> Decimal:
        """The number of a cell; raises ValueError, and Unfit."""
        found = self._pattern.fullmatch(cell)
        if not found:
            raise ValueError
        digits = found["digits"]
        if self._left_out:
            digits = self._left_out.sub("", digits)
        sign = "-" if _is_negative(found) else ""
        return self._make(sign + digits.replace(self._separator, "."))


def _is_negative(found: re.Match[str]) -> bool:
    """Whether the signs and brackets around some digits make a negative number; raises ValueError if they are two."""
    marks = [
        each for index, each in enumerate(found.groups(), start=1) if each and index != found.re.groupindex["digits"]
    ]
    signs = [each for each in marks if each not in "()"]
    opened, closed = marks.count("("), marks.count(")")
    if opened != closed or opened + len(signs) > 1:
        raise ValueError
    return bool(opened) or any(sign in _MINUS for sign in signs)
