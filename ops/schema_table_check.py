"""Compare one table in PostgreSQL with what the deliveries of a feed need."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from csv_ingest.destinations.postgresql_table import quoted, quoted_name, wrong_columns
from csv_ingest.model import Column

from . import schema_catalog, schema_tables, schema_views_check


@dataclass
class TableCheck:
    """One look at a table that is there, or at what has its name."""

    catalog: schema_catalog.Catalog
    needed: schema_tables.NeededTable
    found: schema_catalog.Table
    role: str
    """The function's, quoted."""
    declared: Mapping[str, Column]
    """The columns that the feed declares, by their names in the table."""
    views: schema_views_check.ViewsCheck
    """Those that are made of the table."""

    def __post_init__(self) -> None:
        self.columns = self.catalog.columns(self.found)
        self._table = quoted(self.needed.name)
        self._alter = f"ALTER TABLE {self._table}"

    def other_kind(self) -> str:
        """Why this is not the table that is needed, but something else; empty if it is."""
        if self.found.kind not in "rp":
            return f"{self.needed.name} is not a table:"
        there = {column.name for column in self.columns}
        if missing := ", ".join(name for name in self.needed.own if name not in there):
            return f"{self.needed.name} has no column {missing}: is it the table of something else?"
        return ""

    def problems(self) -> Iterator[str]:
        """Each reason why rows would be refused, changed or lost, with what to do."""
        return chain(self._of_table(), self._of_columns(), self._of_key(), self._of_hindrances(), self._of_privileges())

    def warnings(self) -> Iterator[str]:
        """What the role can do beyond what it has to."""
        if self.found.is_owned:
            yield f"the role owns the table, and can change and drop it: {self._alter} OWNER TO another role"
            return
        held = [each for each in ("DELETE", "TRUNCATE") if each in self.found.privileges]
        if more := ", ".join(each for each in held if each not in self.needed.privileges):
            yield f"the role may {more}, which no delivery does: REVOKE {more} ON {self._table} FROM {self.role}"

    def _of_table(self) -> Iterator[str]:
        if self.found.is_unlogged:
            yield f"a crash of the server empties the table, which is unlogged: {self._alter} SET LOGGED"
        if self.found.has_row_security:
            yield f"row-level security can hide rows, or refuse them: {self._alter} DISABLE ROW LEVEL SECURITY"

    def _of_columns(self) -> Iterator[str]:
        types = {column.name: column.type for column in self.columns}
        needed = {name: type_.removesuffix(schema_tables.COLLATION) for name, type_ in self.needed.columns.items()}
        for name, text in wrong_columns(types, needed).items():
            type_ = self.needed.columns[name]
            if name in types:
                yield f"{text}: {self._retyped(name, f'{type_} USING {quoted(name)}::{type_}')}"
            else:
                yield f"{text}: {self._alter} ADD COLUMN {quoted(name)} {type_}"
        for column in self.columns:
            change = f"{self._alter} ALTER COLUMN {quoted_name(column.name)}"
            if column.name in self.needed.own:
                yield from self._of_own_column(column, change)
            elif column.name in self.declared:
                yield from _of_declared_column(column, self.declared[column.name], change)
            elif column.is_not_null and not column.has_default:
                yield f"column {column.name} has to have a value, and no row will have one: {change} DROP NOT NULL"

    def _of_own_column(self, column: schema_catalog.Column, change: str) -> Iterator[str]:
        yield from _of_generated_column(column)
        if not column.is_not_null:
            yield f"column {column.name} can be NULL: {change} SET NOT NULL"
        if column.name in self.needed.defaults and not column.has_default:
            default = self.needed.defaults[column.name]
            yield f"column {column.name} has no default, and no delivery writes it: {change} SET DEFAULT {default}"
        if column.name in self.needed.key and column.type == "text" and column.collation != "C":
            yield (
                f"column {column.name} has the collation {column.collation}, and an upgrade of the server can damage "
                f"its index: {self._retyped(column.name, 'text' + schema_tables.COLLATION)}"
            )

    def _retyped(self, name: str, type_: str) -> str:
        """The SQL that gives a column another type. The server refuses it as long as a view has the column."""
        altered = f"{self._alter} ALTER COLUMN {quoted(name)} TYPE {type_}"
        return self.views.without_views(altered)

    def _of_key(self) -> Iterator[str]:
        key = self.catalog.primary_key(self.found)
        needed, add = ", ".join(self.needed.key), f"{self._alter} ADD {self.needed.primary_key}"
        if not key:
            yield f"the primary key ({needed}) is missing, or deferrable: {add}"
        elif key != list(self.needed.key):
            yield f"the primary key is ({', '.join(key)}), and has to be ({needed}): drop it, then {add}"

    def _of_hindrances(self) -> Iterator[str]:
        for kind, name in self.catalog.hindrances(self.found):
            remove = {
                "constraint": f"{self._alter} DROP CONSTRAINT {name}",
                "unique index": f"DROP INDEX {name}",
                "trigger": f"DROP TRIGGER {name} ON {self._table}",
                "rule": f"DROP RULE {name} ON {self._table}",
            }[kind]
            yield f"{kind} {name} can refuse or change rows, so that their files are never complete: {remove}"
        for name in self.catalog.children(self.found):
            yield (
                f"the rows of {name}, which inherits, are seen as rows of the table, and can be there twice: "
                f"ALTER TABLE {name} NO INHERIT {self._table}"
            )

    def _of_privileges(self) -> Iterator[str]:
        if missing := ", ".join(each for each in self.needed.privileges if each not in self.found.privileges):
            yield f"the role may not {missing}: GRANT {missing} ON {self._table} TO {self.role}"


def _of_declared_column(column: schema_catalog.Column, declaration: Column, change: str) -> Iterator[str]:
    yield from _of_generated_column(column)
    if column.is_not_null and not declaration.required:
        yield (
            f"column {column.name} has to have a value, and a cell of a file can be empty: "
            f"declare the column as required, or {change} DROP NOT NULL"
        )


def _of_generated_column(column: schema_catalog.Column) -> Iterator[str]:
    if column.is_generated:
        yield f"column {column.name} is generated by the server: make it an ordinary column"
