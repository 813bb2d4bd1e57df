"""The time of an invocation: how much is left."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from csv_ingest.model.errors import OutOfTime

T = TypeVar("T")


class Deadline:
    """When a delivery has to stop, in time to record how far it came."""

    def __init__(self, seconds_left: Callable[[], float]) -> None:
        self.seconds_left = seconds_left

    @classmethod
    def never(cls) -> "Deadline":
        """No deadline: an operator's command takes the time that it needs."""
        return cls(lambda: float("inf"))

    def check(self, where: str) -> None:
        """Raise OutOfTime, saying where, if no time is left."""
        if self.seconds_left() <= 0:
            raise OutOfTime(f"out of time {where}")

    def limit(self, items: Iterable[T], where: Callable[[int], str]) -> Iterator[T]:
        """Yield the items while time is left. `where(n)` is where OutOfTime says it was raised, after n items."""
        for number, item in enumerate(items):
            self.check(where(number))
            yield item
