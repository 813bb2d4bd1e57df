"""The tables and views that a feed with PostgreSQL needs, and the role that its function logs in with."""

from csv_ingest.configuration import IngestConfig
from csv_ingest.destinations.postgresql_table import literal, quoted, quoted_name

from . import schema_tables

STATEMENT_TIMEOUT = 15
"""Seconds after which the server ends a statement, also one whose delivery has ended: the role's statement_timeout."""


def statements(config: IngestConfig, *, password: str | None = None) -> list[str]:
    r"""The SQL that creates the tables, the views and the role of a feed; each statement can be run again.

    The role can log in, read and write these tables, and nothing else: it can neither delete rows nor change a table.
    Without the password of the feed's secret, the role has none: a person gives it, by psql's \password.
    """
    database = config.feed.database
    if database is None:
        raise ValueError(f"the rows of the feed {config.feed.name} are in DynamoDB")
    tables, user = (schema_tables.rows_table(config), schema_tables.files_table(config)), quoted_name(database.user)
    schema = config.rows_table.rpartition(".")[0]
    return [
        *([f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}"] if schema not in ("", "public") else []),
        *(table.creation for table in tables),
        *([schema_tables.expiry_index(config)] if config.feed.keep_rows_days else []),
        *schema_tables.views(config).values(),
        f"DO $$ BEGIN CREATE ROLE {user} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        *([] if database.secret else [f"GRANT rds_iam TO {user}"]),
        *([f"ALTER ROLE {user} PASSWORD {literal(password)}"] if password else []),
        # Confirmed rows have to outlive a crash of the server, and no statement may outlive its delivery.
        f"ALTER ROLE {user} SET synchronous_commit = on",
        f"ALTER ROLE {user} SET statement_timeout = '{STATEMENT_TIMEOUT}s'",
        *([f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {user}"] if schema else []),
        *(table.grant(user) for table in tables),
    ]
