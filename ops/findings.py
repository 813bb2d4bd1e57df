"""The findings of an audit, and their remedies."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from csv_ingest.model import CompleteFile, ObjectVersion, RejectedRow, RowCounts, Value


class RestoreRow(NamedTuple):
    """The row of a line has to be in the destination."""

    line: int
    expires_at: datetime | None = None
    """When it expires: with the last upload that has it; None: never."""


class RecordReject(NamedTuple):
    """A row has to be recorded as rejected."""

    row: RejectedRow


class RemoveReject(NamedTuple):
    """The row of a line must not be recorded as rejected."""

    line: int


class CorrectCounts(NamedTuple):
    """The ledger has to have these counts of the file."""

    counts: RowCounts


class Redeliver(NamedTuple):
    """A delivery has to settle the upload."""


class Move(NamedTuple):
    """The ledger has to say that the rows are where the feed stores them today, once all of them are there."""


class Restart(NamedTuple):
    """The file has to be read again from its beginning: its progress is that in another table."""


class Mark(NamedTuple):
    """The destination has to mark the file as complete, with the counts of the ledger."""


class Unmark(NamedTuple):
    """The destination of a feed must not mark a file as complete."""

    feed: str
    file: CompleteFile


Remedy = RestoreRow | RecordReject | RemoveReject | CorrectCounts | Redeliver | Move | Restart | Mark | Unmark


class Difference(NamedTuple):
    """One value that differs between the row of the table and the row of the file."""

    column: str
    """`line`, `etag`, `uploaded`, a declared column by its name in the table, or `data.NAME` for another column.

    `data` if it is written otherwise and no column differs, and `item` if an item that is no row is in the place.
    """
    table: Value | None
    """None if there is nothing: an empty cell, or no such column."""
    file: Value | None


class Discrepancy(NamedTuple):
    """One finding: a row or a file that is not as it should be."""

    kind: str
    """`missing`, `different` or `unexpected` for a row; `unsettled`, `unaccounted`, `sums` or `mark` for a file."""
    key: str
    """Of the object; empty for a row that no object in the bucket is known to have."""
    detail: str
    etag: str = ""
    """Of the upload, if there is one."""
    pk: str = ""
    """The key of the row in the destination; empty if it is about no row."""
    remedy: Remedy | None = None
    """None if a person has to look: a row that nobody uploaded, or a file that cannot be read any more."""
    version: ObjectVersion | None = None
    """The upload that the remedy is for."""
    differences: Sequence[Difference] = ()
    """Of a row that is `different`, once it was looked for them."""


class Audited(NamedTuple):
    """The result of an audit. All is good if there are no discrepancies."""

    files: int
    rows: int
    not_compared: int
    """Rows of uploads that the ledger knows and that are no longer in the bucket, or came there during the audit."""
    findings: list[Discrepancy]
    earlier: int = 0
    """Uploads that were there before their feed, and that nobody has delivered."""
