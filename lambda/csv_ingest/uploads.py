"""What is in the bucket, and what the ledger says of it: for the sweep and for the operator."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from csv_ingest.batches import MAX_KEYS, Pace, get_items
from csv_ingest.events import ObjectVersion
from csv_ingest.ledger import FileRecord, file_record

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


class Upload(NamedTuple):
    """One object version in the bucket."""

    version: ObjectVersion
    modified: datetime
    """As S3 has it, UTC: when a multipart upload was begun, or another one ended."""


def list_uploads(s3: "S3Client", bucket: str, *, prefix: str, suffixes: Sequence[str]) -> Iterator[Upload]:
    """Yield every version of every object whose key the trigger matches, by key; one request a thousand."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for found in page.get("Versions", []):
            if found["Key"].endswith(tuple(suffixes)):
                version = ObjectVersion(
                    bucket, found["Key"], found["VersionId"], found["ETag"].strip('"'), found["Size"]
                )
                yield Upload(version, found["LastModified"])


def with_records(
    dynamodb: "DynamoDBClient", table: str, uploads: Iterable[Upload], *, time_left: Callable[[], float]
) -> Iterator[tuple[Upload, FileRecord]]:
    """Pair each upload with what the ledger says of it, in their order; one request a hundred uploads.

    Raises ItemsNotRead if that takes longer than `time_left()` (seconds).
    """
    remaining, pace = iter(uploads), Pace(time_left)
    while some := list(islice(remaining, MAX_KEYS)):
        # The same bytes may be there twice under one key, and a request must not name a key twice.
        keys = {(upload.version.key, upload.version.etag) for upload in some}
        items = get_items(
            dynamodb,
            table,
            [{"object_key": {"S": key}, "entry": {"S": etag}} for key, etag in keys],
            pace=pace,
        )
        found = {(item["object_key"]["S"], item["entry"]["S"]): file_record(item) for item in items}
        for upload in some:
            yield upload, found.get((upload.version.key, upload.version.etag), file_record({}))
