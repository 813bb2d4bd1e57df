"""An upload in S3: its bytes, and when it was made."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, cast

from csv_ingest.csvfile import ByteRange, ByteStream, CountingStream, OnRead
from csv_ingest.model import ObjectVersion, UnreadableFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef


@contextmanager
def open_object(
    version: ObjectVersion,
    s3: "S3Client",
    *,
    start: int = 0,
    end: int | None = None,
    on_read: OnRead | None = None,
) -> Iterator[ByteStream]:
    """Open the bytes of exactly this version: the key may hold another one by now. A .gz is unpacked.

    The stream begins at byte `start`, 0 being the first, and ends before byte `end`. `on_read` gets the bytes of a .gz
    as S3 sends them: ten megabytes of them can unpack to nothing. Raises UnreadableFile if the block reads a gzip file
    that is not whole.
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
    stream: ByteStream = body
    if is_packed(version.key):
        stream = CountingStream(body, on_read=on_read)
    elif "Range" in wanted and "ContentRange" not in answer:
        # A server need not heed a range (RFC 9110, 14.2). S3 does; MiniStack does not, for an object's version.
        stream = ByteRange(body, start, version.size if end is None else end)
    with closing(body), unpacked(stream, version.key) as content:
        yield content


@contextmanager
def unpacked(stream: ByteStream, name: str) -> Iterator[ByteStream]:
    """The content of a file with a name: that of a .gz is unpacked. Raises UnreadableFile if that is not whole."""
    try:
        # GzipFile needs no more of a stream than to read it.
        yield cast("ByteStream", gzip.GzipFile(fileobj=cast("BinaryIO", stream))) if is_packed(name) else stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UnreadableFile(f"not a whole gzip file: {error}") from error


def is_packed(name: str) -> bool:
    return name.lower().endswith(".gz")


def last_modified(version: ObjectVersion, s3: "S3Client") -> datetime:
    """When an upload ended or, for a multipart upload, when it began: UTC, in whole seconds."""
    return s3.head_object(Bucket=version.bucket, Key=version.key, VersionId=version.version_id)["LastModified"]
