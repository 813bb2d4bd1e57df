"""Read, batch, store, checkpoint: how the rows of a file, or of a part of one, get into the destination."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from csv_ingest.deadline import Deadline
from csv_ingest.model import (
    BatchResult,
    ItemsNotRead,
    OutOfTime,
    RejectedRow,
    Row,
    RowCounts,
    RowsNotWritten,
    Tuning,
)

MAX_BATCH = 1 << 20
"""Characters of rows in one request, so that what is in flight stays small, however large the rows are."""

Write = Callable[[Sequence[Row]], BatchResult]


class Loaded(NamedTuple):
    """What became of the rows that were loaded."""

    counts: RowCounts
    """Of all of them, those that earlier deliveries loaded included."""
    already_present: int
    """How many of the rows this delivery found in the destination."""


def load_rows(
    records: Iterator[Row | RejectedRow],
    done: RowCounts,
    *,
    write: Write,
    batch_rows: int,
    reject: Callable[[Sequence[RejectedRow]], None],
    checkpoint: Callable[[RowCounts], None],
    deadline: Deadline,
    tuning: Tuning,
) -> Loaded:
    """Write the records after those that are counted in `done`; on return each is stored or recorded as rejected.

    `write` gets at most `batch_rows` rows with different ids, and several calls are in flight at the same time. Only
    what was confirmed, in the order of the file, is counted. If the deadline or the destination ends the work early,
    the counts so far are recorded by `checkpoint`, and OutOfTime, RowsNotWritten or ItemsNotRead is raised.
    """
    for _ in deadline.count(islice(records, done.read), "before the checkpoint was reached"):
        pass
    counts, saved, present = done, done, 0
    batches = deadline.limit(_batches(records, batch_rows), lambda requests: f"after {requests:,} requests")
    try:
        for batch, result in _write_concurrently(batches, write, tuning.in_flight):
            rejected = [each for each in batch.records if isinstance(each, RejectedRow)] + result.rejected
            reject(rejected)
            # Only now is it known that nothing of the batch is lost.
            counts = counts.plus(read=len(batch.records), rejected=len(rejected))
            present += result.already_present
            if counts.read >= saved.read + tuning.checkpoint_rows:
                checkpoint(counts)
                saved = counts
    except (OutOfTime, RowsNotWritten, ItemsNotRead):
        checkpoint(counts)
        raise
    return Loaded(counts, present)


class _Batch(NamedTuple):
    """Records that go together, in the order of the file, and the ids of those that are rows."""

    records: list[Row | RejectedRow]
    ids: set[str]

    @property
    def rows(self) -> list[Row]:
        return [each for each in self.records if isinstance(each, Row)]


def _batches(records: Iterable[Row | RejectedRow], size: int) -> Iterator[_Batch]:
    """Divide records into batches that fit one request: not too many, not too large, no id twice.

    Which of two rows with one id is stored must not be left to the destination; DynamoDB refuses such a request.
    """
    batch, characters = _Batch([], set()), 0
    for record in records:
        if isinstance(record, Row):
            characters += len(record.data)
            if record.id in batch.ids or len(batch.records) == size or characters > MAX_BATCH:
                if batch.records:
                    yield batch
                batch, characters = _Batch([], set()), len(record.data)
            batch.ids.add(record.id)
        elif len(batch.records) == size:
            yield batch
            batch, characters = _Batch([], set()), 0
        batch.records.append(record)
    if batch.records:
        yield batch


def _write_concurrently(batches: Iterable[_Batch], write: Write, at_once: int) -> Iterator[tuple[_Batch, BatchResult]]:
    """Write some batches at the same time; yield each when it and all before it are confirmed.

    A batch that has an id of another in flight waits for it, so that the first of two rows is stored first. When time
    is used up, what is in flight is still confirmed.
    """
    in_flight: deque[tuple[_Batch, Future[BatchResult]]] = deque()

    def next_confirmed() -> tuple[_Batch, BatchResult]:
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
