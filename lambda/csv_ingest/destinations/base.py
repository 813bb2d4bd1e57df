"""What a destination must do, and how rows are stored in one: put-if-absent, then the policy of duplicate ids."""

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Protocol

from csv_ingest.destinations.duplicates import Verdict, compare, resolve
from csv_ingest.model import BatchResult, ForeignItem, RejectedRow, Row, RowKey, StoredRow


class Destination(Protocol):
    """Stores rows under their keys: the ETag of the upload and the id. Knows its own limits and requests, no policy.

    Every method can be repeated at any time and by several deliveries at once. Methods that write raise RowsNotWritten,
    those that read ItemsNotRead, if the destination does not take or give everything before the deadline.
    """

    insert_rows: int
    """How many rows `insert_absent` takes at most."""
    fetch_rows: int
    """How many rows `fetch` takes at most."""

    def refusal(self, etag: str, row: Row) -> str | None:
        """Why the destination would refuse a row for good, for example for its size; None if it takes the row."""

    def insert_absent(self, etag: str, rows: Sequence[Row]) -> list[Row]:
        """Store each row unless its key is taken; return the rows whose key was, in their order. No id occurs twice."""

    def fetch(self, etag: str, rows: Sequence[Row]) -> list[StoredRow]:
        """What is stored under the keys of rows, in their order; raises ItemsNotRead if something is gone or no row."""

    def replace_later_line(self, etag: str, row: Row) -> None:
        """Put a row in the place of a later line under its key, unless a line that is as low has come since."""

    def scan(self) -> Iterator[StoredRow | ForeignItem]:
        """Everything that is stored, in any order."""

    def delete(self, key: RowKey) -> None:
        """Delete what is stored under a key."""


class RowStore:
    """Stores the rows of one upload: of each id, the destination keeps the first line of the file."""

    def __init__(
        self, destination: Destination, *, etag: str, id_column: str, on_duplicate_id: Callable[[], None]
    ) -> None:
        """`on_duplicate_id` is called at most once, before anything is done about an id on two lines."""
        self._destination = destination
        self._etag = etag
        self._id_column = id_column
        self._on_duplicate_id = on_duplicate_id
        self._noted = False
        self._noting = Lock()

    def store(self, rows: Sequence[Row]) -> BatchResult:
        """Store rows with different ids, after all lower lines; on return each is stored, or rejected.

        An id that is stored with the same values is the same row, delivered or uploaded before. With other values, the
        id was used twice in this file: the first row stays, the later one is rejected. The same bytes under another
        key, which are ingested in parts meanwhile, can have stored a later line first: its place is taken.
        """
        return self._store(rows, lower_lines_stored=True)

    def store_unordered(self, rows: Sequence[Row]) -> BatchResult:
        """Store rows with different ids while lower lines may still be on their way.

        Which of two lines with one id is the lower one is known only when all are stored. So lines that share an id
        are not rejected yet, and have to be compared by `check` then. Other lines are not touched again.
        """
        return self._store(rows, lower_lines_stored=False)

    def check(self, rows: Sequence[Row]) -> BatchResult:
        """Compare rows with what is stored, and reject those for whose id other values are stored.

        Raises ItemsNotRead if nothing is stored for a row.
        """
        accepted, rejected = self._divide(rows)
        for row, stored in zip(accepted, self._destination.fetch(self._etag, accepted), strict=True):
            verdict = compare(row, stored)
            if isinstance(verdict, RejectedRow):
                rejected.append(verdict)
        return BatchResult(len(rows) - len(rejected), rejected)

    def _store(self, rows: Sequence[Row], *, lower_lines_stored: bool) -> BatchResult:
        accepted, rejected = self._divide(rows)
        taken = self._destination.insert_absent(self._etag, accepted)
        present = len(taken)
        for row, stored in zip(taken, self._destination.fetch(self._etag, taken), strict=True):
            verdict = resolve(row, stored, self._id_column, lower_lines_stored=lower_lines_stored)
            if isinstance(verdict, RejectedRow):
                rejected.append(verdict)
                present -= 1
            elif verdict is not Verdict.SAME:
                self._note_duplicate_id()
                if verdict is Verdict.REPLACE:
                    self._destination.replace_later_line(self._etag, row)
        return BatchResult(present, rejected)

    def _divide(self, rows: Sequence[Row]) -> tuple[list[Row], list[RejectedRow]]:
        """The rows that the destination takes, and the others."""
        accepted: list[Row] = []
        rejected: list[RejectedRow] = []
        for row in rows:
            if reason := self._destination.refusal(self._etag, row):
                rejected.append(RejectedRow(row.line, reason))
            else:
                accepted.append(row)
        return accepted, rejected

    def _note_duplicate_id(self) -> None:
        with self._noting:
            if not self._noted:
                self._on_duplicate_id()
                self._noted = True
