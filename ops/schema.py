"""The table that a feed with PostgreSQL needs, and the role that its function logs in with."""

from csv_ingest.configuration import IngestConfig
from csv_ingest.destinations.postgresql_table import LAYOUTS, TYPES, Layout, literal, quoted, quoted_name

STATEMENT_TIMEOUT = 15
"""Seconds after which the server ends a statement, also one whose delivery has ended: the role's statement_timeout."""


def statements(config: IngestConfig, *, password: str | None = None) -> list[str]:
    r"""The SQL that creates the table and the role of a feed; each statement can be run again.

    The role can log in, read and write this table, and nothing else: it can neither delete rows nor change the table.
    Without the password of the feed's secret, the role has none: a person gives it, by psql's \password.
    """
    database = config.feed.database
    if database is None:
        raise ValueError(f"the rows of the feed {config.feed.name} are in DynamoDB")
    table, user = quoted(config.rows_table), quoted_name(database.user)
    schema = config.rows_table.rpartition(".")[0]
    return [
        *([f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}"] if schema not in ("", "public") else []),
        f"CREATE TABLE IF NOT EXISTS {table} (\n    {_columns(config)}\n)",
        f"DO $$ BEGIN CREATE ROLE {user} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        *([] if database.secret else [f"GRANT rds_iam TO {user}"]),
        *([f"ALTER ROLE {user} PASSWORD {literal(password)}"] if password else []),
        # Confirmed rows have to outlive a crash of the server, and no statement may outlive its delivery.
        f"ALTER ROLE {user} SET synchronous_commit = on",
        f"ALTER ROLE {user} SET statement_timeout = '{STATEMENT_TIMEOUT}s'",
        *([f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {user}"] if schema else []),
        f"GRANT SELECT, INSERT, UPDATE ON {table} TO {user}",
    ]


def layout_of(config: IngestConfig) -> Layout:
    """The key and the own columns of the table, by the write mode of the feed."""
    return LAYOUTS[config.feed.write_mode]


def column_types(config: IngestConfig) -> dict[str, str]:
    """The type of each column that the table has to have, as SQL has it, by name."""
    # Of the key, so that an upgrade of the server's collations cannot damage the index.
    columns = layout_of(config).own
    own = {name: f'{type_} COLLATE "C"' if type_ == "text" else type_ for name, type_ in columns.items()}
    return own | {column.stored_as: TYPES[column.type] for column in config.feed.format.columns}


def _columns(config: IngestConfig) -> str:
    columns = [
        f"{quoted(name)} {type_}{' NOT NULL' if name in layout_of(config).own else ''}"
        for name, type_ in column_types(config).items()
    ]
    return ",\n    ".join([*columns, primary_key(config)])


def primary_key(config: IngestConfig) -> str:
    return f"PRIMARY KEY ({', '.join(map(quoted, layout_of(config).key))})"
