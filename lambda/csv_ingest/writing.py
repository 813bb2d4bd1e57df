"""Rows on their way to the table: cut into requests, several of them at the same time, confirmed in their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from csv_ingest.errors import OutOfTime
from csv_ingest.rows import Reject, Row
from csv_ingest.store import Stored

IN_FLIGHT = 4
"""Requests at the same time; docs/benchmarks.md compares. A request takes longer to be answered than to be made."""

MAX_BATCH = 1 << 20
"""Characters of rows in one request, so that what is in flight stays small, however large the rows are."""


class Batch(NamedTuple):
    """Records that go together, in the order of the file, and the ids of those that are rows."""

    records: list[Row | Reject]
    ids: set[str]

    @property
    def rows(self) -> list[Row]:
        return [each for each in self.records if isinstance(each, Row)]


def in_batches(records: Iterable[Row | Reject], size: int) -> Iterator[Batch]:
    """Cut records into pieces that fit one request: not too many, not too large, no id twice.

    DynamoDB would refuse a request with an id twice.
    """
    batch, characters = Batch([], set()), 0
    for record in records:
        if isinstance(record, Row):
            characters += len(record.data)
            if record.id in batch.ids or len(batch.records) == size or characters > MAX_BATCH:
                if batch.records:
                    yield batch
                batch, characters = Batch([], set()), len(record.data)
            batch.ids.add(record.id)
        elif len(batch.records) == size:
            yield batch
            batch, characters = Batch([], set()), 0
        batch.records.append(record)
    if batch.records:
        yield batch


def overlapping(batches: Iterable[Batch], write: Callable[[Sequence[Row]], Stored]) -> Iterator[tuple[Batch, Stored]]:
    """Write some batches at the same time; yield each when it and all before it are confirmed.

    One that has an id of another in flight waits for it, so that which of two rows is stored is not left to chance.
    When time is used up, what is in flight is still confirmed.
    """
    flying: deque[tuple[Batch, Future[Stored]]] = deque()

    def land() -> tuple[Batch, Stored]:
        batch, stored = flying.popleft()
        return batch, stored.result()

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        try:
            for batch in batches:
                while len(flying) == IN_FLIGHT or not all(batch.ids.isdisjoint(other.ids) for other, _ in flying):
                    yield land()
                flying.append((batch, pool.submit(write, batch.rows)))
        except OutOfTime:
            while flying:
                yield land()
            raise
        while flying:
            yield land()
