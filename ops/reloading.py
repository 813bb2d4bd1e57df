"""Read a complete file again, by the settings of today."""

from collections.abc import Sequence
from datetime import UTC, datetime

from csv_ingest import ledger, listing
from csv_ingest.model import ObjectVersion

from . import erasing, explaining, wording
from .pipeline import Pipeline


def versions_to_reload(pipeline: Pipeline, key: str) -> list[ObjectVersion]:
    """The current version of an object, after those whose reload has begun, and has not ended: one per ETag.

    Raises NotErasable if there is none.
    """
    found: dict[str, ObjectVersion] = {}
    for upload, record in pipeline.records_of_versions(key):
        feed = pipeline.owner_of(key, record)
        if pipeline.files.erasures.command(upload.version.etag, feed.name) == ledger.RELOAD:
            found.setdefault(upload.version.etag, upload.version)
    current, _ = listing.find_current(pipeline.clients.s3, pipeline.upload_bucket, key)
    if current:
        found.pop(current.version.etag, None)
        return [*found.values(), current.version]
    if not found:
        raise erasing.NotErasable(explaining.absence(pipeline, key))
    return list(found.values())  # somebody deleted the object since


def erasure_for_reload(pipeline: Pipeline, version: ObjectVersion) -> erasing.Erasure:
    """The erasure that a reload of an upload begins with, for a person to look at first. Raises NotErasable."""
    record = pipeline.files.record(version)
    erasure = erasing.Erasure(pipeline, pipeline.owner_of(version.key, record), version, ledger.RELOAD)
    if erasure.feed.mode.supersedes:
        raise erasing.NotErasable(
            f"the feed {erasure.feed.name} merges: upload the file again, and it is read by the settings of today, and "
            "its rows take the place of the old ones; if the ids were wrong, `forget` it first"
        )
    if record.erasing == ledger.FORGET:
        raise erasing.NotErasable("it is being forgotten")
    if record.status == ledger.REJECTED:
        raise erasing.NotErasable("it was rejected, and no row of it is stored: `backfill --again` reads it anew")
    if record.is_expired(datetime.now(UTC)):
        raise erasing.NotErasable(f"its rows expired on {record.rows_expire_at[:10]}: upload it again if you need them")
    record.require_owner(erasure.feed.owner)
    if not erasure.feed.takes(version.key):
        raise erasing.NotErasable(
            f"the feed {erasure.feed.name} ingests such keys no more, and nobody would deliver it again: upload it "
            "under another key, then forget this one"
        )
    erasure.look()
    for skipped in erasure.skipped:
        went = skipped.owner.target.moved(erasure.feed.owner.target)
        same = f"{skipped.object_key} has the same content, and {went}"
        raise erasing.NotErasable(f"{same}: `csv-ingest audit --repair` first")
    _refuse_busy(erasure)
    return erasure


def reload(erasure: erasing.Erasure, *, progress: wording.Progress = wording.silent) -> list[ObjectVersion]:
    """Delete what was ingested of an upload, and deliver it again; returns what was delivered.

    Deliveries that come meanwhile fail, and are retried. Raises OwnerNeeded, or NotErasable if nothing was done yet.
    """
    erasures = erasure.pipeline.files.erasures
    erasing.wait_for_deliveries(erasure.feed, erasure.begin(), progress)
    erasure.look()
    try:
        _refuse_busy(erasure)
    except erasing.NotErasable:
        erasure.cancel()
        raise
    recorded = [record for record in erasure.records if record.status == ledger.COMPLETE]
    for record in recorded:  # another delivery of what was settled a moment ago can still run
        if record.settled_at:
            erasing.wait_for_deliveries(erasure.feed, record.settled_at, progress)
    erasure.require_begun()
    for record in recorded:
        erasures.mark(record.object_key, record.upload, ledger.RELOAD)
    erasure.unmark(record.object_key for record in recorded)
    erasure.delete_rows(progress)
    erasure.require_begun()
    for record in recorded:
        erasures.erase_entries(record.object_key, record.upload)
        erasures.erase_record(record.object_key, record.upload)
    erasure.end()
    versions = _without_plan(erasure, recorded)
    for version in versions:
        erasure.pipeline.redeliver(version)
    return versions


def _refuse_busy(erasure: erasing.Erasure) -> None:
    for record in erasure.records:
        same = f"{record.object_key} has the same content, and is"
        if record.status == ledger.PROCESSING:
            raise erasing.NotErasable(f"{same} not complete: wait until it is")
        if record.erasing == ledger.FORGET:
            raise erasing.NotErasable(f"{same} being forgotten: end that first")


def _without_plan(erasure: erasing.Erasure, erased: Sequence[ledger.FileRecord]) -> list[ObjectVersion]:
    """The versions of each key of the feed that have the ETag and no plan, and whose rows have not expired.

    Of versions that were one upload, one: that which was ingested, or the newest.
    """
    now = datetime.now(UTC)
    expiry = {record.version_id: record for record in erased}
    found: dict[tuple[str, str], ObjectVersion] = {}
    for upload, record in erasure.pipeline.records(feed=erasure.feed):
        version = upload.version
        before = expiry.get(version.version_id, ledger.FileRecord())
        name = version.key, version.version_id if before.rows_expire_at else ""
        is_better = name not in found or before.status is not None
        is_waiting = record.status in (None, ledger.PROCESSING) and not record.is_planned
        if version.etag == erasure.etag and is_waiting and is_better and not before.is_expired(now):
            found[name] = version
    return list(found.values())
