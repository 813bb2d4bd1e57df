"""DynamoDB as a destination: one item per row, under the one text that the write mode makes of its key."""

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING

from csv_ingest import dynamodb, modes
from csv_ingest.destinations.base import OnlyIf
from csv_ingest.destinations.dynamodb_items import UPLOADED, expiry, from_item, item_size, to_item
from csv_ingest.model import (
    ROW_EXPIRES_AT,
    ROWS_INDEX,
    CompleteFile,
    Deadline,
    ForeignItem,
    Origin,
    Row,
    RowKey,
    StoredRow,
    TableAltered,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_KEY, MAX_ITEM = 2_048, 400 * 1024
"""Bytes. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""


class DynamoDbDestination:
    """The rows table: an attribute for each declared column that is not empty. Implements Destination."""

    max_insert = dynamodb.MAX_STATEMENTS
    max_fetch = dynamodb.MAX_KEYS
    refusal_costs_a_write = True
    who_deletes = "somebody deleted them"

    def __init__(self, client: "DynamoDBClient", table: str, mode: modes.WriteMode, *, deadline: Deadline) -> None:
        self._table = dynamodb.DynamoDbTable(client, table, deadline=deadline)
        self._mode = mode

    def refusal(self, origin: Origin, row: Row) -> str | None:
        """Why DynamoDB can never store a row: the size of its key, or of its item."""
        # A character has at most four bytes: most rows need not be encoded to see that they fit.
        if row.characters <= MAX_ITEM // 8 and len(origin.etag) + len(row.id) < MAX_KEY // 4:
            return None
        key = len(self._mode.row_key(RowKey(origin.upload, row.id)).encode())
        if key > MAX_KEY:
            return f"the id is too long: the key has {key:,} bytes, DynamoDB takes {MAX_KEY:,}"
        size = item_size(self._mode, origin, row)
        if size > MAX_ITEM:
            return f"the row is too large: the item has {size:,} bytes, DynamoDB takes {MAX_ITEM:,}"
        return None

    def write(
        self, origin: Origin, rows: Sequence[Row], *, only_if: OnlyIf, stored: Sequence[StoredRow] = ()
    ) -> list[Row]:
        """Store each of at most 25 rows for whose key the condition holds; return the others."""
        if only_if is OnlyIf.ABSENT:
            return [rows[i] for i in self._table.insert_absent([to_item(self._mode, origin, row) for row in rows])]
        if only_if is OnlyIf.OLDER_UPLOAD:
            updates = [self._replacement(origin, row, found) for row, found in zip(rows, stored, strict=True)]
            return [rows[i] for i in self._table.update_each(updates)]
        if only_if is OnlyIf.EARLIER_EXPIRY:
            updates = [self._renewal(origin, row, found) for row, found in zip(rows, stored, strict=True)]
            return [rows[i] for i in self._table.update_each(updates)]
        write = self._replace_later_line if only_if is OnlyIf.LATER_LINE else self._put_unless_newer
        return [row for row in rows if not write(origin, row)]

    def _replacement(self, origin: Origin, row: Row, found: StoredRow) -> dynamodb.Update:
        item = to_item(self._mode, origin, row)
        # The older upload itself can have put an earlier line there, with other attributes.
        there: dynamodb.Item = {UPLOADED: {"S": found.key.upload}, "line": {"N": str(found.line)}}
        removed = [name for name in found.values if name not in item]
        return dynamodb.Update({"pk": item.pop("pk")}, there, item, removed)

    def _renewal(self, origin: Origin, row: Row, found: StoredRow) -> dynamodb.Update:
        there: dynamodb.Item = {"line": {"N": str(found.line)}, **expiry(found.expires_at)}
        renewed = expiry(origin.expires_at)
        key: dynamodb.Item = {"pk": {"S": self._mode.row_key(RowKey(origin.upload, row.id))}}
        return dynamodb.Update(key, there, renewed, [] if renewed else [ROW_EXPIRES_AT])

    def _replace_later_line(self, origin: Origin, row: Row) -> bool:
        item = to_item(self._mode, origin, row)
        own = ("pk", "etag", *self._mode.own_columns)  # where it is none of these, a declared column can be UPLOADED
        values = {name: value for name, value in item.items() if name not in own}
        empty = [name for name in (*row.values, ROW_EXPIRES_AT) if name not in item]
        of_upload: dynamodb.Item = {name: item[name] for name in self._mode.own_columns}
        condition = " AND ".join(["#line > :line", *(f"#{name} = :{name}" for name in of_upload)])
        return (
            self._table.update({"pk": item["pk"]}, values, condition=condition, values=of_upload, remove=empty) is None
        )

    def _put_unless_newer(self, origin: Origin, row: Row) -> bool:
        item = to_item(self._mode, origin, row)
        # Either holds as well where there is nothing of the kind. What expires later is right since the audit.
        held = {name: item[name] for name in (*self._mode.own_columns, ROW_EXPIRES_AT) if name in item}
        return self._table.put(item, condition=" AND ".join(f"NOT ({name} > :{name})" for name in held), values=held)

    def find(self, keys: Sequence[RowKey]) -> list[StoredRow | ForeignItem]:
        """Return what is stored under at most 100 keys; a read unit for each 4 KB of a row, and for each empty key."""
        texts = [self._mode.row_key(key) for key in keys]
        # DynamoDB refuses a request with a longer key, which no row has.
        possible = [text for text in texts if len(text.encode()) <= MAX_KEY]
        items = self._table.get_many({"pk": {"S": text}} for text in possible)
        return [from_item(self._mode, item) for item in items]

    def count(self, origin: Origin) -> int | None:
        """How many rows of an upload the index has; None if the table does not have the index.

        What was written a moment ago may be missing: the index follows the table.
        """
        return sum(1 for _ in self._keys_of(origin)) if self._table.has_index(ROWS_INDEX) else None

    def rows_of(self, origin: Origin) -> Iterator[StoredRow]:
        """Yield the rows that the index has of an upload, by line, each as the table has it now."""
        keys = self._keys_of(origin)
        while some := list(islice(keys, self.max_fetch)):
            rows = [each for each in self.find(some) if isinstance(each, StoredRow)]
            yield from sorted((row for row in rows if row.key.upload == origin.upload), key=attrgetter("line"))

    def _keys_of(self, origin: Origin) -> Iterator[RowKey]:
        for item in self._table.query("etag = :etag", {"etag": {"S": origin.etag}}, index=ROWS_INDEX):
            key = self._mode.parse_row_key(item["pk"]["S"], origin.upload)
            # What others have written can have the ETag beside another key.
            if key.upload == origin.upload:
                yield key

    def scan(self) -> Iterator[StoredRow | ForeignItem]:
        """Yield every item of the table. It costs one read unit for each 4 KB."""
        return (from_item(self._mode, item) for item in self._table.scan())

    def delete(self, origin: Origin, ids: Sequence[str]) -> int:
        """Delete the items of an upload under at most 25 ids, and see that they are gone; returns how many there were.

        Where no row takes the place of another upload's, whatever is under the keys of an upload is of the upload.
        """
        keys: list[dynamodb.Item] = [{"pk": {"S": self._mode.row_key(RowKey(origin.upload, id_))}} for id_ in ids]
        found = self._keys_to_delete(origin, keys)
        if self._mode.supersedes:
            self._table.delete_each([{**key, UPLOADED: {"S": origin.upload_order}} for key in found])
        else:
            self._table.delete_many(found)
        if left := self._keys_to_delete(origin, found):
            raise TableAltered(f"{len(left):,} rows were written while they were deleted: run the command again")
        return len(found)

    def _keys_to_delete(self, origin: Origin, keys: Sequence[dynamodb.Item]) -> list[dynamodb.Item]:
        found = self._table.get_many(keys)
        if self._mode.supersedes:
            found = [item for item in found if item.get(UPLOADED, {}).get("S") == origin.upload_order]
        return [{"pk": item["pk"]} for item in found]

    def mark_complete(self, file: CompleteFile) -> None:
        """Do nothing: readers of DynamoDB ask the ledger, which is beside the rows."""

    def unmark(self, upload: str, object_key: str) -> None:
        """Do nothing, as `mark_complete`."""

    def marks(self) -> None:
        """There are none."""

    def close(self) -> None:
        """Do nothing: the connections are the client's, which outlives a delivery."""
