"""What a destination must do. It stores rows, and decides nothing about them."""

from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import Protocol

from csv_ingest.model import CompleteFile, ForeignItem, Origin, Row, RowKey, StoredRow


class OnlyIf(Enum):
    """Under which condition a row is written: what its key has to have in the destination."""

    ABSENT = auto()
    """Nothing."""
    LATER_LINE = auto()
    """The row of a later line of the same upload."""
    OLDER_UPLOAD = auto()
    """The row of an older upload, as it was found."""
    EARLIER_EXPIRY = auto()
    """The same row, which expires earlier: nothing else of it is written."""
    NOT_NEWER = auto()
    """Anything but the row of a newer upload: a repair."""


class Destination(Protocol):
    """Stores rows under the keys that the write mode of a feed gives them.

    Every method can be repeated at any time, and called by several deliveries at once. Methods that write raise
    RowsNotWritten, and methods that read raise ItemsNotRead, if they are not done before the deadline.
    """

    max_insert: int
    """How many rows `write` takes at most."""
    max_fetch: int
    """How many keys `find` takes at most."""
    refusal_costs_a_write: bool
    """Whether it pays to read rows that are probably there, instead of having `write` refuse them."""
    who_deletes: str
    """Why a row that was stored may not be there any more, for an error that names it."""

    def refusal(self, origin: Origin, row: Row) -> str | None:
        """Why the destination can never store a row, for example because of its size; None if it can."""

    def write(
        self, origin: Origin, rows: Sequence[Row], *, only_if: OnlyIf, stored: Sequence[StoredRow] = ()
    ) -> list[Row]:
        """Store each of at most `max_insert` rows for whose key the condition holds; return the others, in their order.

        No id may occur twice. `stored` is what was found under the keys of the rows, with OLDER_UPLOAD and
        EARLIER_EXPIRY. What else a replaced row had is gone as well, where a row takes the place of another upload's:
        it is as if it had been inserted. With ABSENT, rows of older uploads are replaced as well where that is possible
        in one step.
        """

    def find(self, keys: Sequence[RowKey]) -> list[StoredRow | ForeignItem]:
        """Return what is stored under different keys of rows, in any order. A key may have nothing."""

    def count(self, origin: Origin) -> int | None:
        """How many rows of an upload are stored; None if the destination has no index that finds them."""

    def rows_of(self, origin: Origin) -> Iterator[StoredRow]:
        """Yield the rows of an upload, by line. Only a destination that can count them can."""

    def scan(self) -> Iterator[StoredRow | ForeignItem]:
        """Yield everything that is stored, in any order."""

    def delete(self, origin: Origin, ids: Sequence[str]) -> int:
        """Delete the rows of an upload under at most `max_insert` ids; on return none is; returns how many there were.

        Raises OwnerNeeded with the SQL to run if something is there, and only the owner of the table may delete it.
        """

    def mark_complete(self, file: CompleteFile) -> None:
        """Have readers of the rows see that a file is complete: each of its rows has to be stored.

        Does nothing if the destination keeps no such marks.
        """

    def unmark(self, upload: str, object_key: str) -> None:
        """Have readers see no more that a file is complete; does nothing if they do not see it."""

    def marks(self) -> Iterator[CompleteFile] | None:
        """Yield every file that is marked, in any order; None if the destination keeps no marks."""

    def close(self) -> None:
        """Close what is open on the other side; what is stored stays. Each other method would open it again."""
