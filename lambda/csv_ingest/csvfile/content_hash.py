"""The hash by which the content of a file is recognised, made while the file is read."""

import hashlib

from csv_ingest.csvfile.streams import ByteStream


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
