"""Delete a file, all its versions, its rows and its records."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from csv_ingest import ledger, listing
from csv_ingest.model import ObjectVersion, OtherTable, OwnerNeeded, Upload

from . import erasing, wording
from .pipeline import NoFeed, Pipeline

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

MAX_OBJECTS = 1_000  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html


@dataclass
class Forgetting:
    """An object key, and what was ingested of its versions."""

    pipeline: Pipeline
    key: str
    erasures: list[erasing.Erasure]
    objects: "list[ObjectIdentifierTypeDef]"
    """Its versions and its delete markers, without versions that have to stay."""
    skipped: list[str]
    """Why other versions have to stay: their rows are in tables of no feed of today."""

    @property
    def others(self) -> list[str]:
        """Other keys with the same bytes, whose rows have to stay."""
        return sorted({key for erasure in self.erasures for key in erasure.other_owners})


def forgetting_of(pipeline: Pipeline, key: str) -> Forgetting:
    """Everything of an object key that can be forgotten, for a person to look at first; may be nothing."""
    versions, markers = listing.list_versions(pipeline.clients.s3, pipeline.upload_bucket, key)
    recorded = list(pipeline.files.records(versions))
    for record in pipeline.files.records_of_key(key):
        version = ObjectVersion(pipeline.upload_bucket, key, record.version_id or "", record.etag, 0)
        recorded.append((Upload(version, datetime.now(UTC)), record))
    erasures: dict[tuple[str, str], erasing.Erasure] = {}
    skipped: dict[str, str] = {}
    for (version, _), record in recorded:
        try:
            feed = pipeline.owner_of(key, record)
            record.require_owner(feed.owner)
        except (NoFeed, OtherTable) as reason:
            skipped[_entry(version, record)] = str(reason)
        else:
            erasure = erasing.Erasure(pipeline, feed, version, ledger.FORGET)
            erasures.setdefault((feed.name, erasure.content), erasure)
    stay = {version for (version, _), record in recorded if _entry(version, record) in skipped}
    possible = [erasure for erasure in erasures.values() if erasure.version not in stay]
    for erasure in possible:
        erasure.look()
    objects: list[ObjectIdentifierTypeDef] = [
        {"Key": key, "VersionId": version.version_id} for version, _ in versions if version not in stay
    ]
    if not skipped:  # without its delete marker, a version that stays would be the current one
        objects += [{"Key": key, "VersionId": version_id} for version_id in markers]
    return Forgetting(pipeline, key, possible, objects, list(dict.fromkeys(skipped.values())))


def _entry(version: ObjectVersion, record: ledger.FileRecord) -> str:
    """Under which entry a version is recorded, or could be."""
    return record.upload if record.entry else version.etag


def forget(forgetting: Forgetting, *, progress: wording.Progress = wording.silent) -> int:
    """Delete the versions of an object that can be, their rows, rejected rows and records; on return none is left.

    Returns how many rows this run deleted.
    Rows that another key's upload has as well stay. Raises OwnerNeeded, with all statements.
    """
    begun = [max(erasure.mark(forgetting.key), erasure.begin()) for erasure in forgetting.erasures]
    for since, erasure in zip(begun, forgetting.erasures, strict=True):
        erasing.wait_for_deliveries(erasure.feed, since, progress)
        # Also what was planned since: a next delivery of it would not look whether its content is being forgotten.
        erasing.wait_for_deliveries(erasure.feed, erasure.mark(forgetting.key), progress)
        erasure.look()
    for erasure in forgetting.erasures:
        erasure.unmark([forgetting.key])
    rows = _delete_rows(forgetting, progress)
    _delete_objects(forgetting, progress)
    for erasure in forgetting.erasures:
        _leave(erasure)
    # Last: the records say that something has begun. Keep those of versions uploaded meanwhile: their rows still exist.
    # The entries of an ETag come after those of its later versions, which lead to them.
    uploads = {upload for erasure in forgetting.erasures for upload in erasure.uploads(forgetting.key)}
    for upload in sorted(uploads, reverse=True):
        forgetting.pipeline.files.erasures.erase_upload(forgetting.key, upload)
    left = forgetting_of(forgetting.pipeline, forgetting.key)
    if left.objects or left.erasures:
        raise erasing.NotErasable("something of it came back meanwhile: run the command again")
    return rows


def _leave(erasure: erasing.Erasure) -> None:
    """End the erasure of a content: the last file that has these rows leaves nothing."""
    erasure.pipeline.files.erasures.leave(erasure.content, erasure.feed.name, erasure.version.key)
    if erasure.other_owners:
        erasure.look()  # only now: the others may have been forgotten meanwhile
    if erasure.other_owners:
        erasure.cancel()
    else:
        erasure.end()


def _delete_rows(forgetting: Forgetting, progress: wording.Progress) -> int:
    """Delete the rows that no other file has; returns how many there were. Raises OwnerNeeded, with all statements."""
    deleted = 0
    needed: list[str] = []
    for erasure in forgetting.erasures:
        are_erased = any(each.are_rows_erased for each in erasure.records)
        if not erasure.other_owners and not are_erased:
            try:
                deleted += erasure.delete_rows(progress)
            except OwnerNeeded as statement:
                needed.append(str(statement))
            else:
                forgetting.pipeline.files.erasures.mark_rows_erased(forgetting.key, erasure.upload)
    if needed:
        raise OwnerNeeded("; ".join(needed))
    for erasure in forgetting.erasures:
        erasure.require_begun()
    return deleted


def _delete_objects(forgetting: Forgetting, progress: wording.Progress) -> None:
    objects, bucket = forgetting.objects, forgetting.pipeline.upload_bucket
    for start in range(0, len(objects), MAX_OBJECTS):
        some = objects[start : start + MAX_OBJECTS]
        answer = forgetting.pipeline.clients.s3.delete_objects(Bucket=bucket, Delete={"Objects": some, "Quiet": True})
        if refused := answer.get("Errors"):
            codes = ", ".join(sorted({error.get("Code", "") for error in refused}))
            raise erasing.NotErasable(f"S3 deleted not all versions: {codes}: run the command again")
        progress(f"{wording.counted(start + len(some), 'version')} deleted")
