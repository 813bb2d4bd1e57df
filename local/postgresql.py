"""Runs a PostgreSQL server as a child process that ends with its parent: on 127.0.0.1, and over TLS only."""

import os
import secrets
import shutil
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import trustme
from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

from local.processes import PROJECT, Process, child, free_port

START_TIMEOUT = 60  # seconds
HOST = "127.0.0.1"


@dataclass(frozen=True)
class LocalPostgresql:
    """A running server, as its administrator reaches it."""

    port: int
    user: str
    password: str
    database: str
    ca: str
    """The certificate of the authority that signed the server's, as PEM."""
    folder: Path
    """Of everything that the run writes; deleted after the run."""
    process: Process
    idle: list[Connection] = field(default_factory=list, repr=False)
    """Connections that `run` uses again."""

    def connect(self) -> Connection:
        """A new connection of the administrator. Raises pg8000's errors."""
        context = ssl.create_default_context(cadata=self.ca)
        return Connection(
            self.user, HOST, self.database, self.port, self.password, ssl_context=context, timeout=START_TIMEOUT
        )

    def in_database(self, name: str) -> "LocalPostgresql":
        """The same server, with another database."""
        return replace(self, database=name, idle=[])

    def server_id(self) -> int:
        """The process id of the server itself, of which the others are children."""
        return int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])

    def run(self, sql: str, **parameters: Any) -> list[list[Any]]:
        """Run a statement as the administrator. Raises pg8000's errors."""
        connection = self.idle.pop() if self.idle else self.connect()
        try:
            rows: list[list[Any]] = connection.run(sql, **parameters)
        except BaseException:
            with suppress(InterfaceError, OSError):
                connection.close()  # the server may be gone
            raise
        self.idle.append(connection)
        return rows

    def close(self) -> None:
        """Close the connections of `run`."""
        while self.idle:
            with suppress(InterfaceError, OSError):
                self.idle.pop().close()

    @contextmanager
    def slower(self, delay: float) -> Iterator["LocalPostgresql"]:
        """The same server, whose answers are `delay` seconds late."""
        backend = (self.folder / "backend").read_text()
        with _served(self.folder, backend=backend, delay=delay) as (port, process):
            server = replace(self, port=port, process=process, idle=[])
            _wait_until_it_answers(server)
            with closing(server):
                yield server


@contextmanager
def local_postgresql() -> Iterator[LocalPostgresql]:
    """Run a server on a free port of 127.0.0.1; it and its files are gone after the block, however that is left.

    With POSTGRESQL_DSN=postgresql://USER:PASSWORD@HOST:PORT/DATABASE in the environment, that server is used instead,
    behind the same TLS; its user has to be an administrator. Raises RuntimeError with the end of the log if the server
    does not start.
    """
    scratch = PROJECT / ".local"
    scratch.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir=scratch))
    try:
        authority = trustme.CA()
        authority.issue_cert(HOST, "localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
        ca = authority.cert_pem.bytes().decode()
        dsn = urlsplit(os.environ.get("POSTGRESQL_DSN", ""))
        user, password = unquote(dsn.username or "postgres"), unquote(dsn.password or secrets.token_hex())
        (folder / "password").write_text(password)
        backend = f"{dsn.hostname}:{dsn.port or 5432}" if dsn.hostname else None
        with _served(folder, backend=backend) as (port, process):
            server = LocalPostgresql(port, user, password, dsn.path.strip("/") or "postgres", ca, folder, process)
            _wait_until_it_answers(server)
            with closing(server):
                yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _served(folder: Path, *, backend: str | None = None, delay: float = 0.0) -> Iterator[tuple[int, Process]]:
    """The child process, and the port that it serves."""
    port = free_port()
    command = [sys.executable, "-m", "local.postgresql_server", str(folder), str(port), "--delay", str(delay)]
    if backend:
        command += ["--backend", backend]
    with child(command, folder / f"{port}.log", {}) as process:
        yield port, process


def _wait_until_it_answers(server: LocalPostgresql) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    reason: Exception | None = None
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            server.connect().close()
        except (InterfaceError, DatabaseError, OSError) as error:
            reason = error
        else:
            return
        time.sleep(0.05)
    log = (server.folder / f"{server.port}.log").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"PostgreSQL did not start on {HOST}:{server.port}: {reason}\n{log}")
