"""Which of the unsettled uploads of a feed a run of the sweep delivers."""

import heapq
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from csv_ingest.model import ObjectVersion

MAX_DELIVERIES = 100
"""Uploads of a feed delivered in one run: a thousand lost events must not become a thousand invocations at once."""


class _Due(NamedTuple):
    """An upload; the greatest is delivered first."""

    fewest_tries: int
    modified: datetime
    digest: str
    version: ObjectVersion


class DueUploads:
    """The first hundred of any number: those that were delivered least often, and of these the newest.

    So files that fail each time do not delay those that were lost just now.
    """

    def __init__(self) -> None:
        self._heap: list[_Due] = []

    def add(self, version: ObjectVersion, *, tries: int, modified: datetime, digest: str) -> None:
        """Add an upload that the sweep has delivered so many times; no other one has the digest."""
        keep = heapq.heappush if len(self._heap) < MAX_DELIVERIES else heapq.heappushpop
        keep(self._heap, _Due(-tries, modified, digest, version))

    def in_order(self) -> Iterator[tuple[str, ObjectVersion]]:
        """The digests and the uploads, the first to deliver first."""
        return ((due.digest, due.version) for due in sorted(self._heap, reverse=True))
