"""PostgreSQL as a destination: one row of a table per row."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

from csv_ingest.destinations import base, postgresql_files, postgresql_table, postgresql_values
from csv_ingest.model import (
    ROW_EXPIRES_AT,
    Column,
    CompleteFile,
    ForeignItem,
    Integer,
    Origin,
    OwnerNeeded,
    Row,
    RowKey,
    RowsNotWritten,
    StoredRow,
)
from csv_ingest.modes import WriteMode
from csv_ingest.postgresql import CHECK, PostgresqlConnection

MAX_KEY = 2_048
"""Bytes. An index of PostgreSQL takes 2,704; this is what DynamoDB takes."""

_PAGE = 10_000
"""Rows of a file that are read together: the more they are, the less often those that are left are sorted again."""

_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**63 - 1

_COLUMNS = """SELECT attrelid = to_regclass(:table), attname::text, format_type(atttypid, atttypmod),
    current_setting('server_encoding') FROM pg_attribute
    WHERE attrelid IN (to_regclass(:table), to_regclass(:files)) AND attnum > 0 AND NOT attisdropped"""


class _Tables(NamedTuple):
    """What a destination has found in the database."""

    types: Mapping[str, str]
    """The type of each column of the rows table."""
    have_files: bool
    """Whether the table of complete files is there. An owner has not created it yet, if the rows table is older."""


class PostgresqlDestination:
    """The rows table: a column for each declared column. Implements Destination.

    Each statement is a transaction. Rows are sent sorted by key: two deliveries that insert the same rows in other
    orders would wait for each other.
    """

    max_insert = 1_000
    max_fetch = 1_000
    refusal_costs_a_write = False
    who_deletes = f"somebody deleted them, or a trigger did: {CHECK}"

    def __init__(
        self,
        connection: PostgresqlConnection,
        table: str,
        columns: Sequence[Column],
        mode: WriteMode,
        *,
        rows_expire: bool = False,
    ) -> None:
        """`table` is its name, after that of its schema and a dot if it has one; `columns` are the declared ones."""
        self._connection = connection
        self._table = postgresql_table.quoted(table)
        self._name = table
        self._mode = mode
        self._layout = postgresql_table.LAYOUTS[mode.name]
        self._rows_expire = rows_expire
        self._needed = postgresql_table.needed_columns(columns, self._layout, rows_expire=rows_expire)
        self._found: _Tables | None = None
        self._asking = Lock()

    def refusal(self, origin: Origin, row: Row) -> str | None:
        """Why PostgreSQL can never store a row: the size of its key, or an integer of more than 64 bits."""
        if len(origin.etag) + len(row.id) >= MAX_KEY // 4:  # a character has at most four bytes
            size = len(self._mode.row_key(RowKey(origin.upload, row.id)).encode())
            if size > MAX_KEY:
                return f"the id is too long: the key has {size:,} bytes, {MAX_KEY:,} are allowed"
        for name, value in row.values.items():  # as the file was read: its columns may be declared otherwise today
            if isinstance(value, Integer) and not _MIN_INTEGER <= value <= _MAX_INTEGER:
                return f"column {name}: an integer of more than 64 bits: declare a decimal"
        return None

    def write(
        self,
        origin: Origin,
        rows: Sequence[Row],
        *,
        only_if: base.OnlyIf,
        stored: Sequence[StoredRow] = (),  # noqa: ARG002 - a statement replaces the row of any older upload
    ) -> list[Row]:
        """Store each of at most 1,000 rows for whose key the condition holds; return the others.

        Rows of older uploads are replaced by the statement that inserts.
        """
        if not rows:
            return []
        types, layout = self._tables.types, self._layout  # no row is written to a table that was not looked at
        expiry = postgresql_values.expiry(origin.expires_at) if self._rows_expire else {}
        given = [row._replace(values={**expiry, **row.values}) for row in rows] if expiry else rows
        names = tuple(given[0].values)
        # Answers with the lines of the others, of which there are seldom any: to receive a line costs as much as to
        # send a row. No table can be named as the two here: a name of the settings has no space.
        write = f"{layout.insert(self._table, names)} {layout.on_conflict(types, names, only_if)} RETURNING line"
        about = {"etag": origin.etag, layout.upload: origin.upload}
        if only_if is base.OnlyIf.EARLIER_EXPIRY:
            write = f"{layout.renew(self._table)} RETURNING n.line"
            about[ROW_EXPIRES_AT] = expiry[ROW_EXPIRES_AT] or ""
        sql = f"""WITH "given rows" AS (SELECT * FROM {postgresql_table.given_rows(types, names)}),
            "new rows" AS ({write}) SELECT line FROM "given rows" EXCEPT SELECT line FROM "new rows\""""
        taken = {line for (line,) in self._connection.write(sql, **about, rows=postgresql_values.rows_to_json(given))}
        return [row for row in rows if row.line in taken]

    def find(self, keys: Sequence[RowKey]) -> list[StoredRow | ForeignItem]:
        """Return what is stored under at most 1,000 keys.

        Not by the statement that inserts: it does not see what another delivery commits meanwhile.
        """
        if not keys:
            return []
        columns, stored = self._reading()
        matches = " AND ".join(f"t.{name} = n.{name}" for name in self._layout.key)
        sql = f"""SELECT {columns} FROM json_to_recordset(:keys ::json) AS n(etag text, id text)
            JOIN {self._table} AS t ON {matches}"""
        return list(map(stored, self._connection.read(sql, keys=postgresql_values.keys_to_json(keys))))

    def count(self, origin: Origin) -> int | None:
        """How many rows of an upload are stored, by the primary key; None if that does not begin with the ETag."""
        if self._layout.key[0] != "etag":
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

    def scan(self) -> Iterator[StoredRow | ForeignItem]:
        """Yield every row of the table, in the order of the keys, by the index."""
        columns, stored = self._reading()
        names = ", ".join(f"t.{name}" for name in self._layout.key)
        last = dict.fromkeys(self._layout.key, "")
        sql = f"""SELECT {columns} FROM {self._table} AS t WHERE ({names}) > ({", ".join(f":{name}" for name in last)})
            ORDER BY {names} LIMIT {self.max_fetch}"""
        while rows := self._connection.read(sql, **last):
            yield from map(stored, rows)
            etag, id_, *_ = rows[-1]
            last = {name: value for name, value in (("etag", etag), ("id", id_)) if name in self._layout.key}

    def delete(self, origin: Origin, ids: Sequence[str]) -> int:
        """Return 0 if no row of an upload is stored under the ids; the function's role, which asks, can delete none."""
        # Not by the upload, which need not be in an index: one statement has no time for a large table.
        if any(found.key.upload == origin.upload for found in self.find([RowKey(origin.upload, id_) for id_ in ids])):
            raise OwnerNeeded(
                f"DELETE FROM {self._table} WHERE {self._layout.upload} = {postgresql_table.literal(origin.upload)}"
            )
        return 0

    def mark_complete(self, file: CompleteFile) -> None:
        """Write a row of the table of complete files, if its owner has created it."""
        if self._tables.have_files:
            self._connection.write(postgresql_files.marking(self._name), **postgresql_files.to_parameters(file))

    def unmark(self, upload: str, object_key: str) -> None:
        """Delete a row of the table of complete files, if there is one."""
        if self._tables.have_files:
            sql = postgresql_files.unmarking(self._name)
            self._connection.write(sql, upload=upload, object_key=object_key)

    def marks(self) -> Iterator[CompleteFile] | None:
        """Yield the files of the table of complete files, by their keys; None if its owner has not created it."""
        return self._read_marks() if self._tables.have_files else None

    def _read_marks(self) -> Iterator[CompleteFile]:
        sql, upload, object_key = postgresql_files.listing(self._name, self.max_fetch), "", ""
        while rows := self._connection.read(sql, upload=upload, object_key=object_key):
            yield from map(postgresql_files.from_listing, rows)
            upload, object_key, *_ = rows[-1]

    def close(self) -> None:
        """Give the connection back to the server."""
        self._connection.close()

    @property
    def _tables(self) -> _Tables:
        """What one query finds. Raises RowsNotWritten if the rows table cannot hold the rows exactly."""
        # Not a cached_property: that of Python 3.11 has all destinations wait for the one that asks.
        with self._asking:
            if not self._found:
                files = postgresql_table.quoted(postgresql_files.name_of(self._name))
                rows = self._connection.read(_COLUMNS, table=self._table, files=files)
                found = {name: type_ for is_of_rows, name, type_, _ in rows if is_of_rows}
                if other := {encoding for *_, encoding in rows} - {"UTF8"}:
                    raise RowsNotWritten(f"the database has the encoding {other.pop()}: create a database with UTF8")
                if wrong := postgresql_table.wrong_columns(found, self._needed):
                    there = f"{self._name}: {'; '.join(wrong.values())}" if found else f"there is no table {self._name}"
                    raise RowsNotWritten(f"{there}: {CHECK}")
                of_files = {name for is_of_rows, name, *_ in rows if not is_of_rows}
                self._found = _Tables(found, have_files=postgresql_files.COLUMNS.keys() <= of_files)
        return self._found

    def _reading(self) -> tuple[str, Callable[[Sequence[Any]], StoredRow]]:
        """What to select of the table, named `t`, and the function that makes a row of what was selected."""
        more = [(name, type_) for name, type_ in self._tables.types.items() if name not in self._layout.own]
        expressions = [
            postgresql_values.readable(f"t.{postgresql_table.quoted_name(name)}", type_) for name, type_ in more
        ]
        readers = [(name, postgresql_values.READERS.get(type_, str)) for name, type_ in more]

        def stored(found: Sequence[Any]) -> StoredRow:
            etag, id_, line, data, upload, *values = found
            by_name = {
                name: read(value) for (name, read), value in zip(readers, values, strict=True) if value is not None
            }
            return StoredRow(RowKey(upload, id_), etag, line, data, by_name, postgresql_values.expires_at(by_name))

        return ", ".join(["t.etag", "t.id", "t.line", "t.data::text", f"t.{self._layout.upload}", *expressions]), stored
