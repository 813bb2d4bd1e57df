"""Stores the rows of an upload: put-if-absent, then what the write mode decides about what is there.

Where a refused insertion costs as much as a stored row, a batch is read first if most rows of the last one were there.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Lock

from csv_ingest.destinations import Destination, OnlyIf
from csv_ingest.model import (
    ROW_EXPIRES_AT,
    BatchResult,
    ForeignItem,
    Origin,
    RejectedRow,
    Row,
    RowKey,
    StoredRow,
    TableAltered,
)
from csv_ingest.modes import Verdict, WriteMode


class RowStore:
    """Stores the rows of one upload; of each id, the destination keeps the row of the file's first line.

    Between rows of different uploads under one key, the write mode decides.
    """

    def __init__(
        self,
        destination: Destination,
        mode: WriteMode,
        *,
        origin: Origin,
        on_duplicate_id: Callable[[], None],
        rows_expire: bool = False,
    ) -> None:
        """`on_duplicate_id` is called when an id is first found on two lines, before a row of it is replaced.

        `rows_expire` says whether rows of the feed do: then a row that is there lives as long as this upload's.
        """
        self._destination = destination
        self._mode = mode
        self._origin = origin
        self._on_duplicate_id = on_duplicate_id
        self._rows_expire = rows_expire
        self._reads_first = False
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

        Raises TableAltered if no row is stored for an id, unless it has expired, or one that cannot come from this
        content.
        """
        accepted, rejected = self._divide(rows)
        superseded: list[int] = []
        expires_at = self._origin.expires_at
        find = self._found if expires_at and expires_at <= datetime.now(UTC) else self._stored
        for row, stored in find(accepted):
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
        present = 0
        superseded: list[int] = []
        undecided = self._insert_absent(accepted)
        while undecided:
            newer: list[tuple[Row, StoredRow]] = []
            longer: list[tuple[Row, StoredRow]] = []
            changed: list[Row] = []
            for row, stored in undecided:
                verdict = self._mode.resolve(
                    row, self._origin.upload, stored, earlier_lines_stored=earlier_lines_stored
                )
                if isinstance(verdict, RejectedRow):
                    rejected.append(verdict)
                elif verdict is Verdict.NEWER:
                    newer.append((row, stored))
                elif verdict is Verdict.SUPERSEDED:
                    superseded.append(row.line)
                elif verdict is Verdict.ALTERED:
                    raise _altered(row)
                else:
                    present += 1
                    changed += self._settle(row, verdict)
                    if verdict is Verdict.SAME and self._expires_earlier(row, stored):
                        longer.append((row, stored))
            changed += self._write_over(longer, OnlyIf.EARLIER_EXPIRY)
            present -= len(changed)
            # What another delivery replaced meanwhile can be an earlier line of this file: it is looked at again.
            changed += self._write_over(newer, OnlyIf.OLDER_UPLOAD)
            undecided = self._insert_absent(changed) if self._rows_expire else self._stored(changed)
        return BatchResult(present, rejected, superseded)

    def _insert_absent(self, rows: Sequence[Row]) -> list[tuple[Row, StoredRow]]:
        """Insert each row whose key is free; return the others, with what is stored under their keys.

        Whether a row was found by reading or by a refused insertion makes no difference: the write that follows has a
        condition of its own.
        """
        there = self._found(rows) if self._reads_first else []
        ids = {row.id for row, _ in there}
        absent = [row for row in rows if row.id not in ids]
        taken = self._destination.write(self._origin, absent, only_if=OnlyIf.ABSENT)
        are_mostly_there = 2 * (len(there) + len(taken)) > len(rows)
        self._reads_first = are_mostly_there and self._destination.refusal_costs_a_write
        if not self._rows_expire:
            return there + self._stored(taken)
        found = self._found(taken)
        ids |= {row.id for row, _ in found}
        expired = [row for row in taken if row.id not in ids]  # and deleted since they were refused
        return there + found + (self._insert_absent(expired) if expired else [])

    def _write_over(self, pairs: Sequence[tuple[Row, StoredRow]], only_if: OnlyIf) -> list[Row]:
        """Write rows over what was found; returns those in whose places something else is by now."""
        rows, stored = [row for row, _ in pairs], [each for _, each in pairs]
        return self._destination.write(self._origin, rows, only_if=only_if, stored=stored)

    def _expires_earlier(self, row: Row, stored: StoredRow) -> bool:
        """Whether a stored row, which is this upload's, too, has to be kept for longer."""
        is_ours = self._rows_expire and ROW_EXPIRES_AT not in row.values
        return is_ours and stored.expires_before(self._origin.expires_at)

    def _settle(self, row: Row, verdict: Verdict) -> list[Row]:
        """Do what a verdict about two lines of this upload asks for; returns the row if another one is there by now."""
        if verdict is not Verdict.SAME:
            self._note_duplicate_id()
        replaces = [row] if verdict is Verdict.REPLACE else []
        return self._destination.write(self._origin, replaces, only_if=OnlyIf.LATER_LINE)

    def _stored(self, rows: Sequence[Row]) -> list[tuple[Row, StoredRow]]:
        """As `_found`, of rows that are known to be stored; raises TableAltered if one is not."""
        found = self._found(rows)
        if missing := len(rows) - len(found):
            raise TableAltered(
                f"{missing:,} of {len(rows):,} rows are not in the table after they were written: "
                f"{self._destination.who_deletes}; `csv-ingest audit --repair` writes them again"
            )
        return found

    def _found(self, rows: Sequence[Row]) -> list[tuple[Row, StoredRow]]:
        """Pair rows with what is stored under their keys, if anything is; raises TableAltered if that is no row."""
        if not rows:
            return []
        keys = [RowKey(self._origin.upload, row.id) for row in rows]
        found = {each.key.id: each for each in self._destination.find(keys)}
        if foreign := sum(isinstance(each, ForeignItem) for each in found.values()):
            raise TableAltered(
                f"the keys of {foreign:,} rows hold items that are no rows: run `csv-ingest audit --repair`"
            )
        if not found.keys() <= {row.id for row in rows}:
            raise TableAltered('an id was found under another one: each column of the key has to have COLLATE "C"')
        there = ((row, found.get(row.id)) for row in rows)
        return [(row, stored) for row, stored in there if isinstance(stored, StoredRow)]

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
        "run `csv-ingest audit --repair`"
    )
