"""One connection to a PostgreSQL database: over TLS, with a password or by IAM, made again when it was lost.

Knows how statements are run, and nothing of what they mean.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from botocore.exceptions import BotoCoreError
from pg8000.exceptions import DatabaseError, InterfaceError
from scramp import ScramException

from csv_ingest.backoff import AdaptiveBackoff
from csv_ingest.model import Database, Deadline, ItemsNotRead, RowsNotWritten
from csv_ingest.postgresql import errors, login
from csv_ingest.postgresql.session import Session

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 20
"""A server that says nothing for so long, such as one whose address has moved, counts as lost."""

PATIENCE = 60
"""Seconds in which a connection is tried again and again. An invocation usually ends earlier, by its deadline."""


class PostgresqlConnection:
    """A connection that is made when it is first needed, and again when it was lost. Threads may share it.

    A statement has to be repeatable: after an error that may pass it is run again, on a new connection, until no time
    is left. An error that will not pass is raised at once. The messages have codes and names, never what the server
    says, which can quote rows.
    """

    def __init__(
        self,
        database: Database,
        *,
        deadline: Deadline,
        address: tuple[str, int] | None = None,
        on_failed_connection: Callable[[], None] = lambda: None,
    ) -> None:
        """`address` is where to connect, if not to the database's host and port: the near end of a tunnel.

        `on_failed_connection` is called for each attempt to connect that fails.
        """
        self._database = database
        self._deadline = deadline
        self._address = address or (database.host, database.port)
        self._on_failed_connection = on_failed_connection
        self._backoff = AdaptiveBackoff(deadline)
        self._lock = Lock()
        self._session: Session | None = None
        self._user = database.user
        """Who logged in last; the secret can name another user."""

    def write(self, sql: str, **parameters: str | int) -> list[list[Any]]:
        """Run a statement that writes, each `:name` a parameter; returns its rows. Raises RowsNotWritten."""
        return self._run(sql, parameters, RowsNotWritten)

    def read(self, sql: str, **parameters: str | int) -> list[list[Any]]:
        """Run a statement that reads, as `write`. Raises ItemsNotRead."""
        return self._run(sql, parameters, ItemsNotRead)

    def close(self) -> None:
        """Give the connection back to the server. The next statement would make another one."""
        with self._lock:
            if session := self._take():
                session.close()

    def _run(self, sql: str, parameters: dict[str, str | int], error: type[Exception]) -> list[list[Any]]:
        give_up = time.monotonic() + PATIENCE
        reason = ""
        for _ in self._backoff.attempts():
            try:
                with self._lock:
                    if not reason:
                        self._deadline.check("before a statement of PostgreSQL")
                    rows = self._run_once(sql, parameters)
            except (BotoCoreError, DatabaseError, InterfaceError, OSError) as failed:
                if not errors.may_pass(failed):
                    raise error(errors.describe(failed, self._database, self._user)) from None
                if not reason:  # what only came too late says nothing of the connection
                    self._deadline.check("during a statement of PostgreSQL")
                reason = errors.describe(failed, self._database, self._user)
            else:
                self._backoff.on_success()
                return rows
            self._backoff.on_throttle()
            if time.monotonic() > give_up:
                break
        raise error(reason)

    def _run_once(self, sql: str, parameters: dict[str, str | int]) -> list[list[Any]]:
        session = self._take() or self._connect()
        try:
            rows = session.run(sql, parameters, end=self._end_after(STATEMENT_SECONDS))
        except BaseException:
            # Whatever ended the statement: its answer may still come, and would be taken for that of the next one.
            session.close()
            raise
        self._session = session
        return rows

    def _end_after(self, seconds: float) -> float:
        """On the monotonic clock, and not after the deadline."""
        return time.monotonic() + min(seconds, self._deadline.seconds_left())

    def _take(self) -> Session | None:
        session, self._session = self._session, None
        return session

    def _connect(self) -> Session:
        try:
            self._user, password = login.login_of(self._database)
            database = self._database._replace(user=self._user)
            return Session(database, self._address, password, end=self._end_after(CONNECT_SECONDS))
        except Exception as error:  # whatever it was, somebody has to be told; raised again
            if self._deadline.seconds_left() > 0:
                self._on_failed_connection()
            if isinstance(error, ScramException):
                refused = "the login failed: is the password that of the user, and of printable characters?"
                raise ItemsNotRead(f"{refused} see `cannot log in` in docs/postgresql.md") from None
            raise
