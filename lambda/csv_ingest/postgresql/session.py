"""One session on a PostgreSQL server, over TLS, with its prepared statements. Each step ends by a given time."""

import socket
import ssl
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from pg8000.exceptions import InterfaceError
from pg8000.native import Connection, PreparedStatement

from csv_ingest.model import Database

AUTHORITIES = Path(__file__).with_name("rds-authorities.pem")
"""The authorities of RDS in most regions, and Amazon's own for RDS Proxy; none of them expires before 2037.
docs/postgresql.md names the regions that are missing.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html"""

_TLS_REQUEST = bytes.fromhex("0000000804d2162f")
"""https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest"""


class Session:
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
