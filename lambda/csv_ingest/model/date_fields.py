"""From the fields of a date or a timestamp to its moment. Pure."""

from datetime import UTC, datetime, timedelta, timezone

# Not those of the calendar module, which depend on the locale.
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SHORT = 3
"""Letters of a name that is abbreviated."""

_PIVOT = 69
"""%y from 69 on is of the last century, as POSIX says."""


class NoSuchMoment(ValueError):
    """A text has the form of a format, and there is no such day or time."""


def of_unix(number: int, per_second: int) -> datetime:
    """The moment so many units after 1970 in UTC. Raises NoSuchMoment."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number * (1_000_000 // per_second))
    except OverflowError:
        raise NoSuchMoment from None


def moment_of(found: dict[str, str]) -> datetime:
    """The moment of the texts of some directives: of `%-d`, the one under `_d`. Raises NoSuchMoment."""
    year = int(found["Y"]) if "Y" in found else _with_century(int(found["y"]))
    try:
        if "j" in found:
            day = datetime(year, 1, 1) + timedelta(days=int(found["j"]) - 1)  # noqa: DTZ001  a local time
            if day.year != year:
                raise NoSuchMoment
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
    return [each[:SHORT] for each in MONTHS].index(name[:SHORT].capitalize()) + 1


def _hour(found: dict[str, str]) -> int:
    half = found.get("p", "").upper()
    if twelve := found.get("I") or found.get("_I"):
        return int(twelve) % 12 + (12 if half == "PM" else 0)
    hour = int(_either(found, "H"))
    if half and (half == "PM") != (hour >= 12):  # noqa: PLR2004  noon
        raise ValueError(half)
    return hour


def _is_day(name: str | None, moment: datetime) -> bool:
    return not name or DAYS[moment.weekday()][:SHORT] == name[:SHORT].capitalize()


def _zone(text: str) -> timezone:
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text.startswith("-") else offset)
