"""Streams of bytes on top of others, and the hash by which the content of a file is recognised."""

import hashlib
import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol


class ByteStream(Protocol):
    """Bytes to read: an open file, or the body of an S3 object."""

    def read(self, size: int, /) -> bytes: ...


OnRead = Callable[[int, bytes], None]
"""Gets the place in the file of each piece that was read, 0 being the first byte, and the piece."""


class CountingStream(io.RawIOBase):
    """A stream that knows the place in the file up to which it was read. Python's text layer reads from it too."""

    name = "stream"

    def __init__(
        self, stream: ByteStream, *, start: int = 0, on_read: OnRead | None = None, is_packed: bool = False
    ) -> None:
        """`start` is the place of the stream's first byte; `on_read` may raise, which ends the reading."""
        self._stream = stream
        self._on_read = on_read
        self.position = start
        self.is_packed = is_packed
        """Whether the bytes are unpacked ones, so that places among them are none in the file itself."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        piece = self._stream.read(size)
        if self._on_read:
            self._on_read(self.position, piece)
        self.position += len(piece)
        return piece


Open = Callable[[int], AbstractContextManager[CountingStream]]
"""Opens the file at a byte, 0 being the first."""


class ReplayStream:
    """A stream that can be read from its beginning once more; until then it keeps what was read."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._kept = io.BytesIO()
        self._replaying = False

    def replay(self) -> None:
        """Begin again with the first byte."""
        self._kept.seek(0)
        self._replaying = True

    def read(self, size: int, /) -> bytes:
        if self._replaying:
            return self._kept.read(size) or self._stream.read(size)
        piece = self._stream.read(size)
        self._kept.write(piece)
        return piece


def look_at(stream: ByteStream, size: int) -> tuple[bytes, ReplayStream]:
    """The first bytes of a stream, at most `size`, and a stream that has them still."""
    beginning = ReplayStream(stream)
    head = b""
    while len(head) < size and (piece := beginning.read(size - len(head))):
        head += piece
    beginning.replay()
    return head, beginning


class ByteRange:
    """The bytes from `start` to before `end` of a stream that has all of them."""

    def __init__(self, stream: ByteStream, start: int, end: int) -> None:
        while start and (passed := len(stream.read(min(start, 1 << 20)))):
            start -= passed
            end -= passed
        self._stream = stream
        self._left = end

    def read(self, size: int, /) -> bytes:
        piece = self._stream.read(min(size, self._left)) if self._left else b""
        self._left -= len(piece)
        return piece


class ContentHash:
    """The SHA-256 of a file that is read to its end, some of it perhaps twice.

    A second reading may begin anywhere in what was read before.
    """

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._position = 0

    def add(self, position: int, piece: bytes) -> None:
        """Take a piece that begins at a byte of the file; what was read before counts once."""
        if position > self._position:
            raise ValueError(f"bytes {self._position:,} to {position:,} were not read")
        self._sha256.update(memoryview(piece)[self._position - position :])
        self._position = max(self._position, position + len(piece))

    def add_all(self, stream: ByteStream) -> None:
        """Read a file to its end."""
        while piece := stream.read(1 << 17):
            self.add(self._position, piece)

    def hexdigest(self) -> str:
        """The hash of the bytes so far."""
        return self._sha256.hexdigest()
