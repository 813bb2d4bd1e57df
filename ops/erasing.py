"""Take back what was ingested: to read a file again under the settings of today, or to forget it.

Rows belong to an ETag: those of a file are also those of every other key of the feed with the same bytes. So what is
erased is an ETag; where each version is an upload of its own, it is one version. Either command can be killed anywhere,
and is then to be run again: what it has begun is marked in the ledger, which the sweep's alarm and `status` show.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from csv_ingest import csvfile, source
from csv_ingest.errors import BeingErased, OtherTable, OwnerNeeded
from csv_ingest.file_format import FileFormat
from csv_ingest.ledger import COMPLETE, FORGET, PROCESSING, REJECTED, RELOAD, FileRecord
from csv_ingest.rows import Row
from csv_ingest.uploads import ObjectVersion, Origin, Upload
from ops.feed import Feed
from ops.pipeline import NOT_THERE, NoFeed, Pipeline
from ops.schema import STATEMENT_TIMEOUT
from ops.wording import counted

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

CLOCKS = 5
"""Seconds by which the clock here and that of a delivery may differ."""

MAX_OBJECTS = 1_000
"""https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""

Progress = Callable[[str], None]


class NotErasable(Exception):
    """What was ingested cannot be taken back now; the message says why, and what to do."""


@dataclass
class Erasure:
    """What was ingested of one ETag in one feed, or of one version, to be taken back."""

    pipeline: Pipeline
    feed: Feed
    version: ObjectVersion
    """One that has the ETag. Where each version is an upload, the only one that this is about."""
    command: str
    records: list[FileRecord] = field(default_factory=list)
    """Of all keys whose rows these are, as they were when `look` was called."""
    elsewhere: list[str] = field(default_factory=list)
    """The object keys of the feed with this ETag whose rows went to another table."""

    @property
    def etag(self) -> str:
        return self.version.etag

    @property
    def upload(self) -> str:
        """What the ledger's entries of it begin with, whatever the object key."""
        return self.pipeline.files.upload_of(self.version) if self.feed.mode.each_version else self.etag

    @property
    def content(self) -> str:
        """Key under which the ledger stores this content's hash and format."""
        return self.feed.mode.content_key(self.version)

    def look(self) -> None:
        """Read the records of all keys with this ETag whose rows may be stored where the feed stores them."""
        files = self.pipeline.files
        found = [files.record(self.version)] if self.feed.mode.each_version else files.records_of_content(self.etag)
        of_feed = [each for each in found if each.is_planned and each.owner.feed == self.feed.name]
        self.records, self.elsewhere = [], []
        for record in of_feed:
            if record.owner.target.is_same(self.feed.owner.target):
                self.records.append(record)
            else:
                self.elsewhere.append(str(record.attributes["object_key"]))

    @property
    def keys(self) -> list[str]:
        """The object keys whose rows these are, or were until they are forgotten."""
        return [str(record.attributes["object_key"]) for record in self.records]

    @property
    def other_owners(self) -> list[str]:
        """The other object keys whose rows these are. A file that is being forgotten owns no row any more."""
        others = ((str(each.attributes["object_key"]), each.erasing) for each in self.records)
        return [key for key, erasing in others if key != self.version.key and erasing != FORGET]

    def mark(self, key: str) -> datetime:
        """Have every delivery of an object key take it for complete; returns since when."""
        if self.feed.mode.each_version:
            return self.pipeline.files.erasures.mark_version(self.version, self.feed.mode, self.command)
        return self.pipeline.files.erasures.mark(key, self.etag, self.command)

    def begin(self) -> datetime:
        """Have no delivery begin to store these rows; returns since when that is so.

        Raises NotErasable if they are to be read again, and are being forgotten.
        """
        try:
            return self.pipeline.files.erasures.begin(self.content, self.feed.name, self.command, self.version.key)
        except BeingErased as error:
            raise NotErasable(str(error)) from error

    def require_begun(self) -> None:
        """Raise NotErasable if another command has ended this one: rows of a new upload may be stored by now."""
        if not self.pipeline.files.erasures.is_under_way(self.content, self.feed.name, self.command, self.version.key):
            raise NotErasable("another `forget` or `reload` of the same bytes ended this one: run the command again")

    def wait(self, since: datetime, progress: Progress) -> None:
        """Wait until nothing is stored any more by the deliveries that had begun at a time."""
        wait_for_deliveries(self.feed, since, progress)

    def cancel(self) -> None:
        """Let deliveries store these rows again, unless a file with these rows is being forgotten."""
        self.pipeline.files.erasures.cancel(self.content, self.feed.name)

    def end(self) -> None:
        """Let the next delivery read this content by the settings of then, unless other files are being forgotten."""
        self.pipeline.files.erasures.end(self.content, self.feed.name)

    def leave(self) -> None:
        """Do one or the other, at the end of a forget: the last file with these rows leaves nothing."""
        self.pipeline.files.erasures.leave(self.content, self.feed.name, self.version.key)
        if self.other_owners:
            self.look()  # only now: the others may have been forgotten meanwhile
        if self.other_owners:
            self.cancel()
        else:
            self.end()

    def delete_rows(self, progress: Progress) -> int:
        """Delete all rows of the ETag, or of the version; returns how many there were. Raises OwnerNeeded."""
        if not self.records:
            return 0  # no delivery came so far as to store a row, or the records were deleted after the rows
        deleted, origin = 0, self.records[0].origin
        with closing(self.feed.destination) as destination:
            ids = self._ids_of_file() or self._ids_of_table(origin)
            while some := list(dict.fromkeys(islice(ids, destination.max_insert))):
                self.require_begun()
                deleted += destination.delete(origin, some)
                progress(f"{counted(deleted, 'row')} deleted")
        return deleted

    def _ids_of_file(self) -> Iterator[str] | None:
        """The ids of the rows, as a file in the bucket has them; None if none has these bytes any more."""
        for record in self.records:
            version = record.object_version(self.pipeline.upload_bucket)
            if record.format and self._is_there(version):
                return self._ids_in(version, record.origin, record.format)
        return None

    def _is_there(self, version: ObjectVersion) -> bool:
        wanted = {"Bucket": version.bucket, "Key": version.key, "VersionId": version.version_id}
        try:
            self.pipeline.s3.head_object(**wanted)  # type: ignore[arg-type] # the names are those of HeadObject
        except ClientError as error:
            if error.response["Error"]["Code"] in NOT_THERE:
                return False
            raise
        return True

    def _ids_in(self, version: ObjectVersion, origin: Origin, format_: FileFormat) -> Iterator[str]:
        with source.open_object(version, self.pipeline.s3) as stream:
            for row in csvfile.read_rows(stream, format_):
                # Whoever asks DynamoDB for a key that it refused to store gets an error.
                if isinstance(row, Row) and not self.feed.destination.refusal(origin, row):
                    yield row.id

    def _ids_of_table(self, origin: Origin) -> Iterator[str]:
        """The ids of the rows, by reading the whole table."""
        for found in self.feed.destination.scan():
            if found.key.upload == origin.upload and found.key.id is not None:
                yield found.key.id


def versions_to_reload(pipeline: Pipeline, key: str) -> list[ObjectVersion]:
    """The current version of an object, after those whose reload has begun, and has not ended: one of each ETag."""
    found: dict[str, ObjectVersion] = {}
    for upload, record in pipeline.records_of_versions(key):
        feed = pipeline.owner_of(key, record)
        if pipeline.files.erasures.command(upload.version.etag, feed.name) == RELOAD:
            found.setdefault(upload.version.etag, upload.version)
    try:
        latest = pipeline.latest(key)
    except ClientError as error:
        if found and error.response["Error"]["Code"] in NOT_THERE:  # somebody deleted the object since
            return list(found.values())
        raise
    found.pop(latest.etag, None)
    return [*found.values(), latest]


def erasure_for_reload(pipeline: Pipeline, version: ObjectVersion) -> Erasure:
    """What a reload of an upload takes back, for a person to look at first. Raises NotErasable."""
    record = pipeline.files.record(version)
    erasure = Erasure(pipeline, pipeline.owner_of(version.key, record), version, RELOAD)
    if erasure.feed.mode.supersedes:
        raise NotErasable(
            f"the feed {erasure.feed.name} merges: upload the file again, and it is read by the settings of today, and "
            "its rows take the place of the old ones; if the ids were wrong, `forget` it first"
        )
    if record.erasing == FORGET:
        raise NotErasable("it is being forgotten")
    if record.status == REJECTED:
        raise NotErasable("it was rejected, and no row of it is stored: `backfill --again` reads it anew")
    record.require_owner(erasure.feed.owner)
    if not erasure.feed.is_ingested(version.key):
        raise NotErasable(
            f"the feed {erasure.feed.name} ingests such keys no more, and nobody would deliver it again: upload it "
            "under another key, then forget this one"
        )
    erasure.look()
    if erasure.elsewhere:
        raise NotErasable(
            f"{erasure.elsewhere[0]} has the same content, and its rows went to another table: "
            "`python -m ops audit --repair` first"
        )
    _refuse_busy(erasure)
    return erasure


def reload(erasure: Erasure, *, progress: Progress = lambda _: None) -> list[ObjectVersion]:
    """Delete what was ingested of an upload, and deliver it again; returns what was delivered.

    Deliveries that come meanwhile fail, and are retried. Raises OwnerNeeded, or NotErasable if nothing was done yet.
    """
    pipeline, files = erasure.pipeline, erasure.pipeline.files
    erasure.wait(erasure.begin(), progress)
    erasure.look()
    try:
        _refuse_busy(erasure)
    except NotErasable:
        erasure.cancel()
        raise
    recorded = [record for record in erasure.records if record.status == COMPLETE]
    for record in recorded:  # another delivery of what was settled a moment ago can still run
        erasure.wait(datetime.fromisoformat(record.attributes["settled_at"]), progress)
    erasure.require_begun()
    for record in recorded:
        files.erasures.mark(record.attributes["object_key"], erasure.etag, RELOAD)
    erasure.delete_rows(progress)
    erasure.require_begun()
    for record in recorded:
        files.erasures.erase_entries(record.attributes["object_key"], erasure.etag)
        files.erasures.erase_record(record.attributes["object_key"], erasure.etag)
    erasure.end()
    versions = _without_plan(erasure, {record.attributes["version_id"] for record in recorded})
    for version in versions:
        pipeline.redeliver(version)
    return versions


def _refuse_busy(erasure: Erasure) -> None:
    for key, record in zip(erasure.keys, erasure.records, strict=True):
        if record.status == PROCESSING:
            raise NotErasable(f"{key} has the same content, and is not complete: wait until it is")
        if record.erasing == FORGET:
            raise NotErasable(f"{key} has the same content, and is being forgotten: end that first")


def _without_plan(erasure: Erasure, ingested: set[str]) -> list[ObjectVersion]:
    """One version of each key of the feed that has the ETag and no plan: the one that was ingested, or the newest."""
    found: dict[str, ObjectVersion] = {}
    for upload, record in erasure.pipeline.records(feed=erasure.feed):
        version = upload.version
        is_better = version.key not in found or version.version_id in ingested
        is_waiting = record.status in (None, PROCESSING) and not record.is_planned
        if version.etag == erasure.etag and is_waiting and is_better:
            found[version.key] = version
    return list(found.values())


@dataclass
class Forgotten:
    """What was forgotten."""

    versions: int = 0
    """Of the object, delete markers included."""
    rows: int = 0
    """That this run deleted."""


@dataclass
class Forgetting:
    """An object key, and what was ingested of its versions."""

    pipeline: Pipeline
    key: str
    erasures: list[Erasure]
    objects: "list[ObjectIdentifierTypeDef]"
    """Its versions and its delete markers, but for those that have to stay."""
    elsewhere: list[str]
    """Why others have to stay: their rows are where today's feeds store none."""

    @property
    def others(self) -> list[str]:
        """Other keys with the same bytes, whose rows have to stay."""
        return sorted({key for erasure in self.erasures for key in erasure.other_owners})


def forgetting_of(pipeline: Pipeline, key: str) -> Forgetting:
    """What there is to forget of an object key, for a person to look at first; may be nothing."""
    versions, markers = _objects(pipeline, key)
    recorded = list(pipeline.files.records(versions))
    for record in pipeline.files.records_of_key(key):
        version = ObjectVersion(pipeline.upload_bucket, key, record.version_id or "", record.etag, 0)
        recorded.append((Upload(version, datetime.now(UTC)), record))
    erasures: dict[tuple[str, str], Erasure] = {}
    elsewhere: dict[str, str] = {}
    for (version, _), record in recorded:
        try:
            feed = pipeline.owner_of(key, record)
            record.require_owner(feed.owner)
        except (NoFeed, OtherTable) as reason:
            elsewhere[_entry(version, record)] = str(reason)
        else:
            erasure = Erasure(pipeline, feed, version, FORGET)
            erasures.setdefault((feed.name, erasure.content), erasure)
    stay = {version for (version, _), record in recorded if _entry(version, record) in elsewhere}
    possible = [erasure for erasure in erasures.values() if erasure.version not in stay]
    for erasure in possible:
        erasure.look()
    objects: list[ObjectIdentifierTypeDef] = [
        {"Key": key, "VersionId": version.version_id} for version, _ in versions if version not in stay
    ]
    if not elsewhere:  # without its delete marker, a version that stays would be the current one
        objects += [{"Key": key, "VersionId": version_id} for version_id in markers]
    return Forgetting(pipeline, key, possible, objects, list(dict.fromkeys(elsewhere.values())))


def _entry(version: ObjectVersion, record: FileRecord) -> str:
    """Under which entry a version is recorded, or could be."""
    return record.upload if record.attributes else version.etag


def _objects(pipeline: Pipeline, key: str) -> tuple[list[Upload], list[str]]:
    """The versions of an object, and the version ids of its delete markers."""
    versions: list[Upload] = []
    markers: list[str] = []
    bucket = pipeline.upload_bucket
    for page in pipeline.s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
        markers += [each["VersionId"] for each in page.get("DeleteMarkers", []) if each["Key"] == key]
        for each in page.get("Versions", []):
            if each["Key"] == key:
                version = ObjectVersion(bucket, key, each["VersionId"], each["ETag"].strip('"'), each["Size"])
                versions.append(Upload(version, each["LastModified"]))
    return versions, markers


def forget(forgetting: Forgetting, *, progress: Progress = lambda _: None) -> Forgotten:
    """Delete the versions of an object that can be, their rows, rejected rows and records; on return none is left.

    Rows that another key's upload has as well stay. Raises OwnerNeeded, with all statements.
    """
    pipeline, key, files = forgetting.pipeline, forgetting.key, forgetting.pipeline.files
    done = Forgotten(versions=len(forgetting.objects))
    begun = [max(erasure.mark(key), erasure.begin()) for erasure in forgetting.erasures]
    for since, erasure in zip(begun, forgetting.erasures, strict=True):
        erasure.wait(since, progress)
        erasure.look()
    done.rows = _delete_rows(forgetting, progress)
    _delete_objects(forgetting, progress)
    for erasure in forgetting.erasures:
        erasure.leave()
    # Last: without the records, nobody would know that something has begun. Not those of a version that came meanwhile:
    # without them, nobody would know that it has rows.
    for upload in sorted((erasure.upload for erasure in forgetting.erasures), reverse=True):
        files.erasures.erase_upload(
            key, upload
        )  # the entries of an ETag after those of later versions, which lead to them
    left = forgetting_of(pipeline, key)
    if left.objects or left.erasures:
        raise NotErasable("something of it came back meanwhile: run the command again")
    return done


def _delete_rows(forgetting: Forgetting, progress: Progress) -> int:
    """Delete the rows that no other file has; returns how many there were. Raises OwnerNeeded, with all statements."""
    deleted = 0
    needed: list[str] = []
    for erasure in forgetting.erasures:
        are_erased = any("rows_erased_at" in each.attributes for each in erasure.records)
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


def _delete_objects(forgetting: Forgetting, progress: Progress) -> None:
    objects, bucket = forgetting.objects, forgetting.pipeline.upload_bucket
    for start in range(0, len(objects), MAX_OBJECTS):
        some = objects[start : start + MAX_OBJECTS]
        answer = forgetting.pipeline.s3.delete_objects(Bucket=bucket, Delete={"Objects": some, "Quiet": True})
        if errors := answer.get("Errors"):
            codes = ", ".join(sorted({error.get("Code", "") for error in errors}))
            raise NotErasable(f"S3 deleted not all versions: {codes}: run the command again")
        progress(f"{counted(start + len(some), 'version')} deleted")


def wait_for_deliveries(feed: Feed, since: datetime, progress: Progress = lambda _: None) -> None:
    """Wait until nothing is stored any more by the deliveries of a feed that began before a time."""
    # The server does not notice that a delivery has ended: the last statement goes on.
    last_statement = STATEMENT_TIMEOUT if feed.config.feed.is_postgresql else 0
    seconds = feed.timeout + CLOCKS + last_statement
    while (left := (since + timedelta(seconds=seconds) - datetime.now(UTC)).total_seconds()) > 0:
        progress(f"{left:.0f} s left for running deliveries")
        time.sleep(min(left, 1))
