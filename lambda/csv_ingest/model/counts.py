"""What became of rows: of a batch, of a file, of a delivery."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from csv_ingest.model.rows import RejectedRow


class BatchResult(NamedTuple):
    """The result of storing or checking some rows."""

    already_present: int
    rejected: list[RejectedRow]
    superseded: Sequence[int] = ()
    """The lines of the rows that were not stored, because a newer upload has a row of their id."""


class RowCounts(NamedTuple):
    """How many rows of a file were read so far, and what became of them: `read == stored + rejected + superseded`."""

    read: int = 0
    stored: int = 0
    """Confirmed by the destination."""
    rejected: int = 0
    superseded: int = 0
    """A newer upload had a row of their id already. Only in a feed that merges."""
    unrecorded: int = 0
    """Those of the rejected rows, at most, that the ledger has no record of: the file had too many."""

    def plus(self, *, read: int, rejected: int, superseded: int = 0, unrecorded: int = 0) -> "RowCounts":
        """The counts after some more rows, of which those that are neither rejected nor superseded were stored."""
        more = RowCounts(read, read - rejected - superseded, rejected, superseded, unrecorded)
        return RowCounts(*map(sum, zip(self, more, strict=True)))


NOTHING_YET = RowCounts()
"""No row was read so far."""


class CompleteFile(NamedTuple):
    """A file of which each row is stored, rejected or superseded."""

    upload: str
    """What its rows say of their upload: Origin.upload."""
    object_key: str
    etag: str
    version_id: str
    uploaded_at: str
    """As in Plan; empty if that is not known."""
    counts: RowCounts


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one delivery."""

    counts: RowCounts = NOTHING_YET
    """Of the file, or of the part that was delivered."""
    already_present: int = 0
    """How many rows this delivery found in the destination."""
    already_complete: bool = False
    """Whether an earlier delivery had completed the file, or the part."""
    parts_dispatched: int = 0
    """How many parts of the file this delivery put into Lambda's queue."""
    settled: RowCounts | None = None
    """The counts of the file, if this delivery settled the file."""
