"""Which of two rows under one key wins: that of the newer upload; of one upload, that of the first line.

Pure: the policy for every destination.
"""

from enum import Enum

from csv_ingest.rows import RejectedRow, Row, StoredRow, fingerprint


class Verdict(Enum):
    """What is to be done about a row whose key is taken."""

    SAME = "the stored row is this row, delivered or uploaded before"
    REPLACE = "the stored row is a later line: this row takes its place"
    UNDECIDED = "the stored row is an earlier line; which lines have this id is known only when all are stored"
    ALTERED = "the stored row is none of the file: somebody else changed it"
    SUPERSEDED = "the stored row is of a newer upload, which wins"
    NEWER = "the stored row is of an older upload: this row takes its place"


def resolve(row: Row, upload: str, stored: StoredRow, *, earlier_lines_stored: bool) -> Verdict | RejectedRow:
    """Decide between a row of an upload and what the destination has under its key.

    Everything of one upload comes from the same content, read in the same way. `earlier_lines_stored` says whether
    every earlier line of the file was stored before this row: then an earlier line under the key has won. Otherwise it
    may yet be replaced itself.
    """
    if stored.key.upload != upload:
        return Verdict.SUPERSEDED if stored.key.upload > upload else Verdict.NEWER
    if stored.line > row.line:
        return Verdict.REPLACE
    if stored.line < row.line and not earlier_lines_stored:
        return Verdict.UNDECIDED
    return compare(row, upload, stored)


def compare(row: Row, upload: str, stored: StoredRow) -> Verdict | RejectedRow:
    """Compare a row with what is stored under its key, once all lines are stored.

    The result is SAME, SUPERSEDED, ALTERED or the rejected row.
    """
    if stored.key.upload > upload:
        return Verdict.SUPERSEDED
    if stored.key.upload < upload or stored.line > row.line:
        return Verdict.ALTERED
    # What others may have added to a stored row, under names that are not declared, makes no difference.
    if fingerprint(stored, row.values) == fingerprint(row, row.values):
        return Verdict.SAME
    return duplicate(row, stored.line) if stored.line < row.line else Verdict.ALTERED


_DUPLICATE = "duplicate id"


def duplicate(row: Row, first_line: int) -> RejectedRow:
    """The rejected row whose id an earlier line has, with other values."""
    return RejectedRow(row.line, f"{_DUPLICATE}: line {first_line:,} has it with different values")


def is_duplicate(rejected: RejectedRow) -> bool:
    """Whether a row was rejected by `duplicate`."""
    return rejected.reason.startswith(_DUPLICATE)
