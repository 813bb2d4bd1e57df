"""Divides records into batches for a destination, and writes some batches at the same time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from csv_ingest.model import BatchResult, OutOfTime, RejectedRow, Row

MAX_BATCH_CHARACTERS = 1 << 20
"""Characters of rows in one request, so that what is in flight stays small, however large the rows are."""

Write = Callable[[Sequence[Row]], BatchResult]


class Batch(NamedTuple):
    """Consecutive records, and the ids of the rows among them."""

    records: list[Row | RejectedRow]
    ids: set[str]

    @property
    def rows(self) -> list[Row]:
        return [each for each in self.records if isinstance(each, Row)]


def divide(records: Iterable[Row | RejectedRow], size: int) -> Iterator[Batch]:
    """Divide records into batches that fit into one request: not too many, not too large, no id twice.

    A destination must not choose between two rows with one id; DynamoDB refuses a request with such rows.
    """
    batch, characters = Batch([], set()), 0
    for record in records:
        if isinstance(record, Row):
            characters += record.characters
            if record.id in batch.ids or len(batch.records) == size or characters > MAX_BATCH_CHARACTERS:
                if batch.records:
                    yield batch
                batch, characters = Batch([], set()), record.characters
            batch.ids.add(record.id)
        elif len(batch.records) == size:
            yield batch
            batch, characters = Batch([], set()), 0
        batch.records.append(record)
    if batch.records:
        yield batch


def write_concurrently(batches: Iterable[Batch], write: Write, at_once: int) -> Iterator[tuple[Batch, BatchResult]]:
    """Write some batches at the same time; yield each batch when it and all batches before it are confirmed.

    A batch waits for those in flight that have one of its ids, so that the first of two rows is stored first. When time
    is used up, the batches in flight are still confirmed.
    """
    in_flight: deque[tuple[Batch, Future[BatchResult]]] = deque()

    def next_confirmed() -> tuple[Batch, BatchResult]:
        batch, result = in_flight.popleft()
        return batch, result.result()

    with ThreadPoolExecutor(at_once) as pool:
        try:
            for batch in batches:
                while len(in_flight) == at_once or not all(batch.ids.isdisjoint(other.ids) for other, _ in in_flight):
                    yield next_confirmed()
                in_flight.append((batch, pool.submit(write, batch.rows)))
        except OutOfTime:
            while in_flight:
                yield next_confirmed()
            raise
        while in_flight:
            yield next_confirmed()
