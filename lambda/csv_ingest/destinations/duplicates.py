"""Which of two rows with one id wins: the first line of the file. Pure: the policy for every destination."""

import json
from enum import Enum

from csv_ingest.model import LINE_AS_ID, RejectedRow, Row, StoredRow

STORED_DIFFERENTLY = (
    "the table has other values for this line: the file was read under other settings, or they were changed"
)
"""Why a row is rejected whose key holds no row of this reading of the file. The ledger has it, and the audit looks for
it: it must not be worded anew."""


class Verdict(Enum):
    """What is to be done about a row whose key is taken."""

    SAME = "the stored row is this row, delivered or uploaded before"
    REPLACE = "the stored row is a later line: this row takes its place"
    UNDECIDED = "the stored row is another line; which lines have this id is known only when all are stored"


def resolve(row: Row, stored: StoredRow, id_column: str, *, earlier_lines_stored: bool) -> Verdict | RejectedRow:
    """Decide between a row and what the destination has under its key.

    `earlier_lines_stored` says whether every earlier line of the file was stored before this row: then an earlier line
    under the key has won. Otherwise it may yet be replaced itself.
    """
    if stored.line > row.line and is_same_reading(row, stored, id_column):
        return Verdict.REPLACE
    if stored.line != row.line and not earlier_lines_stored:
        return Verdict.UNDECIDED
    return compare(row, stored)


def compare(row: Row, stored: StoredRow) -> Verdict | RejectedRow:
    """Compare a row with what is stored under its key, once all lines are stored: SAME, or the rejected row."""
    if stored.data == row.data:
        return Verdict.SAME
    if stored.line < row.line:
        return RejectedRow(row.line, f"duplicate id: line {stored.line:,} has it with different values")
    return RejectedRow(row.line, STORED_DIFFERENTLY)


def is_same_reading(row: Row, stored: StoredRow, id_column: str) -> bool:
    """Whether a stored row can come from the same reading of the same bytes: same columns, same id column.

    The same bytes under another key may have been read under other settings. Rows of that reading are never moved.
    """
    if id_column == LINE_AS_ID:
        return False  # no two lines have one id: another reading stored it
    theirs, ours = json.loads(stored.data), json.loads(row.data)
    return list(theirs) == list(ours) and theirs.get(id_column) == ours.get(id_column)
