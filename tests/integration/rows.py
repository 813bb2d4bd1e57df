"""The rows tables as the tests look at them, and damage them: in both destinations by the same keys, in one shape."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from csv_ingest.configuration import IngestConfig
from csv_ingest.destinations.postgresql_files import name_of
from csv_ingest.destinations.postgresql_table import LAYOUTS, TYPES, Layout, quoted, quoted_name
from local.postgresql import LocalPostgresql
from ops.schema import statements

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
"""A row as DynamoDB's JSON has it, with the key `pk`."""


class Rows(Protocol):
    """A rows table, reached by its owner and not by the function."""

    def items(self) -> dict[str, Item]: ...
    def put(self, item: Item) -> None: ...
    def delete(self, pk: str) -> None: ...
    def expire(self, by: datetime) -> None: ...
    def empty(self) -> None: ...
    def declare(self, name: str, type_: str) -> None: ...
    def add_columns(self, names: Iterable[str]) -> None: ...
    def drop(self) -> None: ...
    def marks(self) -> dict[tuple[str, str], tuple[int, ...]]: ...


@dataclass(frozen=True)
class DynamoDbRows:
    """A table of DynamoDB."""

    client: "DynamoDBClient"
    table: str

    def items(self) -> dict[str, Item]:
        pages = self.client.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        return {item["pk"]["S"]: dict(item) for page in pages for item in page["Items"]}

    def put(self, item: Item) -> None:
        self.client.put_item(TableName=self.table, Item=item)

    def delete(self, pk: str) -> None:
        self.client.delete_item(TableName=self.table, Key={"pk": {"S": pk}})

    def expire(self, by: datetime) -> None:
        """Delete what has expired by a time, as DynamoDB does: nothing that was given another time meanwhile."""
        for pk in self.items():
            with suppress(self.client.exceptions.ConditionalCheckFailedException):
                self.client.delete_item(
                    TableName=self.table,
                    Key={"pk": {"S": pk}},
                    ConditionExpression="row_expires_at <= :by",
                    ExpressionAttributeValues={":by": {"N": str(int(by.timestamp()))}},
                )

    def empty(self) -> None:
        delete_all(self.client, self.table, [{"pk": {"S": pk}} for pk in self.items()])

    def declare(self, name: str, type_: str) -> None:
        """Items have whatever attributes they have."""

    def add_columns(self, names: Iterable[str]) -> None:
        """Whatever they are called."""

    def drop(self) -> None:
        self.client.delete_table(TableName=self.table)

    def marks(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """Who reads DynamoDB asks the ledger."""
        return {}


@dataclass(frozen=True)
class PostgresqlRows:
    """A table of PostgreSQL."""

    server: LocalPostgresql
    table: str
    layout: Layout
    created_by: Sequence[str]
    """Statements of its owner."""

    @classmethod
    def create(cls, server: LocalPostgresql, config: IngestConfig, password: str) -> "PostgresqlRows":
        """Create the table, and the role of the function, by the statements that operators are shown."""
        found = cls(server, config.rows_table, LAYOUTS[config.feed.write_mode], statements(config, password=password))
        found.create_files()
        return found

    def items(self) -> dict[str, Item]:
        return self._items(quoted(self.table))

    def complete(self) -> dict[str, Item]:
        """The rows of complete files, as readers see them."""
        return self._items(quoted(f"{self.table}_complete"))

    def newest(self) -> dict[str, Item]:
        """The newest row of each id, as readers see them."""
        return self._items(quoted(f"{self.table}_newest"))

    def _items(self, table: str) -> dict[str, Item]:
        columns = "SELECT attname::text FROM pg_attribute WHERE attrelid = :table ::regclass AND attnum > 0"
        own = LAYOUTS["append"].own
        names = [name for (name,) in self.server.run(columns, table=table) if name not in own]
        more = "".join(f", {quoted_name(name)}" for name in names)
        found = self.server.run(f"SELECT etag, id, line, data::text{more} FROM {table}")
        items = [_item(self._pk(etag, id_), etag, line, data, dict(zip(names, values, strict=True)))
                 for etag, id_, line, data, *values in found]  # fmt: skip
        return {item["pk"]["S"]: item for item in items}

    def put(self, item: Item) -> None:
        given = {name: next(iter(value.values())) for name, value in item.items() if name != "pk"}
        given = {"line": 0, "data": "null"} | given | self._key(item["pk"]["S"])
        names = ", ".join(map(quoted_name, given))
        values = ", ".join(f":p{number}" for number in range(len(given)))
        sets = ", ".join(f"{quoted_name(name)} = excluded.{quoted_name(name)}" for name in given)
        key = ", ".join(self.layout.key)
        sql = f"INSERT INTO {quoted(self.table)} ({names}) VALUES ({values}) ON CONFLICT ({key}) DO UPDATE SET {sets}"
        self.server.run(sql, **{f"p{number}": value for number, value in enumerate(given.values())})

    def delete(self, pk: str) -> None:
        key = self._key(pk)
        where = " AND ".join(f"{name} = :{name}" for name in key)
        self.server.run(f"DELETE FROM {quoted(self.table)} WHERE {where}", **key)

    def expire(self, by: datetime) -> None:
        """Delete what has expired by a time, as the owner does every day."""
        self.server.run(f"DELETE FROM {quoted(self.table)} WHERE row_expires_at <= :by", by=by.isoformat())

    def empty(self) -> None:
        """Also of marks."""
        for table in (self.table, name_of(self.table)):
            self.server.run(f"DELETE FROM {quoted(table)}")

    def marks(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """The counts of each file that is marked as complete, by its upload and its object key."""
        counts = "rows_read, rows_stored, rows_rejected, rows_superseded"
        table = quoted(name_of(self.table))
        [[is_there]] = self.server.run("SELECT to_regclass(:table) IS NOT NULL", table=table)
        found = self.server.run(f"SELECT upload, object_key, {counts} FROM {table}") if is_there else []
        return {(upload, object_key): tuple(numbers) for upload, object_key, *numbers in found}

    def drop_files(self) -> None:
        """Drop the table of complete files and the views: an earlier release had none."""
        self.server.run(f"DROP TABLE IF EXISTS {quoted(name_of(self.table))} CASCADE")

    def create_files(self) -> None:
        """Run the statements that operators are shown."""
        for sql in self.created_by:
            self.server.run(sql)

    def declare(self, name: str, type_: str) -> None:
        """What an owner does before a new column is deployed."""
        self.server.run(f"ALTER TABLE {quoted(self.table)} ADD COLUMN IF NOT EXISTS {quoted(name)} {TYPES[type_]}")

    def add_columns(self, names: Iterable[str]) -> None:
        """What an owner does for others, who have chosen the names."""
        added = ", ".join(f"ADD COLUMN IF NOT EXISTS {quoted_name(name)} text" for name in names)
        self.server.run(f"ALTER TABLE {quoted(self.table)} {added}")

    def drop(self) -> None:
        self.drop_files()
        self.server.run(f"DROP TABLE {quoted(self.table)}")

    def _pk(self, etag: str, id_: str) -> str:
        return f"{etag}#{id_}" if "etag" in self.layout.key else id_

    def _key(self, pk: str) -> dict[str, str]:
        if "etag" not in self.layout.key:
            return {"id": pk}
        etag, _, id_ = pk.partition("#")
        return {"etag": etag, "id": id_}


def by_value(item: Item) -> dict[str, Any]:
    """The attributes of an item, numbers as numbers: of 5.50, DynamoDB has 5.5 and PostgreSQL 5.50."""
    return {name: Decimal(value["N"]) if "N" in value else value for name, value in item.items()}


def delete_all(client: "DynamoDBClient", table: str, keys: Sequence[Item]) -> None:
    """Delete the items under some keys, 25 a request: most of what a test of every call does is to begin again."""
    for start in range(0, len(keys), 25):
        requests: Any = [{"DeleteRequest": {"Key": key}} for key in keys[start : start + 25]]
        client.batch_write_item(RequestItems={table: requests})


def _item(pk: str, etag: str, line: int, data: str, values: Mapping[str, Any]) -> Item:
    own = {"pk": {"S": pk}, "etag": {"S": etag}, "line": {"N": str(line)}, "data": {"S": data}}
    return own | {name: _attribute(value) for name, value in values.items() if value is not None}


def _attribute(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | Decimal):
        return {"N": str(value)}
    return {"S": value.isoformat() if isinstance(value, date | datetime) else value}
