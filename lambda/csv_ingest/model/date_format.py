"""Formats of dates and timestamps, in the notation of strptime, read strictly. Pure.

A text fits a format only if formatting its value gives the text again. strptime itself takes `1.2.2026` for `%d.%m.%Y`,
two spaces for one, and the digits of other scripts: docs.python.org/3/library/datetime.html#technical-detail.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from csv_ingest.model.date_fields import DAYS, MONTHS, SHORT, moment_of, of_unix

UNIX, UNIX_MS = "unix", "unix_ms"
"""Formats of timestamps that are the seconds, or milliseconds, since 1970 in UTC, as whole numbers."""


def _one_of(names: Iterable[str]) -> str:
    return f"(?ai:{'|'.join(names)})"


_TWO_DIGITS = {"d": "0[1-9]|[12][0-9]|3[01]", "m": "0[1-9]|1[0-2]", "H": "[01][0-9]|2[0-3]", "I": "0[1-9]|1[0-2]"}
_TWO_DIGITS |= {"M": "[0-5][0-9]", "S": "[0-5][0-9]"}
_WITHOUT_ZERO = {"d": "[1-9]|[12][0-9]|3[01]", "m": "[1-9]|1[0-2]", "H": "1?[0-9]|2[0-3]", "I": "[1-9]|1[0-2]"}
_WITHOUT_ZERO |= {"M": "[0-9]|[1-5][0-9]", "S": "[0-9]|[1-5][0-9]"}
_PATTERNS = {
    **_TWO_DIGITS,
    **{f"-{letter}": pattern for letter, pattern in _WITHOUT_ZERO.items()},
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "j": "[0-3][0-9]{2}",
    "f": "[0-9]{1,6}",
    "p": _one_of(["AM", "PM"]),
    "z": "(?!-00:?00)[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9]",
    "B": _one_of(MONTHS),
    "b": _one_of(name[:SHORT] for name in MONTHS),
    "A": _one_of(DAYS),
    "a": _one_of(name[:SHORT] for name in DAYS),
}
_OF_ANY_WIDTH = ("-", "f")
_BEGIN_OTHERWISE = "zpBbAa"
"""Directives for what does not begin with a digit."""
_DIRECTIVE = re.compile(r"%(-?[A-Za-z]|%)|%")
_SAME = {
    "y": "Y",
    "-d": "d",
    "-m": "m",
    "B": "m",
    "b": "m",
    "-H": "H",
    "I": "H",
    "-I": "H",
    "-M": "M",
    "-S": "S",
    "a": "A",
}
"""Directives for the same thing as another one."""

DIRECTIVES = " ".join(f"%{each}" for each in _PATTERNS) + " %%"


class BadFormat(ValueError):
    """A format that cannot be used. The message says why, and begins with the format."""


class DateFormat(NamedTuple):
    """A format that can be read."""

    text: str
    fields: frozenset[str]
    """What it has, as directives without their variants: %-d is d, and %B is m."""
    pattern: re.Pattern[str]

    @classmethod
    @lru_cache(maxsize=100)
    def compile(cls, text: str) -> "DateFormat":
        """The format of a text such as `%d.%m.%Y`, `unix` or `unix_ms`. Raises BadFormat."""
        if text in (UNIX, UNIX_MS):
            return cls(text, frozenset("YmdHz"), re.compile("0|-?[1-9][0-9]{0,17}"))
        fields: dict[str, str] = {}
        pattern, end, before = "", 0, ""
        for found in _DIRECTIVE.finditer(text):
            between = text[end : found.start()]
            end, directive = found.end(), found[1]
            pattern += re.escape(between)
            if between[:1].isdigit():
                _require_end(text, before, between[0])
            if directive == "%":
                pattern, before = f"{pattern}%", ""
                continue
            if directive not in _PATTERNS:
                raise BadFormat(f"{text!r} has {found[0]!r}: a format can have {DIRECTIVES}")
            if other := fields.get(field := _SAME.get(directive, directive)):
                raise BadFormat(f"{text!r} has both %{other} and %{directive}, which say the same: keep one")
            if not between and directive not in _BEGIN_OTHERWISE:
                _require_end(text, before, f"%{directive}")
            fields[field] = before = directive
            pattern += f"(?P<{directive.replace('-', '_')}>{_PATTERNS[directive]})"
        if text[end : end + 1].isdigit():
            _require_end(text, before, text[end])
        _require_complete(text, fields)
        return cls(text, frozenset(fields), re.compile(pattern + re.escape(text[end:])))

    @property
    def has_time(self) -> bool:
        return "H" in self.fields

    @property
    def has_zone(self) -> bool:
        return "z" in self.fields

    def read(self, text: str) -> datetime | None:
        """The moment of a text, without a time zone unless the format has one; None if the text does not fit.

        Raises NoSuchMoment.
        """
        found = self.pattern.fullmatch(text)
        if not found:
            return None
        if self.text in (UNIX, UNIX_MS):
            return of_unix(int(text), self._units_per_second)
        return moment_of(found.groupdict())

    def write(self, moment: datetime) -> str:
        """The text of a moment."""
        if self.text in (UNIX, UNIX_MS):
            return str(int(moment.timestamp()) * self._units_per_second)
        return moment.strftime(self.text)

    @property
    def _units_per_second(self) -> int:
        return 1_000 if self.text == UNIX_MS else 1


def _require_end(text: str, directive: str, following: str) -> None:
    """Raise BadFormat if a directive for digits of any number stands before others."""
    if directive.startswith(_OF_ANY_WIDTH):
        raise BadFormat(f"{text!r} has %{directive} before {following}, so that nobody knows where it ends")


def _require_complete(text: str, fields: dict[str, str]) -> None:
    has_day = {"d", "m"} <= fields.keys() or ("j" in fields and not {"d", "m"} & fields.keys())
    if "Y" not in fields or not has_day:
        raise BadFormat(f"{text!r} has no year, month and day: write them as %Y or %y, %m and %d")
    if fields.keys() & {"M", "S", "f", "p", "z"} and "H" not in fields:
        raise BadFormat(f"{text!r} has parts of a time and no hour: write it as %H, or as %I with %p")
    if fields.get("H", "").endswith("I") and "p" not in fields:
        raise BadFormat(f"{text!r} has %I without %p: add it, or write the hour as %H")
    if ("S" in fields and "M" not in fields) or ("f" in fields and "S" not in fields):
        raise BadFormat(f"{text!r} has a part of a time without the part before it: write minutes, seconds, fraction")
