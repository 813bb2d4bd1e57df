"""The record of one upload, and its rejected rows."""

from collections.abc import Sequence

from csv_ingest.dynamodb_table import MAX_STATEMENTS, DynamoDbTable, Item
from csv_ingest.ledger import items, parts
from csv_ingest.model import FileFormat, ObjectVersion, RejectedRow, RowCounts


class FileLedger:
    """The record of one upload: `PROCESSING` from its first delivery on, then `COMPLETE`, or `REJECTED`.

    There is no lock. Concurrent deliveries write the same rows under the same keys, reject the same rows and come to
    the same sums. So it does not matter which delivery settles the record, and a crashed delivery blocks nobody.
    """

    def __init__(self, table: DynamoDbTable, version: ObjectVersion) -> None:
        self._table = table
        self._version = version
        self.parts = parts.PartLedger(table, version)
        self._key = items.key_of(version)

    def read(self) -> items.FileRecord:
        """The record as earlier deliveries left it. One strongly consistent read."""
        return items.FileRecord.of(self._table.get(self._key))

    def begin(self) -> None:
        """Record that a delivery of the upload has started."""
        started: Item = {
            "status": {"S": items.PROCESSING},
            "version_id": {"S": self._version.version_id},
            "size": {"N": str(self._version.size)},
            "started_at": items.now(),
        }
        self._update(started, remove=["reason", "settled_at"])

    def reject_rows(self, rows: Sequence[RejectedRow]) -> None:
        """Record rows that are not stored; repeating it changes nothing."""
        rejects = [items.item_of_reject(self._version, row) for row in rows]
        for start in range(0, len(rejects), MAX_STATEMENTS):
            self._table.insert_absent(rejects[start : start + MAX_STATEMENTS])

    def record_readable(self, format_: FileFormat) -> items.FileRecord:
        """Record how the file is read, with no row stored yet; returns the record of the first delivery to do so."""
        first = items.sums(RowCounts()) | {"format": {"S": items.format_as_text(format_)}}
        unchanged = self._update(first, unless="attribute_exists(#rows_read)")
        if unchanged is not None:
            return items.FileRecord.of(unchanged)
        return items.FileRecord(status=items.PROCESSING, counts=RowCounts(), format=format_)

    def checkpoint(self, counts: RowCounts) -> None:
        """Record how many rows are done, for the next delivery to continue after them; the number never decreases."""
        self._update(items.sums(counts), unless="#rows_read >= :rows_read")

    def complete(self, counts: RowCounts) -> None:
        """Settle the upload as complete. Each row has to be confirmed by the destination, or recorded as rejected."""
        settled: Item = {"status": {"S": items.COMPLETE}, "settled_at": items.now()}
        self._update(settled | items.sums(counts), remove=["reason", "check_begun_by"])

    def reject_file(self, reason: str) -> None:
        """Settle the upload as rejected, unless another delivery found the file readable.

        A later delivery, under other settings, can begin the upload again.
        """
        settled: Item = {"status": {"S": items.REJECTED}, "settled_at": items.now(), "reason": {"S": reason}}
        self._update(settled, unless="attribute_exists(#rows_read)")

    def _update(self, attributes: Item, *, remove: Sequence[str] = (), unless: str | None = None) -> Item | None:
        """Update the record unless it is complete or `unless` holds; returns None, or the unchanged record.

        In that case another delivery updated it before, from the same bytes and with the same result.
        """
        condition = f"{items.UNLESS_COMPLETE} AND NOT ({unless})" if unless else items.UNLESS_COMPLETE
        return self._table.update(
            self._key, attributes, condition=condition, values=items.COMPLETE_VALUE, remove=remove
        )
