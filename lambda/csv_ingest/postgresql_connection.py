"""One connection to a PostgreSQL database: over TLS, with a password or by IAM, made again when it was lost.

Knows how statements are run, and nothing of what they mean. Only feeds with PostgreSQL import this module: the driver
takes a tenth of a second of a cold start.
"""

import json
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import boto3
from botocore.exceptions import BotoCoreError
from botocore.model import ServiceId
from botocore.signers import RequestSigner
from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection, PreparedStatement
from scramp import ScramException

from csv_ingest import clients
from csv_ingest.deadline import AdaptiveBackoff, Deadline
from csv_ingest.errors import ItemsNotRead, RowsNotWritten
from csv_ingest.feed import Database

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 20
"""After them a server that says nothing, such as one whose address has moved, counts as lost."""

PATIENCE = 60
"""Seconds in which a connection is tried again and again. An invocation usually ends earlier, by its deadline."""

AUTHORITIES = Path(__file__).with_name("rds-authorities.pem")
"""The authorities of RDS in most regions, and Amazon's own for RDS Proxy; none of them expires before 2037.
docs/settings.md names the regions that are missing.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html"""

_TLS_REQUEST = bytes.fromhex("0000000804d2162f")
"""https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest"""

_TRANSIENT = ("08", "25006", "40", "53", "55P03", "57")
"""How SQLSTATEs of errors begin that may pass: lost connections; read-only, as the former writer is after a failover;
deadlocks; resources; locks; shutdown. https://www.postgresql.org/docs/current/errcodes-appendix.html"""

CHECK = "`python -m ops schema --check` says what to do"

_NO_POOLER = "is there a pooler before the server? it has to keep one connection for each session"

_ADVICE = {
    "28": "the login as {user} was refused: see `cannot log in` in docs/runbook.md",
    "3D000": "there is no such database: see database_name",
    "26000": _NO_POOLER,
    "3F000": f"there is no such schema: {CHECK}",
    "42P01": f"there is no such table: {CHECK}",
    "42P05": _NO_POOLER,
    "42P10": f"the primary key is missing: {CHECK}",
    "42703": "a column is missing, of today's settings or of those by which the file was begun: add it to the table",
    "42501": f"a privilege is missing: {CHECK}",
    "23": f"the table refuses a row: {CHECK}",
    "25006": "the database is read-only: database_host has to be the endpoint of the writer",
    "53100": "the disk of the server is full",
    "53300": "no connection is left, on the server or for this user: see `too many connections` in docs/runbook.md",
    "57014": "a statement took longer than statement_timeout, or was cancelled",
}
"""What to do, by how the SQLSTATE begins."""


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
        self._session: _Session | None = None
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
                if not _may_pass(failed):
                    raise error(self._describe(failed)) from None
                if not reason:  # what only came too late says nothing of the connection
                    self._deadline.check("during a statement of PostgreSQL")
                reason = self._describe(failed)
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

    def _describe(self, error: Exception) -> str:
        """What happened and what to do, without a word of the server's that can quote a row."""
        match error:
            case DatabaseError():
                return _describe_answer(error, self._user)
            case BotoCoreError():  # some are an OSError too
                return f"no password could be made or read for {self._database.user}: {type(error).__name__}"
            case ssl.SSLCertVerificationError():
                invalid = f"the certificate of {self._database.host} is not trusted: {error.verify_message}"
                return f"{invalid}: see database_ca in docs/settings.md"
        return f"the connection to {self._database.host}:{self._database.port} failed: {type(error).__name__}"

    def _end_after(self, seconds: float) -> float:
        """On the monotonic clock, and not after the deadline."""
        return time.monotonic() + min(seconds, self._deadline.seconds_left())

    def _take(self) -> "_Session | None":
        session, self._session = self._session, None
        return session

    def _connect(self) -> "_Session":
        try:
            self._user, password = login_of(self._database)
            database = self._database._replace(user=self._user)
            return _Session(database, self._address, password, end=self._end_after(CONNECT_SECONDS))
        except Exception as error:  # whatever it was, somebody has to be told; raised again
            if self._deadline.seconds_left() > 0:
                self._on_failed_connection()
            if isinstance(error, ScramException):
                refused = "the login failed: is the password that of the user, and of printable characters?"
                raise ItemsNotRead(f"{refused} see `cannot log in` in docs/runbook.md") from None
            raise


class _Session:
    """A session on the server, with the statements that were prepared in it."""

    def __init__(self, database: Database, address: tuple[str, int], password: str, *, end: float) -> None:
        self._socket = _encrypted(database, address, end=end)
        try:
            _wait_until(end, self._socket)
            self._connection = Connection(
                database.user,
                database.host,
                database.name,
                password=password,
                sock=self._socket,
                ssl_context=False,  # the socket is encrypted already
                application_name="csv-ingest",
                # Whatever the database or the role are set to: other encodings would change some characters.
                startup_params={"client_encoding": "UTF8"},
            )
        except BaseException:
            _disconnect(self._socket)
            raise
        self._prepared: dict[str, PreparedStatement] = {}

    def run(self, sql: str, parameters: dict[str, str | int], *, end: float) -> list[list[Any]]:
        """Run a statement: in one round trip, from the second time on."""
        if sql not in self._prepared:
            _wait_until(end, self._socket)
            self._prepared[sql] = self._connection.prepare(sql)
        _wait_until(end, self._socket)
        rows: list[list[Any]] = self._prepared[sql].run(**parameters)
        return rows

    def close(self) -> None:
        with suppress(InterfaceError, OSError):
            self._socket.settimeout(1)
            self._connection.close()
        _disconnect(self._socket)


def _disconnect(connection: socket.socket) -> None:
    """Close a connection at once. `close` alone leaves it open as long as pg8000's file of it is in a traceback."""
    if (descriptor := connection.detach()) >= 0:
        socket.close(descriptor)


def _wait_until(end: float, connection: socket.socket) -> None:
    """Have what is read from a connection next, and written to it, fail after a time on the monotonic clock."""
    connection.settimeout(_seconds_until(end))


def _seconds_until(end: float) -> float:
    return max(end - time.monotonic(), 0.1)  # 0 would mean: do not wait, and fail otherwise


def _encrypted(database: Database, address: tuple[str, int], *, end: float) -> ssl.SSLSocket:
    """Connect and begin TLS; the certificate has to be the host's, whatever the address. Raises OSError."""
    try:
        plain = socket.create_connection(address, timeout=_seconds_until(end))
    except UnicodeError:  # an empty part of a name, or one of more than 63 characters
        raise socket.gaierror from None
    try:
        # Otherwise a short statement waits for the acknowledgement of the one before.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _wait_until(end, plain)
        plain.sendall(_TLS_REQUEST)
        if plain.recv(1) != b"S":  # also nothing, when the server ends
            raise ConnectionError  # noqa: TRY301 - the socket is closed like after any other error
        _wait_until(end, plain)
        return _tls_context(database.ca).wrap_socket(plain, server_hostname=database.host)
    except BaseException:
        plain.close()
        raise


@cache
def _tls_context(ca: str) -> ssl.SSLContext:
    """Verifies the server's certificate and name against an authority, or against those of RDS."""
    # Not create_default_context: in Python 3.13 it also demands extensions that certificates of RDS need not have.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca:
        context.load_verify_locations(cadata=ca)
    else:
        context.load_verify_locations(AUTHORITIES)
    return context


class Login(NamedTuple):
    """Who logs in, and with which password."""

    user: str
    password: str


def login_of(database: Database) -> Login:
    """The user and the password of the database's secret, or its user and a token of IAM, which is signed here.

    A rotation with alternating users changes the `username` of the secret as well. A secret without one has the
    password of the database's user. Raises botocore's errors if the secret cannot be read, and RowsNotWritten if it has
    no password.
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotation-strategy.html#rotating-secrets-two-users
    """
    if not database.secret:
        return Login(database.user, iam_token(database))
    secret = clients.secretsmanager().get_secret_value(SecretId=database.secret)
    try:
        content = json.loads(secret["SecretString"])
        password: str = content["password"]
        named = content.get("username")
        user: str = named if named and isinstance(named, str) else database.user
        (user + password).encode()
    except (AttributeError, KeyError, TypeError, ValueError):
        # Not the error itself: it can quote the secret.
        raise RowsNotWritten(f"the secret {database.secret} is no JSON object with a password") from None
    return Login(user, password)


def iam_token(database: Database) -> str:
    """A password that is good for 15 minutes, as boto3's `generate_db_auth_token` makes it, without its RDS client.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
    """
    session = _session()
    credentials: Any = session.get_credentials()
    signer: Any = RequestSigner(ServiceId("rds-db"), session.region_name, "rds-db", "v4", credentials, session.events)
    request = {
        "method": "GET",
        "url": f"https://{database.host}:{database.port}/?Action=connect&DBUser={database.user}",
        "body": {},
        "headers": {},
        "context": {},
    }
    url: str = signer.generate_presigned_url(
        request_dict=request, operation_name="connect", region_name=session.region_name, expires_in=900
    )
    return url.removeprefix("https://")


@cache
def _session() -> boto3.Session:
    """The session that signs, and renews its credentials by itself; to make one costs 7 ms of CPU time."""
    return boto3.Session()


def _may_pass(error: Exception) -> bool:
    if isinstance(error, DatabaseError):
        return _code(error).startswith(_TRANSIENT)
    return not isinstance(error, ssl.SSLCertVerificationError)


def _code(error: DatabaseError) -> str:
    """The SQLSTATE of an error."""
    fields = error.args[0] if error.args else None
    return str(fields.get("C", "")) if isinstance(fields, dict) else ""


def _describe_answer(error: DatabaseError, user: str) -> str:
    """The code of an error and what to do. Of the server's fields, only those that name parts of the schema."""
    code = _code(error)
    advice = next((text for start, text in _ADVICE.items() if code.startswith(start)), "")
    fields = error.args[0] if isinstance(error.args[0], dict) else {}
    names = [f"{kind} {fields[letter]}" for letter, kind in (("c", "column"), ("n", "constraint")) if letter in fields]
    return ": ".join(filter(None, [f"PostgreSQL answered {code}", ", ".join(names), advice.format(user=user)]))
