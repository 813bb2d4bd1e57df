"""Whether an object is in the bucket; if not, why."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from csv_ingest import source
from csv_ingest.csvfile.streams import ByteStream
from csv_ingest.uploads import ObjectVersion
from ops.pipeline import NOT_THERE, Pipeline

GONE = "the object was deleted from the bucket"


class ObjectGone(Exception):
    """A version of an object is not in the bucket any more."""

    by_etag = False
    """Whether the destination has an index by ETag, so that the rows that are there were found all the same."""


@contextmanager
def opened(pipeline: Pipeline, version: ObjectVersion) -> Iterator[ByteStream]:
    """Open the bytes of a version, as `source.open_object` does; raises ObjectGone as well."""
    try:
        with source.open_object(version, pipeline.s3) as stream:
            yield stream
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_THERE:
            raise ObjectGone(f"version {version.version_id} of {version.key} is not in the bucket any more") from error
        raise


def absence(pipeline: Pipeline, key: str) -> str:
    """Why there is no current version of an object, for people; empty if there is one.

    A deleted object can have older versions in the bucket, behind a delete marker, and records in the ledger.
    """
    if is_there := pipeline.has_current_version(key):
        return ""
    if pipeline.files.records_of_key(key):
        return f"{GONE}; the ledger remembers it"
    if is_there is False:
        return GONE
    if pipeline.is_ingested(key):
        return "there is no such upload"
    return f"there is no such object, and no feed takes such keys: {pipeline.intake.why_not(key).reason}"


def why_unknown(pipeline: Pipeline, key: str) -> str:
    """Why nothing is known of uploads under a key."""
    if gone := absence(pipeline, key):
        return gone
    if pipeline.is_ingested(key):
        return "no delivery of it so far"
    return f"no feed takes it: {pipeline.intake.why_not(key).reason}"
