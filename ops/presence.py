"""Whether an object is in the bucket; if not, why."""

from csv_ingest import listing
from ops.pipeline import Pipeline

GONE = "the object was deleted from the bucket"


def absence(pipeline: Pipeline, key: str) -> str:
    """Why there is no current version of an object, for people; empty if there is one.

    A deleted object can have older versions in the bucket, behind a delete marker, and records in the ledger.
    """
    found, is_deleted = listing.find_current(pipeline.clients.s3, pipeline.upload_bucket, key)
    if found:
        return ""
    if pipeline.files.records_of_key(key):
        return f"{GONE}; the ledger remembers it"
    if is_deleted:
        return GONE
    if pipeline.intake.takes(key):
        return "there is no such upload"
    return f"there is no such object, and no feed takes such keys: {pipeline.intake.why_not(key).reason}"


def why_unknown(pipeline: Pipeline, key: str) -> str:
    """Why nothing is known of uploads under a key."""
    if gone := absence(pipeline, key):
        return gone
    if pipeline.intake.takes(key):
        return "no delivery of it so far"
    return f"no feed takes it: {pipeline.intake.why_not(key).reason}"
