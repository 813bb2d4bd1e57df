"""The rows table in PostgreSQL: its columns, its key, and the statement that writes, by write mode. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from csv_ingest.destinations.base import OnlyIf
from csv_ingest.model import ROW_EXPIRES_AT, Column
from csv_ingest.modes import APPEND, MERGE

_COLUMNS = {"etag": "text", "id": "text", "line": "bigint", "data": "json"}

TYPES = {
    "text": "text",
    "integer": "bigint",
    "decimal": "numeric",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp with time zone",
}
"""What holds the values of a declared column exactly, by its type. A numeric with a precision would round."""


class Layout(NamedTuple):
    """The key of a table, and which of its columns tells the rows of an upload from those of others."""

    key: tuple[str, ...]
    upload: str

    @property
    def own(self) -> dict[str, str]:
        """The columns of every row, with their types. `data` is not jsonb, which would change the order of names."""
        return _COLUMNS | {self.upload: "text"}

    def insert(self, table: str, names: Sequence[str]) -> str:
        """The statement that inserts the rows of "given rows", with some declared columns."""
        of_upload = list(dict.fromkeys(["etag", self.upload]))
        declared = "".join(f", {quoted(name)}" for name in names)
        numbered = "".join(f", c{number}" for number in range(len(names)))
        return f"""INSERT INTO {table} AS t ({", ".join(of_upload)}, id, line, data{declared})
            SELECT {", ".join(f":{name} ::text" for name in of_upload)}, id, line, data{numbered}
            FROM "given rows" ORDER BY id COLLATE "C\""""

    def on_conflict(self, types: Mapping[str, str], names: Sequence[str], only_if: OnlyIf) -> str:
        """What an insertion does about rows whose key is taken. `types` has all columns of the table."""
        if only_if is OnlyIf.ABSENT and self.upload in self.key:  # no older upload has this key
            return f"ON CONFLICT ({', '.join(self.key)}) DO NOTHING"
        written = [*(name for name in self.own if name not in self.key), *names]
        sets = [f"{quoted(name)} = excluded.{quoted(name)}" for name in written]
        if self.upload not in self.key:  # the row is as if it had been inserted
            others = [name for name in types if name not in self.own and name not in names]
            sets += [f"{quoted_name(name)} = DEFAULT" for name in others]
        where = self._compared("<")
        if only_if is OnlyIf.NOT_NEWER:
            where = self._compared("<=")
            if ROW_EXPIRES_AT in names:  # what expires later is right since the audit
                where += f" AND coalesce(t.{ROW_EXPIRES_AT} <= excluded.{ROW_EXPIRES_AT}, true)"
        elif only_if is OnlyIf.LATER_LINE:
            where = f"excluded.line < t.line AND {self._compared('=')}"
        return f"ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {', '.join(sets)} WHERE {where}"

    def renew(self, table: str) -> str:
        """The statement that has stored rows of "given rows" expire later, or never, whatever else has changed."""
        of_upload = "" if self.upload in self.key else f" AND t.{self.upload} = :{self.upload} ::text"
        matches = " AND ".join(f"t.{name} = {':etag ::text' if name == 'etag' else 'n.id'}" for name in self.key)
        expiry = f"nullif(:{ROW_EXPIRES_AT} ::text, '')::timestamptz"
        return f"""UPDATE {table} AS t SET {ROW_EXPIRES_AT} = {expiry} FROM "given rows" AS n
            WHERE {matches}{of_upload} AND t.{ROW_EXPIRES_AT} < coalesce({expiry}, 'infinity')"""

    def _compared(self, operator: str) -> str:
        """How the upload of the stored row compares with that which is inserted, whatever the collation."""
        return f'(t.{self.upload} COLLATE "C") {operator} (excluded.{self.upload} COLLATE "C")'


LAYOUTS: Mapping[str, Layout] = {
    APPEND.name: Layout(key=("etag", "id"), upload="etag"),
    MERGE.name: Layout(key=("id",), upload="uploaded"),
}
"""By write mode."""


def given_rows(types: Mapping[str, str], names: Sequence[str]) -> str:
    """The rows of the parameter, with some declared columns, as a table."""
    # The type of a column that the table does not have: the server then says that there is none.
    columns = "".join(f", c{number} {types.get(name, 'text')}" for number, name in enumerate(names))
    return f"json_to_recordset(:rows ::json) AS n(id text, line bigint, data json{columns})"


def needed_columns(declared: Sequence[Column], layout: Layout, *, rows_expire: bool = False) -> dict[str, str]:
    """The type of each column that a rows table has to have, by name."""
    needed = layout.own | {column.stored_as: TYPES[column.type] for column in declared}
    return needed | ({ROW_EXPIRES_AT: TYPES["timestamp"]} if rows_expire else {})


def wrong_columns(found: Mapping[str, str], needed: Mapping[str, str]) -> dict[str, str]:
    """What is missing in a table, or of another type, by column: of what there is, and of what is needed, the types."""
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
