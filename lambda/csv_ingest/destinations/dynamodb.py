"""DynamoDB as a destination: one item for each row, under the key `<etag>#<id>`."""

from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING

from csv_ingest.dynamodb_table import MAX_KEYS, MAX_STATEMENTS, DynamoDbTable, Item
from csv_ingest.model import ForeignItem, Row, RowKey, StoredRow, TableAltered, Value

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

KEY = ("pk",)
"""The name of the rows table's partition key, which is text: `<etag>#<id>`."""

INDEX = "etag-line"
"""The index of the keys by ETag and line, which the table of a feed with `file_index` has. No delivery uses it."""

MAX_KEY, MAX_ITEM = 2_048, 400 * 1024
"""Bytes. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""


RESERVED = ("pk", "etag", "line", "data")
"""The attributes of every row. No declared column has such a name."""


class DynamoDbDestination:
    """The rows table: an attribute for each declared column that is not empty. Implements Destination."""

    max_insert = MAX_STATEMENTS
    max_fetch = MAX_KEYS
    reserved: Collection[str] = RESERVED
    who_deletes = "somebody deleted them"

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def refusal(self, etag: str, row: Row) -> str | None:
        """Why DynamoDB can never store a row: the size of its key, or of its item."""
        # A character has at most four bytes: most rows need not be encoded to see that they fit.
        if row.characters <= MAX_ITEM // 8 and len(etag) + len(row.id) < MAX_KEY // 4:
            return None
        key = len(RowKey.text(etag, row.id).encode())
        if key > MAX_KEY:
            return f"the id is too long: the key has {key:,} bytes, DynamoDB takes {MAX_KEY:,}"
        size = item_size(etag, row)
        if size > MAX_ITEM:
            return f"the row is too large: the item has {size:,} bytes, DynamoDB takes {MAX_ITEM:,}"
        return None

    def insert_absent(self, etag: str, rows: Sequence[Row]) -> list[Row]:
        """Store each of at most 25 rows whose key is not taken; return the others."""
        return [rows[i] for i in self._table.insert_absent([_item(etag, row) for row in rows])]

    def find(self, keys: Sequence[RowKey]) -> list[StoredRow | ForeignItem]:
        """Return what is stored under at most 100 keys; a read unit for each 4 KB of a row, and for each empty key."""
        # DynamoDB refuses a request with a longer key, which no row has.
        possible = [text for text in map(str, keys) if len(text.encode()) <= MAX_KEY]
        if not possible:
            return []
        return [_found(item) for item in self._table.get_many([{"pk": {"S": text}} for text in possible])]

    def count(self, etag: str) -> int | None:
        """How many rows of an ETag the index has; None if the table does not have the index.

        What was written a moment ago may be missing: the index follows the table.
        """
        return sum(1 for _ in self._keys_of(etag)) if self._table.has_index(INDEX) else None

    def rows_of(self, etag: str) -> Iterator[StoredRow]:
        """Yield the rows that the index has of an ETag, by line, each as the table has it now."""
        keys = self._keys_of(etag)
        while some := list(islice(keys, self.max_fetch)):
            rows = [each for each in self.find(some) if isinstance(each, StoredRow)]
            yield from sorted(rows, key=attrgetter("line"))

    def _keys_of(self, etag: str) -> Iterator[RowKey]:
        entries = self._table.query("etag = :etag", {"etag": {"S": etag}}, index=INDEX)
        # What others have written can have the ETag beside another key.
        return (key for item in entries if (key := RowKey.parse(item["pk"]["S"])).etag == etag)

    def replace_later_line(self, etag: str, row: Row) -> None:
        """Replace the stored row of a later line by this row; do nothing if the stored line is not later."""
        item = _item(etag, row)
        values = {name: value for name, value in item.items() if name not in ("pk", "etag")}
        empty = [name for name in row.values if name not in item]
        self._table.update(_key(etag, row.id), values, condition="#line > :line", remove=empty)

    def scan(self) -> Iterator[StoredRow | ForeignItem]:
        """Yield every item of the table. It costs one read unit for each 4 KB."""
        return map(_found, self._table.scan())

    def overwrite(self, etag: str, row: Row) -> None:
        """Store a row, whatever is stored under its key."""
        self._table.put(_item(etag, row))

    def delete(self, etag: str, ids: Sequence[str]) -> int:
        """Delete the items under at most 25 keys, and see that they are gone; returns how many there were."""
        keys = [_key(etag, id_) for id_ in ids]
        found = [{"pk": item["pk"]} for item in self._table.get_many(keys)]
        if found:
            self._table.delete_many(found)
        if left := self._table.get_many(found) if found else []:
            raise TableAltered(f"{len(left):,} rows were written while they were deleted: run the command again")
        return len(found)

    def close(self) -> None:
        """Do nothing: the connections are the client's, which outlives a delivery."""


def item_size(etag: str, row: Row) -> int:
    """How many bytes the item of a row has, at most. Names count as well as values."""
    key = len(RowKey.text(etag, row.id).encode())
    size = len("".join(RESERVED)) + key + len(etag) + _size_of_integer(row.line) + len(row.data.encode())
    return size + sum(len(name) + _size(value) for name, value in row.values.items() if value is not None)


def _size(value: Value) -> int:
    """How many bytes DynamoDB stores for a value; for a number, at most so many."""
    if isinstance(value, str):
        return len(value.encode())
    # Its digits are paired from the decimal point on, so that both ends can have one more byte; and a negative one has.
    return 1 if isinstance(value, bool) else 4 + len(value.as_tuple().digits) // 2


def _size_of_integer(number: int) -> int:
    """How many bytes DynamoDB stores for a positive integer: one, and one for each two digits.

    Pairs of zeros at the end are not stored.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    digits = str(number)
    zeros = len(digits) - len(digits.rstrip("0"))
    return 1 + (len(digits) + 1) // 2 - zeros // 2


def _key(etag: str, id_: str) -> Item:
    return {"pk": {"S": RowKey.text(etag, id_)}}


def _item(etag: str, row: Row) -> Item:
    item: Item = {
        "pk": {"S": RowKey.text(etag, row.id)},
        "etag": {"S": etag},
        "line": {"N": str(row.line)},
        "data": {"S": row.data},
    }
    for name, value in row.values.items():
        if isinstance(value, str):
            item[name] = {"S": value}
        elif isinstance(value, Decimal):
            item[name] = {"N": str(value)}
        elif value is not None:
            item[name] = {"BOOL": value}
    return item


def _value(attribute: "AttributeValueTypeDef") -> Value:
    """The value of an attribute; of a kind that no column has, a text that says so."""
    match attribute:
        case {"N": number}:
            return Decimal(number)
        case {"S": str(value)} | {"BOOL": bool(value)}:
            return value
    return repr(attribute)


def _found(item: Item) -> StoredRow | ForeignItem:
    key = RowKey.parse(item["pk"]["S"])
    try:
        etag, line, data = item.get("etag", {}).get("S"), int(item["line"]["N"]), item["data"]["S"]
    except (KeyError, ValueError):
        return ForeignItem(key)
    return StoredRow(key, etag, line, data, {name: _value(item[name]) for name in item if name not in RESERVED})
