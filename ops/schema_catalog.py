"""What the catalog of a PostgreSQL database says of tables and views."""

from typing import NamedTuple

from csv_ingest.postgresql import PostgresqlConnection

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


class Table(NamedTuple):
    """A table, or a view."""

    oid: str
    kind: str
    is_unlogged: bool
    has_row_security: bool
    is_usable: bool
    is_owned: bool
    privileges: list[str]


class Column(NamedTuple):
    """A column."""

    name: str
    type: str
    collation: str | None
    is_not_null: bool
    has_default: bool
    is_generated: bool


class Catalog:
    """Asks the catalog. Raises ItemsNotRead."""

    def __init__(self, connection: PostgresqlConnection) -> None:
        self._connection = connection

    def table(self, name: str) -> Table | None:
        """A table, or a view, by its name, after that of its schema and a dot if it has one; None if there is none."""
        schema, _, own_name = name.rpartition(".")
        found = self._connection.read(_TABLE, schema=schema, name=own_name)
        return Table(*found[0]) if found else None

    def columns(self, table: Table) -> list[Column]:
        """The columns of a table in their order."""
        return [Column(*each) for each in self._connection.read(_COLUMNS, table=table.oid)]

    def primary_key(self, table: Table) -> list[str]:
        """The names of its columns; empty if there is none, or if it can be deferred."""
        return [name for (name,) in self._connection.read(_PRIMARY_KEY, table=table.oid)]

    def hindrances(self, table: Table) -> list[tuple[str, str]]:
        """What can refuse or change rows: its kind, and its name as SQL has it."""
        return [(kind, name) for kind, name in self._connection.read(_HINDRANCES, table=table.oid)]

    def children(self, table: Table) -> list[str]:
        """The tables that inherit, and are no partitions, as SQL has their names."""
        return [name for (name,) in self._connection.read(_CHILDREN, table=table.oid)]
