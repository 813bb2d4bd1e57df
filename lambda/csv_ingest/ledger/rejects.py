"""The rejected rows of one upload."""

from collections.abc import Sequence

from csv_ingest.dynamodb import MAX_STATEMENTS, DynamoDbTable
from csv_ingest.ledger import items, keys
from csv_ingest.model import RejectedRow


class RejectLedger:
    """The rejected rows of one upload, by line."""

    def __init__(self, table: DynamoDbTable, entries: keys.Entries) -> None:
        self._table = table
        self._entries = entries

    def record(self, rows: Sequence[RejectedRow]) -> None:
        """Record rows that are not stored; repeating it changes nothing."""
        rejects = [items.item_of_reject(self._entries.version.key, self._entries.upload, row) for row in rows]
        for start in range(0, len(rejects), MAX_STATEMENTS):
            self._table.insert_absent(rejects[start : start + MAX_STATEMENTS])

    def lines(self, first: int) -> set[int]:
        """The lines, from one on, that are recorded as rejected."""
        found = self._table.query(
            "object_key = :key AND entry BETWEEN :first AND :last",
            {
                "key": {"S": self._entries.version.key},
                "first": keys.key_of_reject(self._entries.version.key, self._entries.upload, first)["entry"],
                "last": keys.key_of_reject(self._entries.version.key, self._entries.upload, keys.MAX_LINE)["entry"],
            },
        )
        return {items.reject_of(item).line for item in found}
