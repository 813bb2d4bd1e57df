"""The rows table: one item a row, under a key that a repetition finds again."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from csv_ingest.batches import Pace, get_items, insert_if_absent, throttled
from csv_ingest.errors import ItemsNotRead, RowsNotWritten
from csv_ingest.rows import LINE_AS_ID, Reject, Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from csv_ingest.batches import Item

MAX_KEY, MAX_ITEM = 2_048, 400 * 1024
"""Bytes. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""

CHANGED = "the table has other values for this line: the file was read under other settings, or they were changed"
"""Why a row is rejected whose key holds an item that is no row of this reading of the file."""


class Stored(NamedTuple):
    """What became of some rows: those that are not among the rejects are in the table, with their values."""

    already_present: int
    rejects: list[Reject]


class RowStore:
    """The rows of one upload, which its ETag names."""

    def __init__(
        self, client: "DynamoDBClient", table: str, *, etag: str, id_column: str, time_left: Callable[[], float]
    ) -> None:
        self._client = client
        self._table = table
        self._etag = etag
        self._id_column = id_column
        self._pace = Pace(time_left)

    def store(self, rows: Sequence[Row], *, repeated: Callable[[], None]) -> Stored:
        """Write at most 25 rows with different ids, after all lower lines; each is in the table then, or a reject.

        An id that is there with the same values is the same row, delivered or uploaded again. With other values,
        the id was used twice in this file: the first row stays, the later one is a reject.

        Of the same bytes under another key, which are ingested in parts meanwhile, a later line can be there first:
        its place is taken, after a call of `repeated`, as in `store_unordered`.

        Raises RowsNotWritten if DynamoDB does not take all of them in time; those written before stay written.
        """
        items, rejects = self._items(rows)
        present = insert_if_absent(self._client, self._table, items, pace=self._pace)
        conflicts: list[Reject] = []
        for item, there in self._read(present):
            if _line(there) > _line(item) and self._is_ours(there, item):
                repeated()
                self._replace_by_lower(item)
            else:
                conflicts += _conflict(item, there)
        return Stored(len(present) - len(conflicts), rejects + conflicts)

    def store_unordered(self, rows: Sequence[Row], *, repeated: Callable[[], None]) -> Stored:
        """As `store`, while lower lines may still be on their way: of each id, the table keeps the lowest line.

        Which of two lines with one id is the lower one is known only when all are stored; so those that share an id
        are no rejects yet, and have to be compared by `check` then. `repeated` is called before anything is done
        about them. Lines that are the only ones with their id are not touched again.
        """
        items, rejects = self._items(rows)
        present = insert_if_absent(self._client, self._table, items, pace=self._pace)
        for item, there in self._read(present):
            if _line(there) == _line(item):
                rejects += _conflict(item, there)
                continue
            repeated()
            if _line(there) > _line(item) and self._is_ours(there, item):
                self._replace_by_lower(item)
        return Stored(len(present), rejects)

    def check(self, rows: Sequence[Row]) -> Stored:
        """Compare rows with what is in the table; what it has other values for is a reject.

        Raises ItemsNotRead if the table has no item for a row that was stored, or does not give it in time.
        """
        items, rejects = self._items(rows)
        conflicts = [reject for item, there in self._read(items) for reject in _conflict(item, there)]
        return Stored(len(items) - len(conflicts), rejects + conflicts)

    def _read(self, items: "Sequence[Item]") -> "list[tuple[Item, Item]]":
        """Each item with the one under its key; an INSERT does not tell what it found, so it has to be read."""
        if not items:
            return []
        keys: list[Item] = [{"pk": item["pk"]} for item in items]
        found = get_items(self._client, self._table, keys, pace=self._pace)
        there = {item["pk"]["S"]: item for item in found}
        if len(there) < len(items):
            raise ItemsNotRead(f"{self._table}: {len(items) - len(there)} items were there and are gone")
        return [(item, there[item["pk"]["S"]]) for item in items]

    def _replace_by_lower(self, item: "Item") -> None:
        """Put a row in the place of a higher line with the same id, unless an even lower one has come since."""
        for _ in self._pace.attempts():
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": item["pk"]},
                    UpdateExpression="SET #line = :line, #data = :data",
                    ConditionExpression="#line > :line",
                    ExpressionAttributeNames={"#line": "line", "#data": "data"},
                    ExpressionAttributeValues={":line": item["line"], ":data": item["data"]},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return
            except ClientError as error:
                throttled(error)
                self._pace.slower()
            else:
                self._pace.faster()
                return
        raise RowsNotWritten(f"{self._table} did not take a row in the place of a later one")

    def _is_ours(self, there: "Item", item: "Item") -> bool:
        """Whether an item can be a row of this reading of the file.

        The same bytes under another key may have been read under other settings, and their rows are not ours to move.
        """
        if self._id_column == LINE_AS_ID:
            return False  # no two lines have one id: it is another reading
        theirs, ours = json.loads(there["data"]["S"]), json.loads(item["data"]["S"])
        return list(theirs) == list(ours) and theirs.get(self._id_column) == ours.get(self._id_column)

    def _items(self, rows: Sequence[Row]) -> "tuple[list[Item], list[Reject]]":
        """The rows as items, but for those that DynamoDB would refuse for good."""
        items: list[Item] = []
        rejects: list[Reject] = []
        for row in rows:
            pk = f"{self._etag}#{row.id}"
            # A character has at most four bytes: most rows need not be encoded to see that they fit.
            large = len(row.data) > MAX_ITEM // 8 or len(pk) > MAX_KEY // 4
            if large and (reason := self._too_large(pk, row.data)):
                rejects.append(Reject(row.line, reason))
            else:
                items.append(
                    {"pk": {"S": pk}, "etag": {"S": self._etag}, "line": {"N": str(row.line)}, "data": {"S": row.data}}
                )
        return items, rejects

    def _too_large(self, pk: str, data: str) -> str | None:
        key = len(pk.encode())
        if key > MAX_KEY:
            return f"the id is too long: the key has {key:,} bytes, DynamoDB takes {MAX_KEY:,}"
        # Names count as well as values; a number takes at most 21 bytes.
        size = len("pketaglinedata") + key + len(self._etag) + 21 + len(data.encode())
        if size > MAX_ITEM:
            return f"the row is too large: the item has {size:,} bytes, DynamoDB takes {MAX_ITEM:,}"
        return None


def _line(item: "Item") -> int:
    return int(item["line"]["N"])


def _conflict(item: "Item", there: "Item") -> list[Reject]:
    """The reject of a row whose key holds other values, if it does."""
    if there["data"] == item["data"]:
        return []
    if _line(there) < _line(item):
        return [Reject(_line(item), f"the id of line {_line(there):,}, with other values")]
    return [Reject(_line(item), CHANGED)]
