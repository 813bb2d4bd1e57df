"""The rows table: one item a row, under a key that a repetition finds again."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from csv_ingest.batches import get_items, insert_if_absent
from csv_ingest.errors import ItemsNotRead
from csv_ingest.rows import Reject, Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from csv_ingest.batches import Item

MAX_KEY, MAX_ITEM = 2_048, 400 * 1024
"""Bytes. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""


CHANGED = "the table has other values for this line: the file was read under other settings, or they were changed"
"""Why a row is rejected whose own item does not hold its values."""


class Stored(NamedTuple):
    """What became of some rows: those that are not among the rejects are in the table, with their values."""

    already_present: int
    rejects: list[Reject]


class RowStore:
    """The rows of one upload, which its ETag names."""

    def __init__(self, client: "DynamoDBClient", table: str, *, etag: str, time_left: Callable[[], float]) -> None:
        self._client = client
        self._table = table
        self._etag = etag
        self._time_left = time_left

    def store(self, rows: Sequence[Row]) -> Stored:
        """Write at most 25 rows with different ids; afterwards each is in the table, or among the rejects.

        An id that is there with the same values is the same row, delivered or uploaded again. With other values,
        the id was used twice in this file: the first row stays, the later one is a reject.
        Raises RowsNotWritten if DynamoDB does not take all of them in time; those written before stay written.
        """
        rejects: list[Reject] = []
        items: list[Item] = []
        for row in rows:
            item = self._item(row)
            if reason := _too_large(item):
                rejects.append(Reject(row.line, reason))
            else:
                items.append(item)
        present = insert_if_absent(self._client, self._table, items, time_left=self._time_left)
        conflicts = self._conflicts(present) if present else []
        return Stored(len(present) - len(conflicts), rejects + conflicts)

    def _conflicts(self, present: "Sequence[Item]") -> list[Reject]:
        """Those whose key holds other values; an INSERT does not tell what it found, so it has to be read."""
        keys: list[Item] = [{"pk": item["pk"]} for item in present]
        found = get_items(self._client, self._table, keys, time_left=self._time_left)
        kept = {item["pk"]["S"]: item for item in found}
        if len(kept) < len(present):
            raise ItemsNotRead(f"{self._table}: {len(present) - len(kept)} items were there and are gone")
        return [
            Reject(int(item["line"]["N"]), _conflict(item, there))
            for item in present
            if (there := kept[item["pk"]["S"]])["data"] != item["data"]
        ]

    def _item(self, row: Row) -> "Item":
        return {
            "pk": {"S": f"{self._etag}#{row.id}"},
            "etag": {"S": self._etag},
            "line": {"N": str(row.line)},
            "data": {"S": row.data},
        }


def _conflict(item: "Item", there: "Item") -> str:
    """Why a row is not stored whose key holds other values."""
    if there["line"] == item["line"]:
        return CHANGED
    return f"the id of line {int(there['line']['N']):,}, with other values"


def _too_large(item: "Item") -> str | None:
    """Why DynamoDB would refuse this item for good, if it would."""
    key = len(item["pk"]["S"].encode())
    if key > MAX_KEY:
        return f"the id is too long: the key has {key:,} bytes, DynamoDB takes {MAX_KEY:,}"
    # Names count as well as values; a number takes at most 21 bytes.
    size = sum(map(len, item)) + key + len(item["etag"]["S"]) + 21 + len(item["data"]["S"].encode())
    if size > MAX_ITEM:
        return f"the row is too large: the item has {size:,} bytes, DynamoDB takes {MAX_ITEM:,}"
    return None
