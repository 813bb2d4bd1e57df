"""Counts what happens in a feed while somebody watches: files, rows, and rows per second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from csv_ingest.ledger import FileRecord

RATE_OVER = timedelta(seconds=30)
"""The rows per second are those of so long a time, or of the time since the first look."""

MANY = 10**15  # rows: more than a file has

Name = tuple[str, str | None]
"""Object key and entry of a file's record."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What has happened in a feed from the first look until the last one."""

    complete: int = 0
    rejected: int = 0
    """Files."""
    rows: int = 0
    """Read, of the files that the looks have seen."""
    settled: Sequence[FileRecord] = ()
    """Between the last look and the one before, the earliest first."""
    seen: frozenset[tuple[object, ...]] = frozenset()
    """The outcomes that the last look found: the next one may find them again."""
    rows_in_flight: Mapping[Name, int] = field(default_factory=dict)
    """How many rows of each file in flight had been read."""
    measured: Sequence[tuple[datetime, int]] = ()
    """When how many rows had been read, in the last RATE_OVER, the earliest first."""

    @property
    def rows_per_second(self) -> float:
        if not self.measured:
            return 0
        (begin, before), (end, now) = self.measured[0], self.measured[-1]
        return (now - before) / (end - begin).total_seconds() if end > begin else 0

    def after(self, now: datetime, in_flight: Sequence[FileRecord], settled: Sequence[FileRecord]) -> "Tally":
        """The tally after another look, at files in flight, and at settled ones, some of which may be known."""
        new = sorted(
            (record for record in settled if record.is_settled and _outcome(record) not in self.seen),
            key=lambda record: str(record.settled_at),
        )
        # What was read before the first look is not counted.
        earlier = self.rows_in_flight if self.measured else {name_of(record): MANY for record in in_flight}
        by_now = {name_of(record): _rows(record, earlier) for record in in_flight}
        rows = sum(max(0, read - earlier.get(name, 0)) for name, read in by_now.items())
        earlier = {**earlier, **by_now}  # a file can be settled while a look reads the ledger
        rows += sum(max(0, _rows(record, earlier) - earlier.get(name_of(record), 0)) for record in new)
        recent = [each for each in self.measured if each[0] >= now - RATE_OVER]
        return Tally(
            complete=self.complete + sum(record.is_complete for record in new),
            rejected=self.rejected + sum(not record.is_complete for record in new),
            rows=self.rows + rows,
            settled=new,
            seen=frozenset(map(_outcome, settled)),
            rows_in_flight=by_now,
            measured=[*recent, (now, self.rows + rows)],
        )


def name_of(record: FileRecord) -> Name:
    return record.object_key, record.entry


def _outcome(record: FileRecord) -> tuple[object, ...]:
    """Tells an outcome of a file from a later one of the same file."""
    return (*name_of(record), record.status, record.settled_at)


def _rows(record: FileRecord, earlier: Mapping[Name, int]) -> int:
    """How many rows of a file were read.

    While its parts are compared, the ledger counts anew: then as many as before, or, if nobody has seen it before, all.
    """
    if record.parts_checked is not None and not record.is_settled:
        return earlier.get(name_of(record), MANY)
    return record.counts.read if record.counts else 0
