"""A network between the function and a server, which can be cut at any byte."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Relay:
    """Hands every byte on, in both directions, until the connection is cut; the next connection is whole."""

    def __init__(self, port: int, server: int) -> None:
        self.port = port
        self.cut_after: int | None = None
        """Bytes, of both directions together, after which the connection of that moment is cut."""
        self.bytes = 0
        self._server = server
        self._lock = threading.Lock()

    def connect(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._server))
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                with self._lock:
                    left = None if self.cut_after is None else self.cut_after - self.bytes
                    self.bytes += len(piece)
                if left is not None and left < len(piece):
                    target.sendall(piece[: max(left, 0)])
                    self.cut_after = None
                    break
                target.sendall(piece)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def relay_to(server: int) -> Iterator[Relay]:
    """A relay to a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(listener.getsockname()[1], server)

        def accept() -> None:
            with suppress(OSError):  # the listener is closed
                while True:
                    relay.connect(listener.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
