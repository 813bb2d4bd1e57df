"""Compare the tables and views of a feed with PostgreSQL, the role and the database with what its deliveries need."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from csv_ingest import configuration
from csv_ingest.destinations.postgresql_table import quoted, quoted_name
from csv_ingest.model import Deadline
from csv_ingest.postgresql import connection as postgresql_connection

from . import schema_catalog, schema_table_check, schema_tables, schema_views_check
from .schema import STATEMENT_TIMEOUT

SECONDS = 10
"""How long a look takes at most. A delivery waits longer for a database that does not answer; a person need not."""

_SESSION = """SELECT current_user::text, current_setting('server_encoding'), current_setting('synchronous_commit'),
    current_setting('transaction_read_only') = 'on', rolsuper,
    (SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout')
    FROM pg_roles WHERE rolname = current_user"""


@dataclass
class CheckedSchema:
    """The problems of tables, views and their role, one sentence each, which says what to do."""

    problems: list[str]
    """Rows would be refused, changed or lost."""
    warnings: list[str]
    """The role can do more than it has to."""


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
    """One look at the tables, the views and the role of a feed."""

    def __init__(
        self, connection: postgresql_connection.PostgresqlConnection, config: configuration.IngestConfig
    ) -> None:
        self._connection = connection
        self._catalog = schema_catalog.Catalog(connection)
        self._config = config
        self._declared = {column.stored_as: column for column in config.feed.format.columns}
        self._views = schema_views_check.ViewsCheck(self._catalog, schema_tables.views(config))

    def run(self) -> CheckedSchema:
        [[user, encoding, synchronous_commit, is_read_only, is_superuser, timeout]] = self._connection.read(_SESSION)
        role = quoted_name(user)
        problems = list(_of_session(role, encoding, synchronous_commit, is_read_only=is_read_only))
        if not 0 < timeout <= STATEMENT_TIMEOUT * 1_000:  # milliseconds; 0 is none
            problems.append(
                "a statement can go on long after its delivery, and store rows that `forget` has deleted: "
                f"ALTER ROLE {role} SET statement_timeout = '{STATEMENT_TIMEOUT}s'"
            )
        needed = schema_tables.rows_table(self._config)
        if not (found := self._catalog.table(needed.name)):
            create = f"run the statements that `csv-ingest schema --feed {self._config.feed.name}` prints"
            return CheckedSchema([*problems, f"there is no table {needed.name}: {create}"], [])
        rows = schema_table_check.TableCheck(self._catalog, needed, found, role, self._declared, self._views)
        if other := rows.other_kind():
            return CheckedSchema([*problems, f"{other} name another table in database_table"], [])
        problems += rows.problems()
        if not found.is_usable:
            schema = quoted(needed.name.rpartition(".")[0])
            problems.append(f"the role may not use the schema: GRANT USAGE ON SCHEMA {schema} TO {role}")
        checked = self._of_files(rows, role)
        problems += checked.problems
        if is_superuser:
            return CheckedSchema(problems, [f"the role {role} is a superuser: give the feed a role of its own"])
        return CheckedSchema(problems, [*rows.warnings(), *checked.warnings])

    def _of_files(self, rows: schema_table_check.TableCheck, role: str) -> CheckedSchema:
        """Look at the table of complete files, and at the views that join it with the rows."""
        needed, views = schema_tables.files_table(self._config), self._views.needed.values()
        create = schema_views_check.as_one_line(needed.creation, needed.grant(role), *views)
        if not (found := self._catalog.table(needed.name)):
            unseen = f"nobody sees in PostgreSQL which files are complete, since there is no table {needed.name}"
            return CheckedSchema([f"{unseen}: {create}"], [])
        files = schema_table_check.TableCheck(self._catalog, needed, found, role, {}, self._views)
        if other := files.other_kind():
            return CheckedSchema([f"{other} rename it, then {create}"], [])
        problems = [f"{needed.name}: {problem}" for problem in files.problems()]
        problems += self._views.problems(rows.columns, rows.needed.columns)
        warnings = [f"{needed.name}: {warning}" for warning in files.warnings()]
        return CheckedSchema(problems, [*warnings, *self._views.warnings(rows.columns, rows.needed.columns)])


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
