"""DynamoDB as a destination: one item for each row.

Its key is `<etag>#<id>`; in a feed that merges, the id.
"""

from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING

from csv_ingest.dynamodb_table import MAX_KEYS, MAX_STATEMENTS, DynamoDbTable, Item, Update
from csv_ingest.errors import TableAltered
from csv_ingest.rows import ForeignItem, Row, RowKey, StoredRow, Value
from csv_ingest.uploads import Origin

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

KEY = ("pk",)
"""The name of the rows table's partition key, which is text."""

INDEX = "etag-line"
"""The index of the keys by ETag and line, which the table of a feed with `file_index` has. No delivery uses it."""

MAX_KEY, MAX_ITEM = 2_048, 400 * 1024
"""Bytes. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""


RESERVED = ("pk", "etag", "line", "data")
"""The attributes of every row. No declared column has such a name."""

UPLOADED = "uploaded"
"""The attribute of every row of a feed that merges: Origin has it."""


class DynamoDbDestination:
    """The rows table: an attribute for each declared column that is not empty. Implements Destination."""

    max_insert = MAX_STATEMENTS
    max_fetch = MAX_KEYS
    who_deletes = "somebody deleted them"

    def __init__(self, table: DynamoDbTable, *, merges: bool) -> None:
        """`merges` says whether there is one row an id, and not one an upload and id."""
        self._table = table
        self._merges = merges
        self.reserved: Collection[str] = (*RESERVED, UPLOADED) if merges else RESERVED

    def refusal(self, origin: Origin, row: Row) -> str | None:
        """Why DynamoDB can never store a row: the size of its key, or of its item."""
        # A character has at most four bytes: most rows need not be encoded to see that they fit.
        if row.characters <= MAX_ITEM // 8 and len(origin.etag) + len(row.id) < MAX_KEY // 4:
            return None
        key = len(_pk(origin, row.id).encode())
        if key > MAX_KEY:
            return f"the id is too long: the key has {key:,} bytes, DynamoDB takes {MAX_KEY:,}"
        size = item_size(origin, row)
        if size > MAX_ITEM:
            return f"the row is too large: the item has {size:,} bytes, DynamoDB takes {MAX_ITEM:,}"
        return None

    def insert_absent(self, origin: Origin, rows: Sequence[Row]) -> list[Row]:
        """Store each of at most 25 rows whose key is not taken; return the others."""
        return [rows[i] for i in self._table.insert_absent([_item(origin, row) for row in rows])]

    def replace_older(self, origin: Origin, rows: Sequence[tuple[Row, StoredRow]]) -> list[Row]:
        """Replace each of at most 25 stored rows, unless another row is there by now; return the others."""
        updates: list[Update] = []
        for row, stored in rows:
            item = _item(origin, row)
            # The older upload itself can have put an earlier line there, with other attributes.
            there: Item = {UPLOADED: {"S": stored.key.upload}, "line": {"N": str(stored.line)}}
            removed = [name for name in stored.values if name not in item]
            updates.append(Update({"pk": item.pop("pk")}, there, item, removed))
        return [rows[i][0] for i in self._table.update_each(updates)]

    def find(self, keys: Sequence[RowKey]) -> list[StoredRow | ForeignItem]:
        """Return what is stored under at most 100 keys; a read unit for each 4 KB of a row, and for each empty key."""
        texts = [str(key.id) if self._merges else str(key) for key in keys]
        # DynamoDB refuses a request with a longer key, which no row has.
        possible = [text for text in texts if len(text.encode()) <= MAX_KEY]
        if not possible:
            return []
        return [self._found(item) for item in self._table.get_many([{"pk": {"S": text}} for text in possible])]

    def count(self, origin: Origin) -> int | None:
        """How many rows of an upload the index has; None if the table does not have the index.

        What was written a moment ago may be missing: the index follows the table. In a feed that merges, they are
        those of all uploads with the ETag.
        """
        return sum(1 for _ in self._keys_of(origin)) if self._table.has_index(INDEX) else None

    def rows_of(self, origin: Origin) -> Iterator[StoredRow]:
        """Yield the rows that the index has of an upload, by line, each as the table has it now."""
        keys = self._keys_of(origin)
        while some := list(islice(keys, self.max_fetch)):
            rows = [each for each in self.find(some) if isinstance(each, StoredRow)]
            yield from sorted((row for row in rows if row.key.upload == origin.upload), key=attrgetter("line"))

    def _keys_of(self, origin: Origin) -> Iterator[RowKey]:
        for item in self._table.query("etag = :etag", {"etag": {"S": origin.etag}}, index=INDEX):
            key = self._key_of(item["pk"]["S"], origin.upload)
            # What others have written can have the ETag beside another key.
            if key.upload == origin.upload:
                yield key

    def replace_later_line(self, origin: Origin, row: Row) -> None:
        """Replace the stored row of a later line of the same upload; do nothing if another row is stored."""
        item = _item(origin, row)
        own = ("pk", "etag", UPLOADED)
        values = {name: value for name, value in item.items() if name not in own}
        empty = [name for name in row.values if name not in item]
        condition = "#line > :line"
        of_upload: Item = {}
        if self._merges:
            condition += f" AND #{UPLOADED} = :{UPLOADED}"
            of_upload = {UPLOADED: item[UPLOADED]}
        self._table.update({"pk": item["pk"]}, values, condition=condition, values=of_upload, remove=empty)

    def scan(self) -> Iterator[StoredRow | ForeignItem]:
        """Yield every item of the table. It costs one read unit for each 4 KB."""
        return map(self._found, self._table.scan())

    def overwrite(self, origin: Origin, row: Row) -> bool:
        """Store a row, whatever is stored under its key; returns False if that is a row of a newer upload."""
        item = _item(origin, row)
        if not self._merges:
            return self._table.put(item)
        # Holds as well where there is no such text: of what is no text, a comparison with a text never holds.
        not_newer = f"NOT ({UPLOADED} > :{UPLOADED})"
        return self._table.put(item, condition=not_newer, values={UPLOADED: item[UPLOADED]})

    def delete(self, origin: Origin, ids: Sequence[str]) -> int:
        """Delete the items of an upload under at most 25 ids, and see that they are gone; returns how many there were.

        In a feed without merging, whatever is under its keys is of the upload.
        """
        keys: list[Item] = [{"pk": {"S": _pk(origin, id_)}} for id_ in ids]
        found = self._keys_to_delete(origin, keys)
        if self._merges:
            self._table.delete_each([{**key, UPLOADED: {"S": origin.uploaded}} for key in found])
        elif found:
            self._table.delete_many(found)
        if left := self._keys_to_delete(origin, found):
            raise TableAltered(f"{len(left):,} rows were written while they were deleted: run the command again")
        return len(found)

    def _keys_to_delete(self, origin: Origin, keys: Sequence[Item]) -> list[Item]:
        found = self._table.get_many(keys) if keys else []
        return [
            {"pk": item["pk"]}
            for item in found
            if not self._merges or item.get(UPLOADED, {}).get("S") == origin.uploaded
        ]

    def _key_of(self, pk: str, upload: str) -> RowKey:
        """The key of an item, of which an upload is known that it can be of."""
        return RowKey(upload, pk) if self._merges else RowKey.parse(pk)

    def _found(self, item: Item) -> StoredRow | ForeignItem:
        key = self._key_of(item["pk"]["S"], item.get(UPLOADED, {}).get("S", ""))
        try:
            etag, line, data = item.get("etag", {}).get("S"), int(item["line"]["N"]), item["data"]["S"]
        except (KeyError, ValueError):
            return ForeignItem(key)
        if not key.upload:
            return ForeignItem(key)
        return StoredRow(
            key, etag, line, data, {name: _value(item[name]) for name in item if name not in self.reserved}
        )

    def close(self) -> None:
        """Do nothing: the connections are the client's, which outlives a delivery."""


def item_size(origin: Origin, row: Row) -> int:
    """How many bytes the item of a row has, at most. Names count as well as values."""
    texts = (*RESERVED, _pk(origin, row.id), origin.etag, row.data)
    size = sum(len(text.encode()) for text in texts) + _size_of_integer(row.line)
    if origin.uploaded:
        size += len(UPLOADED) + len(origin.uploaded)
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


def _pk(origin: Origin, id_: str) -> str:
    return id_ if origin.uploaded else RowKey.text(origin.etag, id_)


def _item(origin: Origin, row: Row) -> Item:
    item: Item = {
        "pk": {"S": _pk(origin, row.id)},
        "etag": {"S": origin.etag},
        "line": {"N": str(row.line)},
        "data": {"S": row.data},
    }
    if origin.uploaded:
        item[UPLOADED] = {"S": origin.uploaded}
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
