"""Which of two rows of one upload wins, and what can be decided about a row whose key is taken. Pure."""

from enum import Enum

from csv_ingest.model import RejectedRow, Row, StoredRow, fingerprint


class Verdict(Enum):
    """What is to be done about a row whose key is taken."""

    SAME = "the stored row is this row, delivered or uploaded before"
    REPLACE = "the stored row is a later line: this row takes its place"
    UNDECIDED = "the stored row is an earlier line; which lines have this id is known only when all are stored"
    ALTERED = "the stored row is none of the file: somebody else changed it"
    SUPERSEDED = "the stored row is of a newer upload, which wins"
    NEWER = "the stored row is of an older upload: this row takes its place"


def resolve_lines(row: Row, stored: StoredRow, *, earlier_lines_stored: bool) -> Verdict | RejectedRow:
    """Decide between two rows of one upload: that of the first line wins.

    Both come from the same content, read in the same way.
    """
    if stored.line > row.line:
        return Verdict.REPLACE
    if stored.line < row.line and not earlier_lines_stored:
        return Verdict.UNDECIDED
    return compare_lines(row, stored)


def compare_lines(row: Row, stored: StoredRow) -> Verdict | RejectedRow:
    """Compare two rows of one upload, once all lines are stored: SAME, ALTERED or the rejected row."""
    if stored.line > row.line:
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
