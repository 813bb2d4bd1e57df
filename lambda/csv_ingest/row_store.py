"""Stores the rows of an upload: put-if-absent, then what the write mode decides about what is there."""

from collections.abc import Callable, Iterator, Sequence
from threading import Lock

from csv_ingest.destinations import Destination, OnlyIf
from csv_ingest.model import BatchResult, ForeignItem, Origin, RejectedRow, Row, RowKey, StoredRow, TableAltered
from csv_ingest.modes import Verdict, WriteMode


class RowStore:
    """Stores the rows of one upload; of each id, the destination keeps the row of the file's first line.

    Between rows of different uploads under one key, the write mode decides.
    """

    def __init__(
        self, destination: Destination, mode: WriteMode, *, origin: Origin, on_duplicate_id: Callable[[], None]
    ) -> None:
        """`on_duplicate_id` is called when an id is first found on two lines, before a row of it is replaced."""
        self._destination = destination
        self._mode = mode
        self._origin = origin
        self._on_duplicate_id = on_duplicate_id
        self._noted = False
        self._noting = Lock()

    def store(self, rows: Sequence[Row]) -> BatchResult:
        """Store rows with different ids, whose earlier lines are stored already; on return each is stored, or rejected.

        If an id is stored with the same values, it is the same row, delivered or uploaded before. If an earlier line
        is stored with other values, the file uses the id twice: the first row stays, and this row is rejected. A later
        line can be stored already, if the same content is ingested in parts under another object key; this row then
        replaces it. Raises TableAltered if what is stored cannot come from this content.
        """
        return self._store(rows, earlier_lines_stored=True)

    def store_unordered(self, rows: Sequence[Row]) -> BatchResult:
        """Store rows with different ids while rows of earlier lines may still be on their way.

        Which line of an id is the first is known only when all rows are stored. So no row is rejected yet because
        another line has its id: `check` has to compare all rows then, if `on_duplicate_id` was called.
        """
        return self._store(rows, earlier_lines_stored=False)

    def check(self, rows: Sequence[Row]) -> BatchResult:
        """Compare rows with the stored ones, and reject each row whose id is stored with other values.

        Raises TableAltered if no row is stored for an id, or one that cannot come from this content.
        """
        accepted, rejected = self._divide(rows)
        superseded: list[int] = []
        for row, stored in self._stored(accepted):
            verdict = self._mode.compare(row, self._origin.upload, stored)
            if isinstance(verdict, RejectedRow):
                rejected.append(verdict)
            elif verdict is Verdict.SUPERSEDED:
                superseded.append(row.line)
            elif verdict is Verdict.ALTERED:
                raise _altered(row)
        return BatchResult(len(rows) - len(rejected) - len(superseded), rejected, superseded)

    def _store(self, rows: Sequence[Row], *, earlier_lines_stored: bool) -> BatchResult:
        accepted, rejected = self._divide(rows)
        taken = self._destination.write(self._origin, accepted, only_if=OnlyIf.ABSENT)
        present = 0
        superseded: list[int] = []
        while taken:
            newer: list[Row] = []
            older: list[StoredRow] = []
            for row, stored in self._stored(taken):
                verdict = self._mode.resolve(
                    row, self._origin.upload, stored, earlier_lines_stored=earlier_lines_stored
                )
                if isinstance(verdict, RejectedRow):
                    rejected.append(verdict)
                elif verdict is Verdict.NEWER:
                    newer.append(row)
                    older.append(stored)
                elif verdict is Verdict.SUPERSEDED:
                    superseded.append(row.line)
                elif verdict is Verdict.ALTERED:
                    raise _altered(row)
                else:
                    present += 1
                    self._settle(row, verdict)
            # What another delivery replaced meanwhile can be an earlier line of this file: it is looked at again.
            taken = self._destination.write(self._origin, newer, only_if=OnlyIf.OLDER_UPLOAD, stored=older)
        return BatchResult(present, rejected, superseded)

    def _settle(self, row: Row, verdict: Verdict) -> None:
        """Do what a verdict about two lines of this upload asks for."""
        if verdict is not Verdict.SAME:
            self._note_duplicate_id()
        if verdict is Verdict.REPLACE:
            self._destination.write(self._origin, [row], only_if=OnlyIf.LATER_LINE)

    def _stored(self, rows: Sequence[Row]) -> Iterator[tuple[Row, StoredRow]]:
        """Pair rows that are known to be stored with what is stored; raises TableAltered if anything else is there."""
        if not rows:
            return
        keys = [RowKey(self._origin.upload, row.id) for row in rows]
        found = {each.key.id: each for each in self._destination.find(keys)}
        if missing := len(keys) - len(found):
            raise TableAltered(
                f"{missing:,} of {len(keys):,} rows are not in the table after they were written: "
                f"{self._destination.who_deletes}; `python -m ops audit --repair` writes them again"
            )
        if foreign := sum(isinstance(each, ForeignItem) for each in found.values()):
            raise TableAltered(
                f"the keys of {foreign:,} rows hold items that are no rows: run `python -m ops audit --repair`"
            )
        if not all(row.id in found for row in rows):  # not a KeyError, which would name an id
            raise TableAltered('an id was found under another one: each column of the key has to have COLLATE "C"')
        for row in rows:
            if isinstance(stored := found[row.id], StoredRow):
                yield row, stored

    def _divide(self, rows: Sequence[Row]) -> tuple[list[Row], list[RejectedRow]]:
        """Divide rows into those that the destination can store, and the others, rejected."""
        accepted: list[Row] = []
        rejected: list[RejectedRow] = []
        for row in rows:
            if reason := self._destination.refusal(self._origin, row):
                rejected.append(RejectedRow(row.line, reason))
            else:
                accepted.append(row)
        return accepted, rejected

    def _note_duplicate_id(self) -> None:
        with self._noting:
            if not self._noted:
                self._on_duplicate_id()
                self._noted = True


def _altered(row: Row) -> TableAltered:
    return TableAltered(
        f"the table has other values for line {row.line:,} than the file, so somebody changed them: "
        "run `python -m ops audit --repair`"
    )
