"""The uploads of a bucket or a key, and their outcomes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from csv_ingest import ledger
from csv_ingest.failure import REJECTION, Failure
from csv_ingest.model import Upload

from .pipeline import DeployedFeed, Pipeline
from .wording import counted


@dataclass(frozen=True, kw_only=True)
class UploadStatus:
    """One upload and its outcome. By the write mode, an upload is the same bytes under a key, or one version."""

    key: str
    etag: str
    size: int | None
    """Bytes; None if neither bucket nor ledger knows."""
    since: datetime | None
    """When it was settled; before that, when it was last delivered; before that, when it was uploaded."""
    record: ledger.FileRecord
    is_replaced: bool = False
    """Whether a newer version of the object was delivered: `rejects` and `rows` are about that one."""
    progress: str = ""
    failure: Failure | None = None
    """The latest message of an unsettled upload in the failure queue."""
    remark: str = ""
    """Added by a command that waited for the upload."""
    next_command: tuple[str, ...] = ()
    """The words of the command that ends a pause of its feed; empty if the feed is not paused."""
    absence: str = ""
    """Why the object is not in the bucket; empty if it is, or nobody asked."""

    @property
    def is_good(self) -> bool:
        """Whether the file is complete and no row of it was rejected."""
        return self.record.is_complete and not self.has_rejects

    @property
    def has_rejects(self) -> bool:
        return bool(self.record.counts and self.record.counts.rejected)

    @property
    def is_open(self) -> bool:
        """Whether somebody has to look at it: it is not good, and nobody has acknowledged that."""
        return not self.is_good and not self.record.acknowledgement

    @property
    def is_rejected(self) -> bool:
        return self.record.status == ledger.REJECTED

    @property
    def is_poison(self) -> bool:
        """Whether it can never be read as it is, with the settings as they are: another delivery is in vain."""
        return self.is_rejected or bool(self.failure and self.failure.condition == REJECTION)

    @property
    def is_settled(self) -> bool:
        return self.record.is_settled


def status_of(upload: Upload, record: ledger.FileRecord, *, is_replaced: bool = False) -> UploadStatus:
    version = upload.version
    return UploadStatus(
        key=version.key,
        etag=version.etag,
        size=version.size,
        since=record.changed_at or upload.modified,
        record=record,
        is_replaced=is_replaced,
    )


def not_good(pipeline: Pipeline, feed: DeployedFeed | None = None) -> tuple[list[UploadStatus], int]:
    """Every upload, of one feed or of all, that is not complete or has rejected rows, the latest change first.

    Also those that were acknowledged. Then, how many more there are without a record, from before their feed was
    deployed: no event was sent for them, and the sweep does not expect them.
    """
    earlier = 0

    def expected() -> Iterator[tuple[Upload, ledger.FileRecord]]:
        nonlocal earlier
        for upload, record in distinct(pipeline, pipeline.records(feed=feed)):
            if pipeline.expects(upload, record):
                yield upload, record
            else:
                earlier += 1

    found = _latest_first(each for each in _statuses(expected()) if not each.is_good)
    return found, earlier


def of_key(pipeline: Pipeline, key: str) -> list[UploadStatus]:
    """Every upload under a key, of the bucket or of the ledger, the latest change first."""
    listed = list(_statuses(distinct(pipeline, pipeline.records_of_versions(key))))
    in_bucket = [each.record.entry for each in listed if each.record.status]
    recorded = [record for record in pipeline.files.records_of_key(key) if record.entry not in in_bucket]
    gone = [
        UploadStatus(
            key=key,
            etag=record.etag,
            size=record.size,
            since=record.changed_at,
            record=record,
            is_replaced=bool(in_bucket or newer),
        )
        for newer, record in enumerate(recorded)
    ]
    return _latest_first([*listed, *gone])


def _statuses(found: Iterable[tuple[Upload, ledger.FileRecord]]) -> Iterator[UploadStatus]:
    """The statuses of uploads that come by key, the newest version first."""
    for _, versions in groupby(found, key=lambda pair: pair[0].version.key):
        is_replaced = False
        for upload, record in versions:
            yield status_of(upload, record, is_replaced=is_replaced)
            is_replaced = is_replaced or record.status is not None


def distinct(
    pipeline: Pipeline, found: Iterable[tuple[Upload, ledger.FileRecord]]
) -> Iterator[tuple[Upload, ledger.FileRecord]]:
    """The uploads of the bucket with their records; an upload with several versions comes once."""
    seen: set[tuple[str, str]] = set()
    for upload, record in found:
        name = record.name_of(upload.version, pipeline.feed_of(upload.version.key).mode)
        if name not in seen:
            seen.add(name)
            yield upload, record


def progress_in_parts(pipeline: Pipeline, record: ledger.FileRecord) -> str:
    """How far a file is that is ingested in parts; empty for other files and complete ones."""
    if not record.part_count or record.status == ledger.COMPLETE:
        return ""
    rows = f"{counted(pipeline.files.rows_read_in_parts(record), 'row')} so far"
    parts = counted(record.part_count, "part")
    if record.parts_checked is not None:
        return f"{record.parts_checked:,} of {parts} checked for duplicate ids, {rows}"
    return f"{record.parts_done:,} of {parts} done, {rows}"


def _latest_first(statuses: Iterable[UploadStatus]) -> list[UploadStatus]:
    return sorted(statuses, key=lambda each: each.since.timestamp() if each.since else 0, reverse=True)
