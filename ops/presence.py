"""Whether an object is in the bucket; if not, why."""

from ops.pipeline import Pipeline

GONE = "the object was deleted from the bucket"


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
    return "there is no such upload" if pipeline.is_ingested(key) else "such keys are not ingested"
