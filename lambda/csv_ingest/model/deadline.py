"""The time of an invocation: how much is left, and how to wait for a throttled table within it."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from csv_ingest.model.errors import OutOfTime

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds


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


class AdaptiveBackoff:
    """Pauses before the requests of an invocation to one table: doubled by throttling, halved by success.

    All requests share one backoff, so that they slow down together: a request waits before its first attempt too, if
    earlier requests were throttled. Invocations do not know of each other; jitter keeps them apart.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._longest = 0.0

    def attempts(self) -> Iterator[None]:
        """Yield once, and again after each pause that time is left for."""
        if self._longest:
            time.sleep(max(0, min(self._pause(), self._deadline.seconds_left())))
        yield
        while (pause := self._pause()) < self._deadline.seconds_left():
            time.sleep(pause)
            yield

    def on_throttle(self) -> None:
        """Double the pauses, up to two seconds."""
        self._longest = min(max(self._longest * 2, _FIRST_PAUSE), _LONGEST_PAUSE)

    def on_success(self) -> None:
        """Halve the pauses."""
        self._longest = self._longest / 2 if self._longest > _FIRST_PAUSE else 0.0

    def _pause(self) -> float:
        return random.uniform(self._longest / 10, self._longest)  # noqa: S311 - jitter, not a secret
