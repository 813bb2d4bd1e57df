"""Mend what an audit found wrong."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime

from botocore.exceptions import ClientError

from csv_ingest import destinations, events, ledger, source
from csv_ingest.model import CompleteFile, ObjectVersion, Origin, Row, RowKey, StoredRow

from . import audit_marks, erasing, findings
from .pipeline import NOT_THERE, DeployedFeed, ObjectGone, Pipeline


@dataclass
class Repaired:
    """The result of a repair."""

    rows: int = 0
    """Rows that were written to the destination."""
    records: int = 0
    """Records of the ledger that were written or deleted."""
    marks: int = 0
    """Files that were marked as complete in a destination, or are not any more."""
    delivered: list[ObjectVersion] = field(default_factory=list)
    """Uploads whose event was put into Lambda's queue."""
    left: list[findings.Discrepancy] = field(default_factory=list)
    """Findings for which nothing was done: a person has to look."""


def repair(
    pipeline: Pipeline, found: Iterable[findings.Discrepancy], *, paused: Collection[DeployedFeed] = ()
) -> Repaired:
    """Make the tables what the files say, where an audit found them otherwise.

    A repair writes what a delivery would write: both follow from the content of a file and its recorded format alone.
    So deliveries can go on meanwhile, and a repair can be interrupted anywhere and be repeated. Rows that belong
    to no file are left alone: nobody but their author knows what they are. Unsettled uploads of the
    `paused` feeds are left alone.
    """
    done = Repaired()
    chosen: dict[ObjectVersion, list[findings.Discrepancy]] = {}
    for finding in found:
        if finding.version is not None and can_be_mended(pipeline, finding, paused):
            chosen.setdefault(finding.version, []).append(finding)
        else:
            done.left.append(finding)
    for version, of_version in chosen.items():
        remedies = [finding.remedy for finding in of_version if finding.remedy is not None]
        if not _Repair(pipeline, version, done, pipeline.files.record(version)).run(remedies):
            done.left += of_version
    return done


def can_be_mended(pipeline: Pipeline, finding: findings.Discrepancy, paused: Collection[DeployedFeed]) -> bool:
    """Whether a repair does anything about a finding; to a feed that is paused, nothing is delivered."""
    if isinstance(finding.remedy, findings.Redeliver | findings.Restart):
        return pipeline.feed_of(finding.key) not in paused
    return finding.remedy is not None


@dataclass
class _Repair:
    """The repair of one upload."""

    pipeline: Pipeline
    version: ObjectVersion
    done: Repaired
    record: ledger.FileRecord

    def run(self, remedies: Collection[findings.Remedy]) -> bool:
        if self.record.erasing and not all(isinstance(each, findings.Move) for each in remedies):  # since the audit
            return False
        if lines := {each.line: each.expires_at for each in remedies if isinstance(each, findings.RestoreRow)}:
            try:
                self.done.rows += self._restore_rows(lines)
            except ObjectGone:
                return False
        for remedy in remedies:
            self._mend(remedy)
        if any(isinstance(each, findings.Mark | findings.CorrectCounts) for each in remedies):
            self._mark()
        return True

    @property
    def _feed(self) -> DeployedFeed:
        return self.pipeline.owner_of(self.version.key, self.record)

    def _mend(self, remedy: findings.Remedy) -> None:
        # Remedies for the ledger are for complete files, which have a record, unless it was deleted since.
        key, upload = self.version.key, self.record.upload if self.record.entry else self.version.etag
        repairs = self.pipeline.files.repairs
        match remedy:
            case findings.RestoreRow() | findings.Mark():
                return  # all rows of a file are restored in one reading, and then it is marked
            case findings.Unmark(feed, file):
                self._unmark(self.pipeline.feed_named(feed), file)
                return
            case findings.Redeliver():
                self.pipeline.redeliver(self.version)
            case findings.Restart():
                self._restart()
            case findings.RecordReject(row):
                repairs.record_reject(key, upload, row, self.record)
            case findings.RemoveReject(line):
                repairs.remove_reject(key, upload, line)
            case findings.CorrectCounts(counts):
                repairs.correct_counts(key, upload, counts, self.record.mode)
            case findings.Move():
                repairs.move(key, upload, self._feed.owner)
        if isinstance(remedy, findings.Redeliver | findings.Restart):
            self.done.delivered.append(self.version)
        else:
            self.done.records += 1

    def _mark(self) -> None:
        """Mark a complete file in its destination, by what the ledger has of it now."""
        record = self.pipeline.files.record(self.version)
        if record.is_complete:
            with closing(self._feed.destination) as destination:
                destination.mark_complete(record.complete_file(self._uploaded_at(record)))
            self.done.marks += 1

    def _uploaded_at(self, record: ledger.FileRecord) -> str:
        """When a file was uploaded: of those of earlier releases, S3 says it, as long as they are in the bucket."""
        if record.uploaded_at:
            return record.uploaded_at
        try:
            return events.as_text(source.last_modified(self.version, self.pipeline.clients.s3))
        except ClientError as error:
            if error.response["Error"]["Code"] in NOT_THERE:
                return ""
            raise

    def _unmark(self, feed: DeployedFeed, file: CompleteFile) -> None:
        if not audit_marks.is_founded(self.record, file):  # otherwise, it was delivered since the audit
            with closing(feed.destination) as destination:
                destination.unmark(file.upload, file.object_key)
            self.done.marks += 1

    def _restart(self) -> None:
        """Have a begun file read again from its beginning, in today's table. Its content stays recorded."""
        # Deliveries under the former settings would record progress in the former table.
        erasing.wait_for_deliveries(self._feed, self._feed.changed_at)
        erasures, upload = self.pipeline.files.erasures, self.record.upload
        erasures.erase_entries(self.version.key, upload)
        erasures.erase_record(self.version.key, upload)
        self.pipeline.redeliver(self.version)

    def _restore_rows(self, lines: Mapping[int, datetime | None]) -> int:
        """Write the rows of some lines, each the first with its id, over what the destination has; returns how many.

        `lines` has when each of them expires. A row of a newer upload stays: it came since the audit.
        """
        feed = self._feed
        if self.record.status != ledger.COMPLETE:
            # A row of a later line may be stored, which a part would note before it replaces the row.
            self.pipeline.files.repairs.mark_duplicate_ids(feed.mode.content_key(self.version), feed.name)
        origin, restored = self.record.origin_of(self.version.etag), 0
        with closing(feed.destination) as destination:
            for row in self.pipeline.read_rows(self.version, self.record):
                if isinstance(row, Row) and row.line in lines:
                    kept = self._kept(destination, origin, row, lines[row.line])
                    restored += not destination.write(kept, [row], only_if=destinations.OnlyIf.NOT_NEWER)
        return restored

    def _kept(
        self, destination: destinations.Destination, origin: Origin, row: Row, expires_at: datetime | None
    ) -> Origin:
        """The origin with which a row is restored: it expires as late as any of its uploads, or as it is stored now."""
        if not self._feed.settings.rows_expire:
            return origin
        found = destination.find([RowKey(origin.upload, row.id)])
        times = [each.expires_at for each in found if isinstance(each, StoredRow) and each.expires_at]
        of_uploads = [expires_at, *([origin.expires_at] if self.record.is_planned else [])]
        never = None in of_uploads
        return origin._replace(expires_at=None if never else max(filter(None, [*of_uploads, *times])))
