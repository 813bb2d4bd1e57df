"""The bytes of an uploaded object."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from csv_ingest.errors import UnreadableFile
from csv_ingest.events import ObjectVersion
from csv_ingest.rows import Source

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef


class Counted:
    """A source that knows how many bytes were read from it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.position = 0

    def read(self, size: int, /) -> bytes:
        piece = self._source.read(size)
        self.position += len(piece)
        return piece


class Rewindable:
    """A source that can be read from its beginning once more; until then it keeps what was read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept = io.BytesIO()
        self._rewound = False

    def rewind(self) -> None:
        self._kept.seek(0)
        self._rewound = True

    def read(self, size: int, /) -> bytes:
        if self._rewound:
            return self._kept.read(size) or self._source.read(size)
        piece = self._source.read(size)
        self._kept.write(piece)
        return piece


class _Slice:
    """The bytes that were asked for, of a source that has all: a server need not heed a range (RFC 9110, 14.2).

    S3 does. MiniStack does not, for an object's version.
    """

    def __init__(self, source: Source, start: int, end: int) -> None:
        while start and (passed := len(source.read(min(start, 1 << 20)))):
            start -= passed
            end -= passed
        self._source = source
        self._left = end

    def read(self, size: int, /) -> bytes:
        piece = self._source.read(min(size, self._left)) if self._left else b""
        self._left -= len(piece)
        return piece


@contextmanager
def opened(version: ObjectVersion, s3: "S3Client", *, start: int = 0, end: int | None = None) -> Iterator[Source]:
    """The bytes of exactly this version, since the key may hold others by now; unpacked if the key ends with .gz.

    From byte `start`, 0 being the first, to before byte `end`. Raises UnreadableFile if the block finds out that they
    are no whole gzip file.
    """
    wanted: GetObjectRequestTypeDef = {
        "Bucket": version.bucket,
        "Key": version.key,
        "VersionId": version.version_id,
        "IfMatch": f'"{version.etag}"',
    }
    if start or end is not None:
        wanted["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
    answer = s3.get_object(**wanted)
    body = answer["Body"]
    try:
        if version.key.lower().endswith(".gz"):
            yield cast("Source", gzip.GzipFile(fileobj=body))
        elif "Range" in wanted and "ContentRange" not in answer:
            yield _Slice(body, start, version.size if end is None else end)
        else:
            yield body
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UnreadableFile(f"not a whole gzip file: {error}") from error
    finally:
        body.close()
