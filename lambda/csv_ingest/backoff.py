"""How the requests of an invocation to one table wait while the table throttles them."""

import random
import time
from collections.abc import Iterator

from csv_ingest.model import Deadline

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds


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
