"""From a cell to its date or timestamp. Pure."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from csv_ingest.csvfile.unfit import Unfit
from csv_ingest.model import DateFormat, NoSuchMoment

T = TypeVar("T")

_NO_SUCH = "there is no such day or time"

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Python's own parser would cut off the seventh decimal place, take 24:00, and more.
_TIMESTAMP = re.compile(
    r"""[0-9]{4}-[0-9]{2}-[0-9]{2} [T\ ] ([01][0-9]|2[0-3]) : [0-9]{2} (: [0-9]{2} (\.[0-9]{1,6}0*)?)?
        ( Z | [+-][0-9]{2} (:?[0-5][0-9])? )?""",
    re.VERBOSE,
)


def dates(formats: Sequence[str]) -> Callable[[str], str]:
    """The function that makes a date in ISO 8601 of a cell that is written in one of the formats, or else in ISO 8601.

    It raises ValueError, and Unfit.
    """
    if not formats:
        return _iso_date
    return _reader(formats, lambda moment: moment.date().isoformat())


def timestamps(formats: Sequence[str], timezone: str) -> Callable[[str], str]:
    """The function that makes a timestamp in UTC of a cell, as `dates` does. As texts, they have the order of time.

    A cell that says no time zone has that of the name, if there is one.
    """
    zone = ZoneInfo(timezone) if timezone else None
    if formats:
        return _reader(formats, lambda moment: _in_utc(moment, zone))
    return lambda cell: _in_utc(_iso_timestamp(cell), zone)


def _iso_date(cell: str) -> str:
    if not _DATE.fullmatch(cell):
        raise ValueError
    _existing(date.fromisoformat, cell)
    return cell


def _iso_timestamp(cell: str) -> datetime:
    if not _TIMESTAMP.fullmatch(cell):
        raise ValueError
    return _existing(datetime.fromisoformat, cell)


def _existing(parse: Callable[[str], T], cell: str) -> T:
    """The day or the moment that is written in a cell of the right form; raises Unfit for one like February 30."""
    try:
        return parse(cell)
    except ValueError:
        raise Unfit(_NO_SUCH) from None


def _reader(formats: Sequence[str], convert: Callable[[datetime], str]) -> Callable[[str], str]:
    compiled = [DateFormat.compile(text) for text in formats]

    def read(cell: str) -> str:
        found, has_form = set(), False
        for format_ in compiled:
            try:
                if moment := format_.read(cell):
                    found.add(convert(moment))
            except NoSuchMoment:
                has_form = True
        if len(found) > 1:
            raise Unfit("it fits two formats, which give two values")
        if not found:
            raise Unfit(_NO_SUCH) if has_form else ValueError
        return found.pop()

    return read


def _in_utc(moment: datetime, zone: ZoneInfo | None) -> str:
    if not moment.tzinfo:
        if not zone:
            raise Unfit("no time zone")
        moment = moment.replace(tzinfo=zone)
        # Where the clocks are put forward or back, the two readings of a local time differ:
        # https://docs.python.org/3/library/datetime.html#datetime.datetime.fold
        if moment.utcoffset() != moment.replace(fold=1).utcoffset():
            raise Unfit(f"the clocks change then in {zone.key}, so that there is no such time, or there are two")
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError as error:
        raise Unfit("not within the years 1 to 9999 in UTC") from error
