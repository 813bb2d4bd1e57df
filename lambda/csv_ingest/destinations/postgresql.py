"""PostgreSQL as a destination: one row of a table for each row.

Its key is (etag, id); in a feed that merges, (id).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from json.encoder import encode_basestring
from threading import Lock
from typing import Any

from csv_ingest.errors import OwnerNeeded, RowsNotWritten
from csv_ingest.file_format import Column
from csv_ingest.postgresql_connection import CHECK, PostgresqlConnection
from csv_ingest.rows import ForeignItem, Integer, Row, RowKey, StoredRow, Value
from csv_ingest.uploads import Origin

MAX_KEY = 2_048
"""Bytes. An index of PostgreSQL takes 2,704; this is what DynamoDB takes."""

UPLOADED = "uploaded"
"""The column of every row of a feed that merges: Origin has it."""

_COLUMNS = {"etag": "text", "id": "text", "line": "bigint", "data": "json"}

RESERVED = ("pk", *_COLUMNS, "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
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


def own_columns(*, merges: bool) -> dict[str, str]:
    """The columns of every row, with their types. `data` is not jsonb, which would change the order of the names."""
    return _COLUMNS | ({UPLOADED: "text"} if merges else {})


def key_columns(*, merges: bool) -> list[str]:
    """The primary key."""
    return ["id"] if merges else ["etag", "id"]


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
    who_deletes = f"somebody deleted them, or a trigger did: {CHECK}"

    def __init__(
        self, connection: PostgresqlConnection, table: str, columns: Sequence[Column], *, merges: bool
    ) -> None:
        """`table` is its name, after that of its schema and a dot if it has one; `columns` are the declared ones.

        `merges` says whether there is one row an id, and not one an upload and id.
        """
        self._connection = connection
        self._table = quoted(table)
        self._name = table
        self._declared = columns
        self._merges = merges
        self._own = own_columns(merges=merges)
        self._key = key_columns(merges=merges)
        self.reserved: Collection[str] = (*RESERVED, UPLOADED) if merges else RESERVED
        self._found: Mapping[str, str] = {}
        self._asking = Lock()

    def refusal(self, origin: Origin, row: Row) -> str | None:
        """Why PostgreSQL can never store a row: the size of its key, or an integer of more than 64 bits."""
        if len(origin.etag) + len(row.id) >= MAX_KEY // 4:  # a character has at most four bytes
            size = len((row.id if self._merges else RowKey.text(origin.etag, row.id)).encode())
            if size > MAX_KEY:
                return f"the id is too long: the key has {size:,} bytes, {MAX_KEY:,} are allowed"
        for name, value in row.values.items():  # as the file was read: its columns may be declared otherwise today
            if isinstance(value, Integer) and not _MIN_INTEGER <= value <= _MAX_INTEGER:
                return f"column {name}: an integer of more than 64 bits: declare a decimal"
        return None

    def insert_absent(self, origin: Origin, rows: Sequence[Row]) -> list[Row]:
        """Store each of at most 1,000 rows whose key is not taken, or taken by an older upload; return the others."""
        if not rows:
            return []
        # Answers with the lines of the others, of which there are seldom any: to receive a line costs as much as to
        # send a row. No table can be named as the two here: a name of the settings has no space.
        names = tuple(rows[0].values)
        sql = f"""WITH "given rows" AS (SELECT * FROM {self._given(names)}), "new rows" AS (
            {self._insert(names, '"given rows"')} {self._on_conflict(names)} RETURNING line)
            SELECT line FROM "given rows" EXCEPT SELECT line FROM "new rows\""""
        taken = {line for (line,) in self._connection.write(sql, **self._of(origin), rows=_to_json(rows))}
        return [row for row in rows if row.line in taken]

    def replace_older(self, origin: Origin, rows: Sequence[tuple[Row, StoredRow]]) -> list[Row]:
        """As `insert_absent`, which replaces the rows of older uploads in its one statement."""
        return self.insert_absent(origin, [row for row, _ in rows])

    def find(self, keys: Sequence[RowKey]) -> list[StoredRow | ForeignItem]:
        """Return what is stored under at most 1,000 keys.

        Not by the statement that inserts: it does not see what another delivery commits meanwhile.
        """
        if not keys:
            return []
        columns, stored = self._reading()
        matches = " AND ".join(f"t.{name} = n.{name}" for name in self._key)
        sql = f"""SELECT {columns} FROM json_to_recordset(:keys ::json) AS n(etag text, id text)
            JOIN {self._table} AS t ON {matches}"""
        return list(map(stored, self._connection.read(sql, keys=_keys_to_json(keys))))

    def count(self, origin: Origin) -> int | None:
        """How many rows of an upload are stored, by the primary key; None if that does not begin with the ETag."""
        if self._merges:
            return None
        [[number]] = self._connection.read(f"SELECT count(*) FROM {self._table} WHERE etag = :etag", etag=origin.etag)
        return int(number)

    def rows_of(self, origin: Origin) -> Iterator[StoredRow]:
        """Yield the rows of an upload by line. For each page, those that are left are sorted again."""
        columns, stored = self._reading()
        sql = f"""SELECT {columns} FROM {self._table} AS t WHERE t.etag = :etag AND (t.line, t.id) > (:line, :id)
            ORDER BY t.line, t.id LIMIT {_PAGE}"""
        line, id_ = _MIN_INTEGER, ""
        while rows := self._connection.read(sql, etag=origin.etag, line=line, id=id_):
            yield from map(stored, rows)
            _, id_, line, *_ = rows[-1]

    def replace_later_line(self, origin: Origin, row: Row) -> None:
        """Replace the stored row of a later line of the same upload; do nothing if another row is stored."""
        same = f" AND excluded.{UPLOADED} = t.{UPLOADED}" if self._merges else ""
        self._upsert(origin, row, f"WHERE excluded.line < t.line{same}")

    def scan(self) -> Iterator[StoredRow | ForeignItem]:
        """Yield every row of the table, in the order of the keys, by the index."""
        columns, stored = self._reading()
        names = ", ".join(f"t.{name}" for name in self._key)
        last = dict.fromkeys(self._key, "")
        sql = f"""SELECT {columns} FROM {self._table} AS t WHERE ({names}) > ({", ".join(f":{name}" for name in last)})
            ORDER BY {names} LIMIT {self.max_fetch}"""
        while rows := self._connection.read(sql, **last):
            yield from map(stored, rows)
            etag, id_, *_ = rows[-1]
            last = {name: value for name, value in (("etag", etag), ("id", id_)) if name in self._key}

    def overwrite(self, origin: Origin, row: Row) -> bool:
        """Store a row, whatever is stored under its key; returns False if that is a row of a newer upload."""
        return self._upsert(origin, row, f"WHERE {_is_older('<=')}" if self._merges else "")

    def delete(self, origin: Origin, ids: Sequence[str]) -> int:
        """Return 0 if no row of an upload is stored under the ids; the function's role, which asks, can delete none."""
        # Not by the upload, which no index has in a feed that merges: one statement has no time for a large table.
        if any(found.key.upload == origin.upload for found in self.find([RowKey(origin.upload, id_) for id_ in ids])):
            column = UPLOADED if self._merges else "etag"
            raise OwnerNeeded(f"DELETE FROM {self._table} WHERE {column} = {literal(origin.upload)}")
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
                if wrong := wrong_columns(found, self._declared, merges=self._merges):
                    there = f"{self._name}: {'; '.join(wrong.values())}" if found else f"there is no table {self._name}"
                    raise RowsNotWritten(f"{there}: {CHECK}")
                self._found = found
        return self._found

    def _reading(self) -> tuple[str, Callable[[Sequence[Any]], StoredRow]]:
        """What to select of the table, named `t`, and the function that makes a row of what was selected."""
        more = [(name, type_) for name, type_ in self._types.items() if name not in self._own]
        expressions = [_readable(f"t.{quoted_name(name)}", type_) for name, type_ in more]
        readers = [(name, _VALUES.get(type_, str)) for name, type_ in more]

        def stored(found: Sequence[Any]) -> StoredRow:
            etag, id_, line, data, upload, *values = found
            by_name = {
                name: read(value) for (name, read), value in zip(readers, values, strict=True) if value is not None
            }
            return StoredRow(RowKey(upload, id_), etag, line, data, by_name)

        upload = UPLOADED if self._merges else "etag"
        return ", ".join(["t.etag", "t.id", "t.line", "t.data::text", f"t.{upload}", *expressions]), stored

    def _given(self, names: tuple[str, ...]) -> str:
        """The rows of the parameter, with some declared columns, as a table."""
        found = self._types  # also without declared columns: no row is written to a table that was not looked at
        # The type of a column that the table does not have: the server then says that there is none.
        types = [found.get(name, "text") for name in names]
        columns = "".join(f", c{number} {type_}" for number, type_ in enumerate(types))
        return f"json_to_recordset(:rows ::json) AS n(id text, line bigint, data json{columns})"

    def _insert(self, names: tuple[str, ...], given: str) -> str:
        """The statement that inserts the rows that are given, with some declared columns."""
        upload = ("uploaded, ", ":uploaded ::text, ") if self._merges else ("", "")
        return f"""INSERT INTO {self._table} AS t
            (etag, {upload[0]}id, line, data{"".join(f", {quoted(name)}" for name in names)})
            SELECT :etag, {upload[1]}id, line, data{"".join(f", c{number}" for number in range(len(names)))}
            FROM {given} ORDER BY id COLLATE "C\""""

    def _of(self, origin: Origin) -> dict[str, str]:
        """The parameters that say where the rows of an insertion come from."""
        return {"etag": origin.etag, **({"uploaded": origin.uploaded} if self._merges else {})}

    def _on_conflict(self, names: tuple[str, ...]) -> str:
        """What an insertion does about rows whose key is taken."""
        if not self._merges:
            return "ON CONFLICT (etag, id) DO NOTHING"
        return f"{self._update_on_conflict(names)} WHERE {_is_older('<')}"

    def _update_on_conflict(self, names: tuple[str, ...]) -> str:
        written = [*(name for name in self._own if name not in self._key), *names]
        sets = [f"{quoted(name)} = excluded.{quoted(name)}" for name in written]
        if self._merges:  # the row is as if it had been inserted
            others = [name for name in self._types if name not in self._own and name not in names]
            sets += [f"{quoted_name(name)} = DEFAULT" for name in others]
        return f"ON CONFLICT ({', '.join(self._key)}) DO UPDATE SET {', '.join(sets)}"

    def _upsert(self, origin: Origin, row: Row, condition: str) -> bool:
        names = tuple(row.values)
        sql = f"{self._insert(names, self._given(names))} {self._update_on_conflict(names)} {condition} RETURNING line"
        return bool(self._connection.write(sql, **self._of(origin), rows=_to_json([row])))


def _is_older(operator: str) -> str:
    """The condition that the stored row is of an older upload than the one that is inserted, whatever the collation."""
    return f'(t.{UPLOADED} COLLATE "C") {operator} (excluded.{UPLOADED} COLLATE "C")'


def wrong_columns(found: Mapping[str, str], declared: Sequence[Column], *, merges: bool) -> dict[str, str]:
    """What keeps a table from holding rows exactly, by column. `found` has the types of its columns by their names."""
    needed = own_columns(merges=merges) | {column.stored_as: TYPES[column.type] for column in declared}
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


def literal(text: str) -> str:
    """A text as SQL has it, whatever standard_conforming_strings is; a NUL cannot be in one.

    https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS-ESCAPE
    """
    doubled = text.replace("'", "''")
    return f"'{doubled}'" if "\\" not in text else "E'{}'".format(doubled.replace("\\", "\\\\"))


def _to_json(rows: Sequence[Row]) -> str:
    """The rows as one parameter: an array of objects, whose keys the statement knows."""
    return f"[{','.join(map(_row_to_json, rows))}]"


def _keys_to_json(keys: Sequence[RowKey]) -> str:
    pairs = (f'{{"etag":{encode_basestring(key.upload)},"id":{encode_basestring(key.id or "")}}}' for key in keys)
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
