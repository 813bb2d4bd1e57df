"""What is loaded is counted once it is confirmed, in the order of the file."""

from collections.abc import Sequence
from itertools import count
from threading import Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest.loader import Loaded, load_rows
from csv_ingest.model import BatchResult, Deadline, OutOfTime, RejectedRow, Row, RowCounts, RowsNotWritten, Tuning

records = st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40).map(
    lambda drawn: [Row(n, str(id_), "{}") if good else RejectedRow(n, "bad") for n, (id_, good) in enumerate(drawn)]
)


class Sink:
    """Where rows go, and what the ledger is told."""

    def __init__(self, *, batches: int | None = None) -> None:
        self.batches: list[list[Row]] = []
        self.rejected: list[RejectedRow] = []
        self.checkpoints: list[RowCounts] = []
        self._left = batches
        self._lock = Lock()

    def write(self, rows: Sequence[Row]) -> BatchResult:
        with self._lock:
            if self._left is not None and len(self.batches) >= self._left:
                raise RowsNotWritten("throttled")
            self.batches.append(list(rows))
        return BatchResult(0, [])

    def load(
        self,
        found: list[Row | RejectedRow],
        done: RowCounts = RowCounts(),  # noqa: B008 - it is immutable
        *,
        size: int = 3,
        in_flight: int = 4,
        checkpoint_rows: int = 5,
        max_rejects: int = 1_000,
        deadline: Deadline | None = None,
    ) -> Loaded:
        return load_rows(
            iter(found),
            done,
            write=self.write,
            batch_rows=size,
            reject=self.rejected.extend,
            max_rejects=max_rejects,
            rejected_lines=lambda first: {each.line for each in self.rejected if each.line >= first},
            checkpoint=self.checkpoints.append,
            deadline=deadline or Deadline.never(),
            tuning=Tuning(in_flight=in_flight, checkpoint_rows=checkpoint_rows),
        )


def rows_of(found: list[Row | RejectedRow]) -> list[Row]:
    return [each for each in found if isinstance(each, Row)]


@given(found=records, size=st.integers(1, 6), in_flight=st.integers(1, 4))
def test_every_record_is_written_or_rejected_once(found: list[Row | RejectedRow], size: int, in_flight: int) -> None:
    sink = Sink()
    loaded = sink.load(found, size=size, in_flight=in_flight)
    rows = rows_of(found)
    assert sorted(row for batch in sink.batches for row in batch) == rows
    assert sink.rejected == [each for each in found if isinstance(each, RejectedRow)]
    assert loaded == Loaded(RowCounts(len(found), len(rows), len(found) - len(rows)), 0)
    for batch in sink.batches:
        assert len({row.id for row in batch}) == len(batch) <= size


@given(found=records)
def test_rows_with_one_id_are_written_in_order(found: list[Row | RejectedRow]) -> None:
    sink = Sink()
    sink.load(found)
    lines: dict[str, int] = {}
    for row in (row for batch in sink.batches for row in batch):
        assert lines.get(row.id, -1) < row.line
        lines[row.id] = row.line


@given(found=records, batches=st.integers(0, 8))
def test_an_interrupted_load_continues_after_its_checkpoint(found: list[Row | RejectedRow], batches: int) -> None:
    first = Sink(batches=batches)
    try:
        first.load(found, in_flight=1)
    except RowsNotWritten:
        done = first.checkpoints[-1]
        assert done.stored == sum(map(len, first.batches))
    else:
        done = RowCounts()
        first = Sink()
    second = Sink()
    loaded = second.load(found, done)
    assert sorted(row for sink in (first, second) for batch in sink.batches for row in batch) == rows_of(found)
    assert (loaded.counts.read, loaded.counts.stored) == (len(found), len(rows_of(found)))


def test_a_load_out_of_time_records_what_is_confirmed() -> None:
    sink = Sink()
    seconds = count(2, -1)
    with pytest.raises(OutOfTime, match="out of time after 2 requests"):
        sink.load([Row(n, str(n), "{}") for n in range(9)], deadline=Deadline(lambda: next(seconds)))
    assert sink.checkpoints[-1] == RowCounts(6, 6, 0)


@pytest.mark.parametrize("is_declared", [False, True])
def test_large_rows_are_few_in_one_request(is_declared: bool) -> None:
    """Whether the text is in `data` or in a declared column."""
    text = "x" * 300_000
    rows = [Row(n, str(n), "{}", {"note": text}) if is_declared else Row(n, str(n), text) for n in range(10)]
    sink = Sink()
    sink.load(list(rows), size=25)
    assert sorted(map(len, sink.batches)) == [1, 3, 3, 3]
