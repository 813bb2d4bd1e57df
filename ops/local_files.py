"""A local file, read as the function would read it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from csv_ingest import csvfile

from . import wording


def open_file(file: Path) -> AbstractContextManager[csvfile.CountingStream]:
    """The content of a local file from its beginning, as the function would read it."""
    return Reading(file, wording.silent).open(0)


class Reading:
    """Opens a local file as `source.open_object` opens an uploaded one, and tells how far it is read."""

    def __init__(self, file: Path, progress: wording.Progress) -> None:
        self._file, self._progress = file, progress

    @contextmanager
    def open(self, start: int) -> Iterator[csvfile.CountingStream]:
        """The bytes from a place on; a packed file is unpacked. Raises UnreadableFile as `source.open_object` does."""
        with self._file.open("rb") as stream, self._file.open("rb") as whole:
            stream.seek(start)
            if start:
                yield csvfile.CountingStream(stream, start=start, on_read=self._tell)
                return
            with csvfile.unpacked(stream, whole=lambda: whole) as content:
                yield csvfile.CountingStream(content, on_read=self._tell, is_packed=content.is_packed)

    def _tell(self, position: int, _piece: bytes) -> None:
        self._progress(f"{position / 1e6:,.1f} MB")
