"""Objects in S3, by moto, which heeds a range of a version as S3 does: MiniStack does not."""

import io
import random
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from csv_ingest.model import ObjectVersion, UnreadableFile
from csv_ingest.source import MAX_READ, open_object

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NUMBERS = random.Random(4)  # noqa: S311
CONTENT = b"id,n\n" + b"".join(b"%d,%d\n" % (n, NUMBERS.getrandbits(60)) for n in range(40_000))


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> "Iterator[S3Client]":
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="uploads")
        client.put_bucket_versioning(Bucket="uploads", VersioningConfiguration={"Status": "Enabled"})
        yield client


def uploaded(s3: "S3Client", body: bytes) -> ObjectVersion:
    answer = s3.put_object(Bucket="uploads", Key="a.csv", Body=body)
    return ObjectVersion("uploads", "a.csv", answer["VersionId"], answer["ETag"].strip('"'), len(body))


def zipped(*contents: bytes, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number}.csv", content)
    return packed.getvalue()


def read(s3: "S3Client", version: ObjectVersion, size: int = 1 << 16) -> bytes:
    with open_object(version, s3) as stream:
        return b"".join(iter(lambda: stream.read(size), b""))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_is_read_where_it_lies(s3: "S3Client", compression: int) -> None:
    version = uploaded(s3, zipped(CONTENT, compression=compression))
    asked: list[Any] = []
    events: Any = s3.meta.events
    events.register("before-send.s3.GetObject", lambda request, **_: asked.append(request.headers.get("Range")))
    assert read(s3, version) == CONTENT
    assert len(asked) == 5, "its first bytes, its end in three places, and the file in it"


def test_a_zip_of_countless_files_is_not_read(s3: "S3Client") -> None:
    names = zipfile.ZipFile(packed := io.BytesIO(), "w")
    with names:
        for number in range(MAX_READ // 100):
            names.writestr(f"{number:060}", b"")
    with pytest.raises(UnreadableFile, match="not a whole zip file: its directory has more than 4,194,304 bytes"):
        read(s3, uploaded(s3, packed.getvalue()))


def test_a_range_is_of_the_object_itself(s3: "S3Client") -> None:
    version = uploaded(s3, CONTENT)
    with open_object(version, s3, start=5, end=9) as stream:
        assert (stream.read(100), stream.is_packed) == (CONTENT[5:9], False)
