"""When a file of a feed is expected. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from csv_ingest.model.format_types import TIMEZONE

HOURLY = "hourly"

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ON_DAYS = {"daily": range(7), "weekdays": range(5)} | {name: (number,) for number, name in enumerate(_DAYS)}
_SHAPE = re.compile(rf"({'|'.join(_ON_DAYS)}) ([01]\d|2[0-3]):([0-5]\d) (\S+)")

ALLOWED = f"{HOURLY}, or daily, weekdays or a day such as monday, then HH:MM and an IANA time zone"
"""What a text can be, for people."""


class Window(NamedTuple):
    """The time until which a file has to have come, and the time since which it counts: the one before. UTC."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class Expectation:
    """The times at which a file of a feed has to have come since the time before."""

    days: tuple[int, ...] = ()
    """Monday is 0. Empty for each full hour."""
    at: time = time()
    zone: str = "UTC"

    @classmethod
    def parse(cls, text: str) -> "Expectation":
        """Read `hourly`, or such as `weekdays 18:30 Europe/Berlin`. Raises ValueError or LookupError."""
        if text == HOURLY:
            return cls()
        if not (found := _SHAPE.fullmatch(text)):
            raise ValueError(text)
        days, hour, minute, zone = found.groups()
        return cls(tuple(_ON_DAYS[days]), time(int(hour), int(minute)), TIMEZONE.parse(zone))

    def window(self, now: datetime) -> Window:
        """The last such time, not after `now`, and the one before.

        An hour that the clock leaves out in spring counts as the one after it; of one that it has twice, the first.
        """
        before = self._times_before(now)
        until = next(before)
        return Window(next(before), until)

    def _times_before(self, now: datetime) -> Iterator[datetime]:
        """The times that are not after `now`, the last one first, in UTC."""
        if not self.days:
            hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            while True:
                yield hour
                hour -= timedelta(hours=1)
        zone = ZoneInfo(self.zone)
        day = now.astimezone(zone).date()
        while True:
            due = datetime.combine(day, self.at, zone).astimezone(UTC)
            if day.weekday() in self.days and due <= now:
                yield due
            day -= timedelta(days=1)
