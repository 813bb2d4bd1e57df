"""Formats of dates and timestamps, in the notation of strptime, read strictly. Pure.

A text fits a format only if formatting its value gives the text again. strptime itself takes `1.2.2026` for `%d.%m.%Y`,
two spaces for one, and the digits of other scripts: docs.python.org/3/library/datetime.html#technical-detail.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

UNIX, UNIX_MS = "unix", "unix_ms"
"""Formats of timestamps that are the seconds, or milliseconds, since 1970 in UTC, as whole numbers."""

# Not those of the calendar module, which depend on the locale.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SHORT = 3
"""Letters of a name that is abbreviated."""

_PIVOT = 69
"""%y from 69 on is of the last century, as POSIX says."""


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
    "B": _one_of(_MONTHS),
    "b": _one_of(name[:_SHORT] for name in _MONTHS),
    "A": _one_of(_DAYS),
    "a": _one_of(name[:_SHORT] for name in _DAYS),
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


class NoSuchMoment(ValueError):
    """A text has the form of a format, and there is no such day or time."""


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
            return _of_unix(int(text), 1_000 if self.text == UNIX_MS else 1)
        return _moment(found.groupdict(), text)


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


def _of_unix(number: int, per_second: int) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number * (1_000_000 // per_second))
    except OverflowError:
        raise NoSuchMoment from None


def _moment(found: dict[str, str], text: str) -> datetime:
    year = int(found["Y"]) if "Y" in found else _with_century(int(found["y"]))
    try:
        if "j" in found:
            day = datetime(year, 1, 1) + timedelta(days=int(found["j"]) - 1)  # noqa: DTZ001  a local time
            if day.year != year:
                raise NoSuchMoment(text)
            month, day_of_month = day.month, day.day
        else:
            month, day_of_month = _month(found), int(_either(found, "d"))
        moment = datetime(  # noqa: DTZ001  a local time
            year,
            month,
            day_of_month,
            _hour(found),
            int(_either(found, "M")),
            int(_either(found, "S")),
            int(found.get("f", "0").ljust(6, "0")),
        )
    except (ValueError, OverflowError):
        raise NoSuchMoment from None
    if not _is_day(found.get("A") or found.get("a"), moment):
        raise NoSuchMoment
    return moment.replace(tzinfo=_zone(found["z"])) if "z" in found else moment


def _either(found: dict[str, str], letter: str) -> str:
    return found.get(letter) or found.get(f"_{letter}") or "0"


def _with_century(year: int) -> int:
    return year + (1900 if year >= _PIVOT else 2000)


def _month(found: dict[str, str]) -> int:
    name = found.get("B") or found.get("b")
    if not name:
        return int(_either(found, "m"))
    return [each[:_SHORT] for each in _MONTHS].index(name[:_SHORT].capitalize()) + 1


def _hour(found: dict[str, str]) -> int:
    half = found.get("p", "").upper()
    if twelve := found.get("I") or found.get("_I"):
        return int(twelve) % 12 + (12 if half == "PM" else 0)
    hour = int(_either(found, "H"))
    if half and (half == "PM") != (hour >= 12):  # noqa: PLR2004  noon
        raise ValueError(half)
    return hour


def _is_day(name: str | None, moment: datetime) -> bool:
    return not name or _DAYS[moment.weekday()][:_SHORT] == name[:_SHORT].capitalize()


def _zone(text: str) -> timezone:
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text.startswith("-") else offset)
