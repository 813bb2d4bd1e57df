"""An upload in S3: its bytes, and when it was made."""

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, cast

from csv_ingest.csvfile import ByteRange, ByteStream, CountingStream, OnRead, unpacked
from csv_ingest.model import ObjectVersion

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef

MAX_READ = 4 << 20
"""Bytes that are read at once. The directory of a zip is read so; a larger one is that of many files."""


@contextmanager
def open_object(
    version: ObjectVersion,
    s3: "S3Client",
    *,
    start: int = 0,
    end: int | None = None,
    on_read: OnRead | None = None,
    on_answer: Callable[[datetime], None] = lambda _modified: None,
) -> Iterator[CountingStream]:
    """Open the bytes of exactly this version: the key may hold another one by now. A packed file is unpacked.

    The stream begins at byte `start`, 0 being the first, and ends before byte `end`; only a file that is not packed has
    other places than its beginning. `on_read` gets the bytes as S3 sends them: ten megabytes of a packed file can
    unpack to nothing. `on_answer` gets the time of the upload, as `last_modified` returns it. Raises UnreadableFile if
    the file is no text, or the block reads a packed file that is not whole.
    """

    def open_at(place: int) -> AbstractContextManager[CountingStream]:
        return _open_range(version, s3, place, end, on_read=on_read, on_answer=on_answer)

    with open_at(start) as stream:
        if start:
            yield stream
            return
        with ExitStack() as opened:
            whole = opened.enter_context(closing(_RangedFile(open_at, version.size)))
            yield opened.enter_context(unpacked(stream, whole=lambda: cast("BinaryIO", whole)))


@contextmanager
def _open_range(
    version: ObjectVersion,
    s3: "S3Client",
    start: int,
    end: int | None,
    *,
    on_read: OnRead | None,
    on_answer: Callable[[datetime], None],
) -> Iterator[CountingStream]:
    wanted: GetObjectRequestTypeDef = {
        "Bucket": version.bucket,
        "Key": version.key,
        "VersionId": version.version_id,
        "IfMatch": f'"{version.etag}"',
    }
    if start or end is not None:
        wanted["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
    answer = s3.get_object(**wanted)
    on_answer(answer["LastModified"])
    body = answer["Body"]
    stream: ByteStream = body
    if "Range" in wanted and "ContentRange" not in answer:
        # A server need not heed a range (RFC 9110, 14.2). S3 does; MiniStack does not, for an object's version.
        stream = ByteRange(body, start, version.size if end is None else end)
    with closing(body):
        yield CountingStream(stream, start=start, on_read=on_read)


class _RangedFile(io.RawIOBase):
    """An object of which any place can be read. What follows in order is read from one answer of S3."""

    def __init__(self, open_at: Callable[[int], AbstractContextManager[CountingStream]], size: int) -> None:
        self._open_at, self._size = open_at, size
        self._position = 0
        self._opened = ExitStack()
        self._stream: CountingStream | None = None

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if position < 0:
            raise ValueError(f"it refers to a place {-position:,} bytes before its beginning")
        self._position = position
        return position

    def read(self, size: int = -1, /) -> bytes:
        """Raises BadZipFile if it is asked for more than MAX_READ bytes."""
        left = max(self._size - self._position, 0)
        wanted = left if size < 0 else min(size, left)
        if wanted > MAX_READ:
            raise zipfile.BadZipFile(f"its directory has more than {MAX_READ:,} bytes")
        if not wanted:
            return b""
        if not self._stream or self._stream.position != self._position:
            self._opened.close()
            self._stream = self._opened.enter_context(self._open_at(self._position))
        piece = b""
        while len(piece) < wanted and (more := self._stream.read(wanted - len(piece))):
            piece += more
        self._position += len(piece)
        return piece

    def close(self) -> None:
        self._opened.close()
        super().close()


def last_modified(version: ObjectVersion, s3: "S3Client") -> datetime:
    """When an upload ended or, for a multipart upload, when it began: UTC, in whole seconds."""
    return s3.head_object(Bucket=version.bucket, Key=version.key, VersionId=version.version_id)["LastModified"]
