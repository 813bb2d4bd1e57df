"""PostgreSQL as a destination: one row of a table for each row, under the key (etag, id)."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from json.encoder import encode_basestring
from threading import Lock
from typing import Any

from csv_ingest.model import (
    Column,
    ForeignItem,
    OwnerNeeded,
    Row,
    RowKey,
    RowsNotWritten,
    StoredRow,
    Value,
)
from csv_ingest.postgresql_connection import CHECK, PostgresqlConnection

MAX_KEY = 2_048
"""Bytes. An index of PostgreSQL takes 2,704; this is what DynamoDB takes."""

OWN_COLUMNS = {"etag": "text", "id": "text", "line": "bigint", "data": "json"}
"""Those of every row, with their types. `data` is not jsonb, which would change the order of the names."""

RESERVED = ("pk", *OWN_COLUMNS, "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
"""No declared column has such a name: the rows' own, and PostgreSQL's.
https://www.postgresql.org/docs/current/ddl-system-columns.html"""

TYPES = {
    "text": "text",
    "integer": "bigint",
    "decimal": "numeric",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp with time zone",
}
"""What holds the values of a declared column exactly, by its type. A numeric with a precision would round."""

_PAGE = 10_000
"""Rows of a file that are read together: the more they are, the less often those that are left are sorted again."""

_MAX_CHARACTERS = 300
"""In a number of a file, which has at most 38 digits, between the 125th before the point and the 130th after it."""

_NO_NUMBER = Decimal("NaN")

_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**63 - 1

_COLUMNS_OF_TABLE = """SELECT attname::text, format_type(atttypid, atttypmod), current_setting('server_encoding')
FROM pg_attribute
WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped"""


class PostgresqlDestination:
    """The rows table: a column for each declared column. Implements Destination.

    Each statement is a transaction. Rows are sent sorted by key: two deliveries that insert the same rows in other
    orders would wait for each other.
    """

    max_insert = 1_000
    max_fetch = 1_000
    reserved: Collection[str] = RESERVED
    who_deletes = f"somebody deleted them, or a trigger did: {CHECK}"

    def __init__(self, connection: PostgresqlConnection, table: str, columns: Sequence[Column]) -> None:
        """`table` is its name, after that of its schema and a dot if it has one; `columns` are the declared ones."""
        self._connection = connection
        self._table = quoted(table)
        self._name = table
        self._declared = columns
        self._found: Mapping[str, str] = {}
        self._asking = Lock()
        self._integers = {column.stored_as for column in columns if column.type == "integer"}

    def refusal(self, etag: str, row: Row) -> str | None:
        """Why PostgreSQL can never store a row: the size of its key, or an integer of more than 64 bits."""
        if len(etag) + len(row.id) >= MAX_KEY // 4:  # a character has at most four bytes
            size = len(RowKey.text(etag, row.id).encode())
            if size > MAX_KEY:
                return f"the id is too long: the key has {size:,} bytes, {MAX_KEY:,} are allowed"
        for name in self._integers:
            value = row.values.get(name)
            if isinstance(value, Decimal) and not _MIN_INTEGER <= value <= _MAX_INTEGER:
                return f"column {name}: an integer of more than 64 bits: declare a decimal"
        return None

    def insert_absent(self, etag: str, rows: Sequence[Row]) -> list[Row]:
        """Store each of at most 1,000 rows whose key is not taken; return the others."""
        if not rows:
            return []
        # Answers with the lines of the others, of which there are seldom any: to receive a line costs as much as to
        # send a row. No table can be named as the two here: a name of the settings has no space.
        names = tuple(rows[0].values)
        sql = f"""WITH "given rows" AS (SELECT * FROM {self._given(names)}), "new rows" AS (
            {self._insert(names, '"given rows"')} ON CONFLICT (etag, id) DO NOTHING RETURNING line)
            SELECT line FROM "given rows" EXCEPT SELECT line FROM "new rows\""""
        taken = {line for (line,) in self._connection.write(sql, etag=etag, rows=_to_json(rows))}
        return [row for row in rows if row.line in taken]

    def find(self, keys: Sequence[RowKey]) -> list[StoredRow | ForeignItem]:
        """Return what is stored under at most 1,000 keys.

        Not by the statement that inserts: it does not see what another delivery commits meanwhile.
        """
        if not keys:
            return []
        columns, stored = self._reading()
        sql = f"""SELECT {columns} FROM json_to_recordset(:keys ::json) AS n(etag text, id text)
            JOIN {self._table} AS t ON t.etag = n.etag AND t.id = n.id"""
        return list(map(stored, self._connection.read(sql, keys=_keys_to_json(keys))))

    def count(self, etag: str) -> int:
        """How many rows of an ETag are stored: the primary key finds them."""
        [[number]] = self._connection.read(f"SELECT count(*) FROM {self._table} WHERE etag = :etag", etag=etag)
        return int(number)

    def rows_of(self, etag: str) -> Iterator[StoredRow]:
        """Yield the rows of an ETag by line. For each page, those that are left are sorted again."""
        columns, stored = self._reading()
        sql = f"""SELECT {columns} FROM {self._table} AS t WHERE t.etag = :etag AND (t.line, t.id) > (:line, :id)
            ORDER BY t.line, t.id LIMIT {_PAGE}"""
        line, id_ = _MIN_INTEGER, ""
        while rows := self._connection.read(sql, etag=etag, line=line, id=id_):
            yield from map(stored, rows)
            _, id_, line, *_ = rows[-1]

    def replace_later_line(self, etag: str, row: Row) -> None:
        """Replace the stored row of a later line by this row; do nothing if the stored line is not later."""
        self._upsert(etag, row, "WHERE excluded.line < t.line")

    def scan(self) -> Iterator[StoredRow | ForeignItem]:
        """Yield every row of the table, in the order of the keys, by the index."""
        columns, stored = self._reading()
        sql = f"""SELECT {columns} FROM {self._table} AS t WHERE (t.etag, t.id) > (:etag, :id)
            ORDER BY t.etag, t.id LIMIT {self.max_fetch}"""
        etag = id_ = ""
        while rows := self._connection.read(sql, etag=etag, id=id_):
            yield from map(stored, rows)
            etag, id_, *_ = rows[-1]

    def overwrite(self, etag: str, row: Row) -> None:
        """Store a row, whatever is stored under its key."""
        self._upsert(etag, row, "")

    def delete(self, etag: str, ids: Sequence[str]) -> int:  # noqa: ARG002 - of an upload, all rows have to be gone
        """Return 0 if no row of an upload is stored; the function's role, which asks, can delete none."""
        sql = f"SELECT EXISTS (SELECT FROM {self._table} WHERE etag = :etag)"
        if self._connection.read(sql, etag=etag) == [[True]]:
            raise OwnerNeeded(f"DELETE FROM {self._table} WHERE etag = '{etag}'")
        return 0

    def close(self) -> None:
        """Give the connection back to the server."""
        self._connection.close()

    @property
    def _types(self) -> Mapping[str, str]:
        """The type of each column of the table. Raises RowsNotWritten if the table cannot hold the rows exactly."""
        # Not a cached_property: that of Python 3.11 has all destinations wait for the one that asks.
        with self._asking:
            if not self._found:
                rows = self._connection.read(_COLUMNS_OF_TABLE, table=self._table)
                found = {name: type_ for name, type_, _ in rows}
                if other := {encoding for *_, encoding in rows} - {"UTF8"}:
                    raise RowsNotWritten(f"the database has the encoding {other.pop()}: create a database with UTF8")
                if wrong := wrong_columns(found, self._declared):
                    there = f"{self._name}: {'; '.join(wrong.values())}" if found else f"there is no table {self._name}"
                    raise RowsNotWritten(f"{there}: {CHECK}")
                self._found = found
        return self._found

    def _reading(self) -> tuple[str, Callable[[Sequence[Any]], StoredRow]]:
        """What to select of the table, named `t`, and the function that makes a row of what was selected."""
        more = [(name, type_) for name, type_ in self._types.items() if name not in OWN_COLUMNS]
        expressions = [_readable(f"t.{quoted_name(name)}", type_) for name, type_ in more]
        readers = [(name, _VALUES.get(type_, str)) for name, type_ in more]

        def stored(found: Sequence[Any]) -> StoredRow:
            etag, id_, line, data, *values = found
            by_name = {
                name: read(value) for (name, read), value in zip(readers, values, strict=True) if value is not None
            }
            return StoredRow(RowKey(etag, id_), etag, line, data, by_name)

        return ", ".join(["t.etag", "t.id", "t.line", "t.data::text", *expressions]), stored

    def _given(self, names: tuple[str, ...]) -> str:
        """The rows of the parameter, with some declared columns, as a table."""
        found = self._types  # also without declared columns: no row is written to a table that was not looked at
        # The type of a column that the table does not have: the server then says that there is none.
        types = [found.get(name, "text") for name in names]
        columns = "".join(f", c{number} {type_}" for number, type_ in enumerate(types))
        return f"json_to_recordset(:rows ::json) AS n(id text, line bigint, data json{columns})"

    def _insert(self, names: tuple[str, ...], given: str) -> str:
        """The statement that inserts the rows that are given, with some declared columns."""
        return f"""INSERT INTO {self._table} AS t (etag, id, line, data{"".join(f", {quoted(name)}" for name in names)})
            SELECT :etag, id, line, data{"".join(f", c{number}" for number in range(len(names)))}
            FROM {given} ORDER BY id COLLATE "C\""""

    def _upsert(self, etag: str, row: Row, condition: str) -> None:
        names = ["line", "data", *map(quoted, row.values)]
        sets = ", ".join(f"{name} = excluded.{name}" for name in names)
        insert = self._insert(tuple(row.values), self._given(tuple(row.values)))
        sql = f"{insert} ON CONFLICT (etag, id) DO UPDATE SET {sets} {condition}"
        self._connection.write(sql, etag=etag, rows=_to_json([row]))


def wrong_columns(found: Mapping[str, str], declared: Sequence[Column]) -> dict[str, str]:
    """What keeps a table from holding rows exactly, by column. `found` has the types of its columns by their names."""
    needed = OWN_COLUMNS | {column.stored_as: TYPES[column.type] for column in declared}
    return {
        name: f"column {name} is {found[name]} and has to be {type_}" if name in found else f"column {name} is missing"
        for name, type_ in needed.items()
        if found.get(name) != type_
    }


def quoted(name: str) -> str:
    """The name of a declared column, or of a table that may be in a schema, as SQL has it."""
    return ".".join(map(quoted_name, name.split(".")))


def quoted_name(name: str) -> str:
    """A name that somebody else chose, as SQL has it: a dot in it separates nothing."""
    return '"{}"'.format(name.replace('"', '""'))


def _to_json(rows: Sequence[Row]) -> str:
    """The rows as one parameter: an array of objects, whose keys the statement knows."""
    return f"[{','.join(map(_row_to_json, rows))}]"


def _keys_to_json(keys: Sequence[RowKey]) -> str:
    pairs = (f'{{"etag":{encode_basestring(key.etag)},"id":{encode_basestring(key.id or "")}}}' for key in keys)
    return f"[{','.join(pairs)}]"


def _row_to_json(row: Row) -> str:
    values = "".join(
        f',"c{number}":{_value_to_json(value)}' for number, value in enumerate(row.values.values()) if value is not None
    )
    return f'{{"id":{encode_basestring(row.id)},"line":{row.line},"data":{row.data}{values}}}'


def _value_to_json(value: Value) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    return str(value).lower() if isinstance(value, bool) else f"{value:f}"  # a bigint takes no exponent


def _readable(column: str, type_: str) -> str:
    """An expression whose text is the same whatever the settings of the session are."""
    if type_ == "timestamp with time zone":
        text = f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')"""
    elif type_ == "date":
        text = f"to_char({column}, 'YYYY-MM-DD')"
    else:
        return f"{column}::text"
    # to_char makes NULL of infinity, and of a year before Christ the same year after.
    return f"CASE WHEN {column} >= '0001-01-01 00:00Z' AND isfinite({column}) THEN {text} ELSE {column}::text END"


def _number(text: str) -> Value:
    """A number that a file can have; otherwise the text, so that nobody calculates with what others have put there."""
    number = Decimal(text) if len(text) <= _MAX_CHARACTERS else _NO_NUMBER
    return number if number.is_finite() else text


_VALUES: Mapping[str, Callable[[str], Value]] = {
    "bigint": _number,
    "numeric": _number,
    "boolean": "true".__eq__,
    "timestamp with time zone": lambda text: f"{text.removesuffix('.000000')}+00:00",
}
"""From the text of a value, by the type of its column; of other types, the value is the text."""
