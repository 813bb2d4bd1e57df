"""Loads the rows of a file, or of a part of a file, into the destination: read, batch, store, checkpoint."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from csv_ingest.batches import Batch, Write, divide, write_concurrently
from csv_ingest.model import BatchResult, Deadline, PipelineError, RejectedRow, Row, RowCounts, Tuning


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
    progress = _Progress(done, reject, max_rejects, rejected_lines)
    saved = done
    batches = deadline.limit(divide(records, batch_rows), lambda requests: f"after {requests:,} requests")
    try:
        for batch, result in write_concurrently(batches, write, tuning.in_flight):
            progress.add(batch, result)
            if progress.counts.read >= saved.read + tuning.checkpoint_rows:
                checkpoint(progress.counts)
                saved = progress.counts
    except PipelineError:
        checkpoint(progress.counts)
        raise
    return Loaded(progress.counts, progress.already_present)


@dataclass
class _Progress:
    """How far the rows were loaded: counts the records of confirmed batches, and has the rejected ones recorded."""

    counts: RowCounts
    reject: Callable[[Sequence[RejectedRow]], None]
    max_rejects: int
    rejected_lines: Callable[[int], Collection[int]]
    already_present: int = 0
    rejected_before: Collection[int] | None = None

    def add(self, batch: Batch, result: BatchResult) -> None:
        """Count the records of the batch after the last one."""
        rejected = [each for each in batch.records if isinstance(each, RejectedRow)] + result.rejected
        recorded = max(self.max_rejects - self.counts.rejected + self.counts.unrecorded, 0)
        self.reject(sorted(rejected)[:recorded])
        if result.superseded and self.rejected_before is None:
            self.rejected_before = self.rejected_lines(min(result.superseded))
        again = len(set(result.superseded).intersection(self.rejected_before or ()))
        # Counted only now: each row of the batch is stored or rejected, so none can be lost.
        self.counts = self.counts.plus(
            read=len(batch.records),
            rejected=len(rejected) + again,
            superseded=len(result.superseded) - again,
            unrecorded=max(len(rejected) - recorded, 0),
        )
        self.already_present += result.already_present
