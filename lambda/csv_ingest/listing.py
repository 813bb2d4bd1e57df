"""Lists the uploads in a bucket: all versions, the current ones, or those in a folder."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from csv_ingest.model import Deadline, ObjectVersion, Upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectVersionTypeDef

MAX_PAGES_OF_FOLDER = 10
"""Of a thousand names."""


class Marker(NamedTuple):
    """A version after which a listing goes on."""

    key: str
    version_id: str


class Listed(NamedTuple):
    """One version, as a page has it."""

    upload: Upload
    is_current: bool


class Page(NamedTuple):
    """The versions of one request, at most a thousand, by key; of a key the version first that was stored last."""

    versions: Sequence[Listed]
    last: Marker | None
    """After which the next page begins; None if there was nothing at all."""


def pages(s3: "S3Client", bucket: str, *, prefixes: Iterable[str], after: Marker | None = None) -> Iterator[Page]:
    """Yield every version of every object whose key has one of the prefixes, once; with a marker, those after it."""
    for prefix in _disjoint(prefixes):
        # S3 lists by the bytes of UTF-8, which have the order of the characters.
        if after and prefix < after.key and not after.key.startswith(prefix):
            continue  # all of it is before the marker
        is_last = False
        while not is_last:
            start: Any = {}
            if after and after.key.startswith(prefix):
                start = {"KeyMarker": after.key, "VersionIdMarker": after.version_id}
            answer = s3.list_object_versions(Bucket=bucket, Prefix=prefix, **start)
            found = [Listed(_upload_of(bucket, each), each["IsLatest"]) for each in answer.get("Versions", [])]
            is_last = not answer.get("IsTruncated")
            if not is_last:
                after = Marker(answer["NextKeyMarker"], answer["NextVersionIdMarker"])
            elif found:
                after = Marker(found[-1].upload.version.key, found[-1].upload.version.version_id)
            yield Page(found, after)


def _disjoint(prefixes: Iterable[str]) -> list[str]:
    """Prefixes of the same keys, in the order of the keys, none of which is the beginning of another."""
    found: list[str] = []
    for prefix in sorted(prefixes):
        if not found or not prefix.startswith(found[-1]):
            found.append(prefix)
    return found


def find_current(s3: "S3Client", bucket: str, key: str) -> tuple[Upload | None, bool]:
    """The current version of an object, if there is one; otherwise, whether its newest version is a delete marker.

    S3 lists a key before the longer ones that begin with it, and of a key the version first that was stored last.
    """
    listed = s3.list_object_versions(Bucket=bucket, Prefix=key, MaxKeys=1)
    found = next((_upload_of(bucket, each) for each in listed.get("Versions", []) if each["Key"] == key), None)
    return found, any(each["Key"] == key for each in listed.get("DeleteMarkers", []))


def list_versions(s3: "S3Client", bucket: str, key: str) -> tuple[list[Upload], list[str]]:
    """Every version of an object, and the version ids of its delete markers; one request per thousand."""
    versions: list[Upload] = []
    markers: list[str] = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
        versions += [_upload_of(bucket, each) for each in page.get("Versions", []) if each["Key"] == key]
        markers += [each["VersionId"] for each in page.get("DeleteMarkers", []) if each["Key"] == key]
    return versions, markers


def list_uploads(s3: "S3Client", bucket: str, *, prefix: str, suffixes: Sequence[str]) -> Iterator[Upload]:
    """Yield every version of every object whose key has the prefix and a suffix, by key; one request per thousand."""
    for page in pages(s3, bucket, prefixes=[prefix]):
        yield from (each.upload for each in page.versions if each.upload.version.key.endswith(tuple(suffixes)))


def list_current(s3: "S3Client", bucket: str, *, prefix: str, deadline: Deadline) -> Iterator[Upload]:
    """Yield the current version of every object whose key has the prefix, by key; one request per thousand versions.

    An object that was deleted has none. Raises OutOfTime.
    """
    found = pages(s3, bucket, prefixes=[prefix])
    for page in deadline.limit(found, "after {:,} thousand versions were listed".format):
        yield from (each.upload for each in page.versions if each.is_current)


def list_folder(s3: "S3Client", bucket: str, folder: str, *, deadline: Deadline) -> tuple[list[str], list[Upload]]:
    """The folders, `/` at their ends, and the current versions of the objects that are directly in a folder.

    The folder is the beginning of a key, `/` at its end, or empty. Of the first ten thousand names only, since a bucket
    can have any number of objects in no folder. Raises OutOfTime.
    """
    folders: list[str] = []
    objects: list[Upload] = []
    answers = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=folder, Delimiter="/")
    first = islice(answers, MAX_PAGES_OF_FOLDER)
    for page in deadline.limit(first, f"after {{:,}} thousand names in {folder!r}".format):
        folders += [each["Prefix"] for each in page.get("CommonPrefixes", [])]
        objects += [_upload_of(bucket, found) for found in page.get("Versions", []) if found["IsLatest"]]
    return folders, objects


def _upload_of(bucket: str, found: "ObjectVersionTypeDef") -> Upload:
    etag = found["ETag"].strip('"')
    return Upload(ObjectVersion(bucket, found["Key"], found["VersionId"], etag, found["Size"]), found["LastModified"])
