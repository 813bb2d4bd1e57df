"""The rows table, the table of complete files and the views that a feed with PostgreSQL needs. Pure."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from csv_ingest.configuration import IngestConfig
from csv_ingest.destinations import postgresql_files
from csv_ingest.destinations.postgresql_table import LAYOUTS, Layout, needed_columns, quoted
from csv_ingest.model import OF_COMPLETE, OF_NEWEST, ROW_EXPIRES_AT

COLLATION = ' COLLATE "C"'
"""Of the texts that identify rows, so that an upgrade of the server's collations cannot damage an index."""


class NeededTable(NamedTuple):
    """A table as it has to be."""

    name: str
    """After that of its schema and a dot, if it has one."""
    columns: Mapping[str, str]
    """The type of each column, as SQL has it, by name."""
    own: Collection[str]
    """The columns that are in every row: NOT NULL."""
    key: Sequence[str]
    privileges: Sequence[str]
    """Those of the function's role."""
    defaults: Mapping[str, str] = MappingProxyType({})
    """The defaults of columns that the function does not write."""

    @property
    def primary_key(self) -> str:
        return f"PRIMARY KEY ({', '.join(map(quoted, self.key))})"

    @property
    def creation(self) -> str:
        """The statement that creates the table, unless it is there."""
        columns = (self._column(name, type_) for name, type_ in self.columns.items())
        body = ",\n    ".join([*columns, self.primary_key])
        return f"CREATE TABLE IF NOT EXISTS {quoted(self.name)} (\n    {body}\n)"

    def _column(self, name: str, type_: str) -> str:
        constraint = " NOT NULL" if name in self.own else ""
        default = f" DEFAULT {self.defaults[name]}" if name in self.defaults else ""
        return f"{quoted(name)} {type_}{constraint}{default}"

    def grant(self, role: str) -> str:
        """The statement that lets a role, quoted, do what the function does."""
        return f"GRANT {', '.join(self.privileges)} ON {quoted(self.name)} TO {role}"


def rows_table(config: IngestConfig) -> NeededTable:
    """The rows table of a feed. The role can neither delete rows nor change the table."""
    layout = layout_of(config)
    columns = _with_collation(
        needed_columns(config.feed.format.columns, layout, rows_expire=config.feed.rows_expire), layout.own
    )
    return NeededTable(config.rows_table, columns, layout.own, layout.key, ("SELECT", "INSERT", "UPDATE"))


def expiry_index(config: IngestConfig) -> str:
    """The statement that creates the index by which rows are found that have expired."""
    index = quoted(f"{config.rows_table.rpartition('.')[2]}_expiry")
    return f"CREATE INDEX IF NOT EXISTS {index} ON {quoted(config.rows_table)} ({ROW_EXPIRES_AT})"


def daily(config: IngestConfig) -> list[str]:
    """What the owner of the tables has to run every day: where rows expire, the statement that deletes them."""
    return [f"DELETE FROM {quoted(config.rows_table)} WHERE {ROW_EXPIRES_AT} <= now()"] * config.feed.rows_expire


def files_table(config: IngestConfig) -> NeededTable:
    """The table of complete files of a feed. `reload` and `forget` delete from it, as the role."""
    columns = postgresql_files.COLUMNS
    return NeededTable(
        postgresql_files.name_of(config.rows_table),
        _with_collation(columns, columns),
        [name for name in columns if name not in postgresql_files.OPTIONAL],
        postgresql_files.KEY,
        ("SELECT", "INSERT", "UPDATE", "DELETE"),
        {"completed_at": "now()"},
    )


def views(config: IngestConfig) -> dict[str, str]:
    """The statement that creates each view of a feed, or adds to it what columns its table has got, by its name.

    Of complete files only, the view of all rows and, where each upload has rows of its own, that of the newest per id.
    """
    table, layout = config.rows_table, layout_of(config)
    rows, files = quoted(table), quoted(postgresql_files.name_of(table))
    # Whatever the collation of the column is: only in a key, it has to be "C".
    upload = f"t.{layout.upload}{COLLATION}"
    complete, newest = f"{table}{OF_COMPLETE}", f"{table}{OF_NEWEST}"
    found = {
        complete: f"""CREATE OR REPLACE VIEW {quoted(complete)} AS
    SELECT t.* FROM {rows} AS t WHERE EXISTS (SELECT FROM {files} AS f WHERE f.upload = {upload})"""
    }
    if layout.upload in layout.key:
        # Of files with the same bytes, which share their rows, the one that was uploaded last counts.
        found[newest] = f"""CREATE OR REPLACE VIEW {quoted(newest)} AS
    SELECT DISTINCT ON (t.id) t.* FROM {rows} AS t JOIN {files} AS f ON f.upload = {upload}
    ORDER BY t.id, f.uploaded_at DESC NULLS LAST, {upload} DESC"""
    return found


def layout_of(config: IngestConfig) -> Layout:
    """The key and the own columns of the rows table, by the write mode of the feed."""
    return LAYOUTS[config.feed.write_mode]


def _with_collation(columns: Mapping[str, str], own: Collection[str]) -> dict[str, str]:
    return {
        name: f"{type_}{COLLATION}" if type_ == "text" and name in own else type_ for name, type_ in columns.items()
    }
