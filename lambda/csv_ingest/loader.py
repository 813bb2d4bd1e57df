"""Loads the rows of a file, or of a part of a file, into the destination: read, batch, store, checkpoint."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from csv_ingest.counts import BatchResult, RowCounts
from csv_ingest.deadline import Deadline
from csv_ingest.errors import OutOfTime, PipelineError
from csv_ingest.rows import RejectedRow, Row
from csv_ingest.tuning import Tuning

MAX_BATCH_CHARACTERS = 1 << 20
"""Characters of rows in one request, so that what is in flight stays small, however large the rows are."""

Write = Callable[[Sequence[Row]], BatchResult]


class Loaded(NamedTuple):
    """The result of loading rows."""

    counts: RowCounts
    """Of all rows, including the rows that earlier deliveries loaded."""
    already_present: int
    """How many rows this delivery found in the destination."""


def load_rows(
    records: Iterator[Row | RejectedRow],
    done: RowCounts,
    *,
    write: Write,
    batch_rows: int,
    reject: Callable[[Sequence[RejectedRow]], None],
    max_rejects: int,
    rejected_lines: Callable[[int], Collection[int]],
    checkpoint: Callable[[RowCounts], None],
    deadline: Deadline,
    tuning: Tuning,
) -> Loaded:
    """Write all records but the first `done.read`; on return each record is written, or rejected.

    `write` is a method of RowStore: it gets at most `batch_rows` rows with different ids, and several calls are in
    flight at the same time. `reject` and `checkpoint` are methods of the ledger; of the rejected rows, the first
    `max_rejects` are recorded one by one, and the others are only counted. `rejected_lines` returns the lines, from one
    on, that are recorded as rejected: a line of which a killed delivery saw that its id is there twice stays rejected,
    though a newer upload has the id by now.
    Rows are counted in the order of the file, and only after they were confirmed. If the deadline or the destination
    ends the work early, `checkpoint` gets the counts so far, and OutOfTime, RowsNotWritten, ItemsNotRead or
    TableAltered is raised.
    """
    deque(islice(records, done.read), maxlen=0)
    counts, saved, present = done, done, 0
    before: Collection[int] | None = None
    batches = deadline.limit(_batches(records, batch_rows), lambda requests: f"after {requests:,} requests")
    try:
        for batch, result in _write_concurrently(batches, write, tuning.in_flight):
            rejected = [each for each in batch.records if isinstance(each, RejectedRow)] + result.rejected
            recorded = max(max_rejects - counts.rejected + counts.unrecorded, 0)
            reject(sorted(rejected)[:recorded])
            if result.superseded and before is None:
                before = rejected_lines(min(result.superseded))
            again = len(set(result.superseded).intersection(before or ()))
            # Counted only now: each row of the batch is stored or rejected, so none can be lost.
            counts = counts.plus(
                read=len(batch.records),
                rejected=len(rejected) + again,
                superseded=len(result.superseded) - again,
                unrecorded=max(len(rejected) - recorded, 0),
            )
            present += result.already_present
            if counts.read >= saved.read + tuning.checkpoint_rows:
                checkpoint(counts)
                saved = counts
    except PipelineError:
        checkpoint(counts)
        raise
    return Loaded(counts, present)


class _Batch(NamedTuple):
    """Consecutive records, and the ids of the rows among them."""

    records: list[Row | RejectedRow]
    ids: set[str]

    @property
    def rows(self) -> list[Row]:
        return [each for each in self.records if isinstance(each, Row)]


def _batches(records: Iterable[Row | RejectedRow], size: int) -> Iterator[_Batch]:
    """Divide records into batches that fit into one request: not too many, not too large, no id twice.

    A destination must not choose between two rows with one id; DynamoDB refuses a request with such rows.
    """
    batch, characters = _Batch([], set()), 0
    for record in records:
        if isinstance(record, Row):
            characters += record.characters
            if record.id in batch.ids or len(batch.records) == size or characters > MAX_BATCH_CHARACTERS:
                if batch.records:
                    yield batch
                batch, characters = _Batch([], set()), record.characters
            batch.ids.add(record.id)
        elif len(batch.records) == size:
            yield batch
            batch, characters = _Batch([], set()), 0
        batch.records.append(record)
    if batch.records:
        yield batch


def _write_concurrently(batches: Iterable[_Batch], write: Write, at_once: int) -> Iterator[tuple[_Batch, BatchResult]]:
    """Write some batches at the same time; yield each batch when it and all batches before it are confirmed.

    A batch waits for those in flight that have one of its ids, so that the first of two rows is stored first. When time
    is used up, the batches in flight are still confirmed.
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
