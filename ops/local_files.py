"""A local file, read as the function would read it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from csv_ingest import csvfile, source
from ops import wording


def open_file(file: Path) -> AbstractContextManager[csvfile.ByteStream]:
    """The content of a local file from its beginning, as the function would read it."""
    return Reading(file, wording.silent).open(0)


class Reading:
    """Opens a local file as `source.open_object` opens an uploaded one, and tells how far it is read."""

    def __init__(self, file: Path, progress: wording.Progress) -> None:
        self._file, self._progress = file, progress

    @contextmanager
    def open(self, start: int) -> Iterator[csvfile.ByteStream]:
        """The bytes from a place on; a .gz file is unpacked. Raises UnreadableFile if that is not whole."""
        with self._file.open("rb") as stream:
            stream.seek(start)
            with source.unpacked(stream, self._file.name) as content:
                yield csvfile.CountingStream(content, start=start, on_read=self._tell)

    def _tell(self, position: int, _piece: bytes) -> None:
        self._progress(f"{position / 1e6:,.1f} MB")
