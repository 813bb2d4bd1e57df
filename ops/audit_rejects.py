"""The rejected rows of a file, as the file has them, against those of the ledger."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from csv_ingest.model import RejectedRow, Row, RowCounts
from csv_ingest.modes import WriteMode, verdicts

from .findings import RecordReject, RemoveReject

Different = tuple[str, RecordReject | RemoveReject]
"""A difference between file and ledger, for people, and its remedy."""


@dataclass
class Rejects:
    """The rows of a file that have to be rejected.

    Where rows are superseded, a line whose id an earlier line has can have been counted as superseded instead: then a
    newer upload had a row of the id already, and no delivery saw that two lines have it.
    """

    recorded: RowCounts
    """As the ledger has counted."""
    mode: WriteMode
    read: int = 0
    """The rows of the file."""
    all: int = 0
    found: int = 0
    """How many of them the ledger has."""
    duplicates: int = 0
    """Those whose id an earlier line has, with other values."""
    unrecorded: list[RejectedRow] = field(default_factory=list)
    """Duplicates that the ledger does not have."""
    different: list[Different] = field(default_factory=list)

    def note(self, expected: RejectedRow | None, recorded: RejectedRow | None) -> None:
        """Compare what the file has on a line with what the ledger has."""
        if not expected:
            if recorded:
                self.different.append((f"line {recorded.line:,}: recorded as rejected", RemoveReject(recorded.line)))
            return
        is_duplicate = verdicts.is_duplicate(expected)
        self.all += 1
        self.duplicates += is_duplicate
        if recorded:
            self.found += 1
            return
        if is_duplicate:
            self.unrecorded.append(expected)
        can_be_superseded = is_duplicate and self.mode.supersedes
        if not can_be_superseded and not self.recorded.unrecorded:
            self.different.append(_not_recorded(expected))

    def not_counted(self) -> list[Different]:
        """The duplicates, if the ledger has fewer of them than can have been counted as superseded."""
        is_short = len(self.unrecorded) > self.all - self.counts().rejected
        may_be = self.mode.supersedes and not self.recorded.unrecorded
        return list(map(_not_recorded, self.unrecorded)) if may_be and is_short else []

    def counts(self) -> RowCounts:
        """The right counts of the file: those of the ledger, if they can be right.

        A duplicate that is recorded as rejected is not superseded.
        """
        superseded = min(self.recorded.superseded, self.read - self.all + self.duplicates)
        fewest = self.all - min(self.duplicates, superseded, len(self.unrecorded))
        rejected = min(max(self.recorded.rejected, fewest), self.all)
        # Rows that are rejected after all were counted as superseded.
        superseded = min(superseded - max(rejected - self.recorded.rejected, 0), self.read - rejected)
        superseded = max(superseded, 0)
        # Of a file that has more than the ledger takes, nobody knows which ones it does not have, only how many.
        unrecorded = self.recorded.unrecorded and max(self.recorded.unrecorded, rejected - self.found)
        return RowCounts(self.read, self.read - rejected - superseded, rejected, superseded, unrecorded)


def _not_recorded(row: RejectedRow) -> Different:
    return f"line {row.line:,}: {row.reason}", RecordReject(row)


def by_line(
    rows: Iterator[Row | RejectedRow], rejects: Iterator[RejectedRow]
) -> Iterator[tuple[Row | RejectedRow | None, RejectedRow | None]]:
    """Pair what is read in a file with what the ledger has rejected of it, both in the order of lines."""
    reject = next(rejects, None)
    for row in rows:
        while reject and reject.line < row.line:
            yield None, reject
            reject = next(rejects, None)
        if reject and reject.line == row.line:
            yield row, reject
            reject = next(rejects, None)
        else:
            yield row, None
    while reject:
        yield None, reject
        reject = next(rejects, None)
