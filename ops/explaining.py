"""Why uploads are not settled, or not in the bucket."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from csv_ingest import failure, listing

from . import brake, failures, status
from .pipeline import Pipeline

AT_ONCE = 10  # how many keys are looked up at the same time
GONE = "the object was deleted from the bucket, or has expired there"


def explained(pipeline: Pipeline, statuses: Iterable[status.UploadStatus]) -> list[status.UploadStatus]:
    """The statuses, each with whether its object is in the bucket.

    Unsettled uploads also have their progress, their message in the failure queue, and the end of a pause.
    """
    found = list(statuses)
    keys = dict.fromkeys(each.key for each in found)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        absences = dict(zip(keys, pool.map(partial(absence, pipeline), keys), strict=True))
    found = [replace(each, absence=absences[each.key]) for each in found]
    if all(each.is_settled for each in found):
        return found
    messages, paused = _messages(pipeline), brake.paused(pipeline.feeds)

    def of_unsettled(each: status.UploadStatus) -> status.UploadStatus:
        record = each.record
        name = str(record.version_id) if record.mode.each_version else each.etag
        feed = next((feed for feed in paused if feed.takes(each.key)), None)
        return replace(
            each,
            progress=status.progress_in_parts(pipeline, record),
            failure=messages.get((each.key, name)),
            next_command=brake.resume_words(pipeline, feed) if feed else (),
        )

    return [each if each.is_settled else of_unsettled(each) for each in found]


def _messages(pipeline: Pipeline) -> dict[tuple[str, str], failure.Failure]:
    """The latest message about each version, by its key and its ETag, and by its key and its version id."""
    # A look hides messages from others for a moment: not without need.
    found = failures.peek(pipeline) if failures.count(pipeline).visible else []
    return {
        (version.key, name): message
        for message in found
        for version in message.versions
        for name in (version.etag, version.version_id)
    }


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
    if gone := absence(pipeline, key):
        return gone
    if pipeline.intake.takes(key):
        return "no delivery of it so far"
    return f"no feed takes it: {pipeline.intake.why_not(key).reason}"
