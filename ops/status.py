"""What became of uploads."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import groupby

from csv_ingest.ledger import COMPLETE, REJECTED, FileRecord
from csv_ingest.modes import WriteMode
from csv_ingest.uploads import Upload
from ops import failures
from ops.brake import paused, resume_words
from ops.failure import REJECTION, Failure
from ops.feed import Feed
from ops.pipeline import Pipeline
from ops.presence import absence
from ops.wording import counted

AT_ONCE = 10
"""How many keys are looked up at the same time."""


@dataclass(frozen=True, kw_only=True)
class UploadStatus:
    """What is known of one upload: the same bytes under the same key are one, or each version is, by the write mode."""

    key: str
    etag: str
    size: int | None
    """Bytes; None if neither bucket nor ledger knows."""
    since: datetime | None
    """When it was settled; before that, when it was last delivered; before that, when it was uploaded."""
    record: FileRecord
    is_replaced: bool = False
    """Whether a newer version of the object was delivered: `rejects` and `rows` are about that one."""
    progress: str = ""
    """How far a file is that is ingested in parts."""
    failure: Failure | None = None
    """The latest message of an unsettled upload in the failure queue."""
    remark: str = ""
    """What a command that waited for the upload has to add."""
    next_command: tuple[str, ...] = ()
    """The words of the command that ends a pause of its feed; empty if the feed is not paused."""
    absence: str = ""
    """Why the object is not in the bucket; empty if it is, or nobody asked."""

    @property
    def is_good(self) -> bool:
        """Whether the file is complete and no row of it was rejected."""
        return self.is_settled and self.record.status == COMPLETE and not self.has_rejects

    @property
    def has_rejects(self) -> bool:
        return bool(self.record.counts and self.record.counts.rejected)

    @property
    def is_open(self) -> bool:
        """Whether somebody has to look at it: it is not good, and nobody has acknowledged that."""
        return not self.is_good and not self.record.acknowledgement

    @property
    def is_poison(self) -> bool:
        """Whether it can never be read as it is, with the settings as they are: another delivery is in vain."""
        return self.record.status == REJECTED or bool(self.failure and self.failure.condition == REJECTION)

    @property
    def is_settled(self) -> bool:
        return self.record.is_settled


def status_of(upload: Upload, record: FileRecord, *, is_replaced: bool = False) -> UploadStatus:
    """The status of an upload that the bucket lists."""
    version = upload.version
    return UploadStatus(
        key=version.key,
        etag=version.etag,
        size=version.size,
        since=last_change(record) or upload.modified,
        record=record,
        is_replaced=is_replaced,
    )


def not_good(pipeline: Pipeline, feed: Feed | None = None) -> list[UploadStatus]:
    """Every upload, of one feed or of all, that is not complete or has rejected rows, the latest change first.

    Also those that were acknowledged.
    """
    found = _statuses(distinct(pipeline, pipeline.records(feed=feed)))
    return _latest_first(each for each in found if not each.is_good)


def of_key(pipeline: Pipeline, key: str) -> list[UploadStatus]:
    """Every upload under a key, of the bucket or of the ledger, the latest change first."""
    listed = list(_statuses(distinct(pipeline, pipeline.records_of_versions(key))))
    in_bucket = [each.record.attributes["entry"] for each in listed if each.record.status]
    recorded = [record for record in pipeline.files.records_of_key(key) if record.attributes["entry"] not in in_bucket]
    gone = [
        _status_of_record(key, record, is_replaced=bool(in_bucket or newer)) for newer, record in enumerate(recorded)
    ]
    return _latest_first([*listed, *gone])


def _statuses(found: Iterable[tuple[Upload, FileRecord]]) -> Iterator[UploadStatus]:
    """The statuses of uploads that come by key, the newest version first."""
    for _, versions in groupby(found, key=lambda pair: pair[0].version.key):
        is_replaced = False
        for upload, record in versions:
            yield status_of(upload, record, is_replaced=is_replaced)
            is_replaced = is_replaced or record.status is not None


def explained(pipeline: Pipeline, statuses: Iterable[UploadStatus]) -> list[UploadStatus]:
    """The statuses, each with whether its object is in the bucket.

    Those of unsettled uploads with their progress, their message in the failure queue, and the end of a pause.
    """
    found = list(statuses)
    keys = dict.fromkeys(each.key for each in found)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        absences = dict(zip(keys, pool.map(partial(absence, pipeline), keys), strict=True))
    return _explained_unsettled(pipeline, [replace(each, absence=absences[each.key]) for each in found])


def _explained_unsettled(pipeline: Pipeline, found: list[UploadStatus]) -> list[UploadStatus]:
    if all(each.is_settled for each in found):
        return found
    # A look hides messages from others for a moment: not without need.
    messages = failures.peek(pipeline) if failures.count(pipeline).visible else []
    failed = {
        (version.key, name): failure
        for failure in messages
        for version in failure.versions
        for name in (version.etag, version.version_id)
    }

    ends_of_pauses = {feed: resume_words(pipeline, feed) for feed in paused(pipeline.feeds)}

    def explain(each: UploadStatus) -> UploadStatus:
        name = str(each.record.version_id) if each.record.mode.each_version else each.etag
        feed = next((feed for feed in ends_of_pauses if feed.is_ingested(each.key)), None)
        return replace(
            each,
            progress=progress_in_parts(pipeline, each.record),
            failure=failed.get((each.key, name)),
            next_command=ends_of_pauses[feed] if feed else (),
        )

    return [each if each.is_settled else explain(each) for each in found]


def name_of(upload: Upload, record: FileRecord, mode: WriteMode) -> tuple[str, str]:
    """The same for versions that are one upload: they share a record, or have none but the same key and ETag."""
    version = upload.version
    unrecorded = version.version_id if mode.each_version else f"{version.etag}, no record"
    return version.key, str(record.attributes.get("entry", unrecorded))


def distinct(pipeline: Pipeline, found: Iterable[tuple[Upload, FileRecord]]) -> Iterator[tuple[Upload, FileRecord]]:
    """The uploads of the bucket with their records, each upload once, whatever the number of its versions."""
    seen: set[tuple[str, str]] = set()
    for upload, record in found:
        name = name_of(upload, record, pipeline.feed_of(upload.version.key).mode)
        if name not in seen:
            seen.add(name)
            yield upload, record


def progress_in_parts(pipeline: Pipeline, record: FileRecord) -> str:
    """How far a file is that is ingested in parts; empty for other files and complete ones."""
    if not record.part_count or record.status == COMPLETE:
        return ""
    rows = f"{counted(pipeline.files.rows_read_in_parts(record), 'row')} so far"
    parts = counted(record.part_count, "part")
    if record.parts_checked is not None:
        return f"{record.parts_checked:,} of {parts} checked for duplicate ids, {rows}"
    return f"{record.parts_done:,} of {parts} done, {rows}"


def _status_of_record(key: str, record: FileRecord, *, is_replaced: bool) -> UploadStatus:
    return UploadStatus(
        key=key,
        etag=record.etag,
        size=record.attributes.get("size"),
        since=last_change(record),
        record=record,
        is_replaced=is_replaced,
    )


def last_change(record: FileRecord) -> datetime | None:
    """When an upload was settled; before that, when it was last delivered."""
    settled = record.attributes.get("settled_at")
    return datetime.fromisoformat(settled) if settled else record.started_at


def _latest_first(statuses: Iterable[UploadStatus]) -> list[UploadStatus]:
    return sorted(statuses, key=lambda each: each.since.timestamp() if each.since else 0, reverse=True)
