"""Compare the table of a feed with PostgreSQL, the role and the database with what its deliveries need."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from csv_ingest import configuration
from csv_ingest.destinations.postgresql_table import quoted, quoted_name, wrong_columns
from csv_ingest.model import Column, Deadline
from csv_ingest.postgresql import connection as postgresql_connection
from ops.schema import STATEMENT_TIMEOUT, column_types, layout_of, primary_key

SECONDS = 10
"""How long a look takes at most. A delivery waits longer for a database that does not answer; a person need not."""

_SESSION = """SELECT current_user::text, current_setting('server_encoding'), current_setting('synchronous_commit'),
    current_setting('transaction_read_only') = 'on', rolsuper,
    (SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout')
    FROM pg_roles WHERE rolname = current_user"""

# By the catalog, because to_regclass fails for a schema that the role may not use.
_TABLE = """SELECT pg_class.oid::text AS oid, relkind::text AS kind, relpersistence = 'u' AS is_unlogged,
    row_security_active(pg_class.oid) AS has_row_security, has_schema_privilege(relnamespace, 'USAGE') AS is_usable,
    pg_has_role(relowner, 'USAGE') AS is_owned,
    ARRAY(SELECT held FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS held
          WHERE has_table_privilege(pg_class.oid, held)) AS privileges
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE relname = :name ::text
    AND CASE WHEN :schema ::text = '' THEN pg_table_is_visible(pg_class.oid) ELSE nspname = :schema ::text END"""

_COLUMNS = """SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type, collname::text AS collation,
    attnotnull AS is_not_null, atthasdef OR attidentity <> '' AS has_default,
    attgenerated <> '' OR attidentity = 'a' AS is_generated
    FROM pg_attribute LEFT JOIN pg_collation ON pg_collation.oid = attcollation
    WHERE attrelid = :table ::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""

_PRIMARY_KEY = """SELECT attname::text FROM pg_index
    CROSS JOIN unnest(indkey::smallint[]) WITH ORDINALITY AS part(number, place)
    JOIN pg_attribute ON attrelid = indrelid AND attnum = number
    WHERE indrelid = :table ::oid AND indisprimary AND indimmediate AND place <= indnkeyatts ORDER BY place"""

_CHILDREN = """SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = :table ::oid AND NOT relispartition ORDER BY 1"""

# tgtype has 4 for INSERT and 16 for UPDATE; what is enabled is O or A.
# https://www.postgresql.org/docs/current/catalog-pg-trigger.html
_HINDRANCES = """SELECT 'constraint', quote_ident(conname) FROM pg_constraint
    WHERE conrelid = :table ::oid AND contype IN ('c', 'f', 'u', 'x')
    UNION ALL SELECT 'unique index', indexrelid::regclass::text FROM pg_index
    WHERE indrelid = :table ::oid AND indisunique AND NOT indisprimary
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    UNION ALL SELECT 'trigger', quote_ident(tgname) FROM pg_trigger
    WHERE tgrelid = :table ::oid AND NOT tgisinternal AND tgtype & 20 <> 0 AND tgenabled IN ('O', 'A')
    UNION ALL SELECT 'rule', quote_ident(rulename) FROM pg_rewrite
    WHERE ev_class = :table ::oid AND ev_type IN ('2', '3') AND ev_enabled IN ('O', 'A')
    ORDER BY 1, 2"""


@dataclass
class CheckedSchema:
    """The problems of a table and its role, one sentence each, which says what to do."""

    problems: list[str]
    """Rows would be refused, changed or lost."""
    warnings: list[str]
    """The role can do more than it has to."""


class _Table(NamedTuple):
    """A row of _TABLE."""

    oid: str
    kind: str
    is_unlogged: bool
    has_row_security: bool
    is_usable: bool
    is_owned: bool
    privileges: list[str]


class _Column(NamedTuple):
    """A row of _COLUMNS."""

    name: str
    type: str
    collation: str | None
    is_not_null: bool
    has_default: bool
    is_generated: bool


def check_schema(config: configuration.IngestConfig, address: tuple[str, int] | None) -> CheckedSchema:
    """Log in as the function of a feed does, and look; writes nothing.

    `address` is where the database is reached, if not at its own host and port. Raises ItemsNotRead if the database
    cannot be reached, or refuses the login.
    """
    if not (database := config.feed.database):
        raise ValueError(f"the rows of the feed {config.feed.name} are in DynamoDB")
    end = time.monotonic() + SECONDS
    deadline = Deadline(lambda: end - time.monotonic())
    with closing(
        postgresql_connection.PostgresqlConnection(database, deadline=deadline, address=address)
    ) as connection:
        return _Check(connection, config).run()


class _Check:
    """One look at the table of a feed."""

    def __init__(
        self, connection: postgresql_connection.PostgresqlConnection, config: configuration.IngestConfig
    ) -> None:
        self._connection = connection
        self._config = config
        self._declared = config.feed.format.columns
        self._layout = layout_of(config)
        self._key = list(self._layout.key)
        self._name = config.rows_table
        self._table = quoted(config.rows_table)
        self._alter = f"ALTER TABLE {self._table}"

    def run(self) -> CheckedSchema:
        [[user, encoding, synchronous_commit, is_read_only, is_superuser, timeout]] = self._connection.read(_SESSION)
        role = quoted_name(user)
        problems = list(_of_session(role, encoding, synchronous_commit, is_read_only=is_read_only))
        if not 0 < timeout <= STATEMENT_TIMEOUT * 1_000:  # milliseconds; 0 is none
            problems.append(
                "a statement can go on long after its delivery, and store rows that `forget` has deleted: "
                f"ALTER ROLE {role} SET statement_timeout = '{STATEMENT_TIMEOUT}s'"
            )
        schema, _, name = self._name.rpartition(".")
        found = self._connection.read(_TABLE, schema=schema, name=name)
        if not found:
            create = f"run the statements that `python -m ops schema --feed {self._config.feed.name}` prints"
            return CheckedSchema([*problems, f"there is no table {self._name}: {create}"], [])
        table = _Table(*found[0])
        if table.kind not in "rp":
            return CheckedSchema([*problems, f"{self._name} is not a table: name a table in database_table"], [])
        columns = [_Column(*each) for each in self._connection.read(_COLUMNS, table=table.oid)]
        if missing := ", ".join(name for name in self._layout.own if name not in {column.name for column in columns}):
            other = "is it the table of something else? name another table in database_table"
            return CheckedSchema([*problems, f"{self._name} has no column {missing}: {other}"], [])
        problems += chain(
            self._of_table(table), self._of_columns(columns), self._of_key(table), self._of_hindrances(table)
        )
        problems += self._of_privileges(table, role, schema)
        return CheckedSchema(problems, list(self._warnings(table, role, is_superuser=is_superuser)))

    def _of_table(self, table: _Table) -> Iterator[str]:
        if table.is_unlogged:
            yield f"a crash of the server empties the table, which is unlogged: {self._alter} SET LOGGED"
        if table.has_row_security:
            yield f"row-level security can hide rows, or refuse them: {self._alter} DISABLE ROW LEVEL SECURITY"

    def _of_columns(self, columns: Sequence[_Column]) -> Iterator[str]:
        types = {column.name: column.type for column in columns}
        for name, text in wrong_columns(types, self._declared, self._layout).items():
            type_ = column_types(self._config)[name]
            if name in types:
                yield f"{text}: {self._alter} ALTER COLUMN {quoted(name)} TYPE {type_} USING {quoted(name)}::{type_}"
            else:
                yield f"{text}: {self._alter} ADD COLUMN {quoted(name)} {type_}"
        declared = {column.stored_as: column for column in self._declared}
        for column in columns:
            change = f"{self._alter} ALTER COLUMN {quoted_name(column.name)}"
            if column.name in self._layout.own:
                yield from _of_own_column(column, change, in_key=column.name in self._key)
            elif column.name in declared:
                yield from _of_declared_column(column, declared[column.name], change)
            elif column.is_not_null and not column.has_default:
                yield f"column {column.name} has to have a value, and no row will have one: {change} DROP NOT NULL"

    def _of_key(self, table: _Table) -> Iterator[str]:
        key = [name for (name,) in self._connection.read(_PRIMARY_KEY, table=table.oid)]
        needed, add = ", ".join(self._key), f"{self._alter} ADD {primary_key(self._config)}"
        if not key:
            yield f"the primary key ({needed}) is missing, or deferrable: {add}"
        elif key != self._key:
            yield f"the primary key is ({', '.join(key)}), and has to be ({needed}): drop it, then {add}"

    def _of_hindrances(self, table: _Table) -> Iterator[str]:
        for kind, name in self._connection.read(_HINDRANCES, table=table.oid):
            remove = {
                "constraint": f"{self._alter} DROP CONSTRAINT {name}",
                "unique index": f"DROP INDEX {name}",
                "trigger": f"DROP TRIGGER {name} ON {self._table}",
                "rule": f"DROP RULE {name} ON {self._table}",
            }[kind]
            yield f"{kind} {name} can refuse or change rows, so that their files are never complete: {remove}"
        for (name,) in self._connection.read(_CHILDREN, table=table.oid):
            yield (
                f"the rows of {name}, which inherits, are seen as rows of the table, and can be there twice: "
                f"ALTER TABLE {name} NO INHERIT {self._table}"
            )

    def _of_privileges(self, table: _Table, role: str, schema: str) -> Iterator[str]:
        if not table.is_usable:
            yield f"the role may not use the schema: GRANT USAGE ON SCHEMA {quoted(schema)} TO {role}"
        if missing := ", ".join(each for each in ("SELECT", "INSERT", "UPDATE") if each not in table.privileges):
            yield f"the role may not {missing}: GRANT {missing} ON {self._table} TO {role}"

    def _warnings(self, table: _Table, role: str, *, is_superuser: bool) -> Iterator[str]:
        if is_superuser:
            yield f"the role {role} is a superuser: give the feed a role of its own"
            return
        if table.is_owned:
            yield f"the role owns the table, and can change and drop it: {self._alter} OWNER TO another role"
            return
        if more := ", ".join(each for each in ("DELETE", "TRUNCATE") if each in table.privileges):
            yield f"the role may {more}, which no delivery does: REVOKE {more} ON {self._table} FROM {role}"


def _of_own_column(column: _Column, change: str, *, in_key: bool) -> Iterator[str]:
    yield from _of_generated_column(column)
    if not column.is_not_null:
        yield f"column {column.name} can be NULL: {change} SET NOT NULL"
    if in_key and column.type == "text" and column.collation != "C":
        yield (
            f"column {column.name} has the collation {column.collation}, and an upgrade of the server can damage its "
            f'index: {change} TYPE text COLLATE "C"'
        )


def _of_declared_column(column: _Column, declaration: Column, change: str) -> Iterator[str]:
    yield from _of_generated_column(column)
    if column.is_not_null and not declaration.required:
        yield (
            f"column {column.name} has to have a value, and a cell of a file can be empty: "
            f"declare the column as required, or {change} DROP NOT NULL"
        )


def _of_generated_column(column: _Column) -> Iterator[str]:
    if column.is_generated:
        yield f"column {column.name} is generated by the server: make it an ordinary column"


def _of_session(role: str, encoding: str, synchronous_commit: str, *, is_read_only: bool) -> Iterator[str]:
    if is_read_only:
        yield "the database is read-only: database_host has to be the endpoint of the writer"
    if encoding != "UTF8":
        yield f"the database has the encoding {encoding}, and not every text fits: create a database with UTF8"
    if synchronous_commit == "off":
        yield (
            "a crash of the server loses rows that were confirmed, since synchronous_commit is off: "
            f"ALTER ROLE {role} SET synchronous_commit = on"
        )
