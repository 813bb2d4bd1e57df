"""Mend what an audit found wrong."""

from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass, field

from csv_ingest import ledger, uploads
from csv_ingest.destinations.base import OnlyIf
from csv_ingest.rows import Row
from ops import erasing, findings
from ops.pipeline import DeployedFeed, ObjectGone, Pipeline


@dataclass
class Repaired:
    """What a repair did."""

    rows: int = 0
    """Rows that were written to the destination."""
    records: int = 0
    """Records of the ledger that were written or deleted."""
    delivered: list[uploads.ObjectVersion] = field(default_factory=list)
    """Uploads whose event was put into Lambda's queue."""
    left: list[findings.Discrepancy] = field(default_factory=list)
    """Findings for which nothing was done: a person has to look."""


def repair(
    pipeline: Pipeline, found: Iterable[findings.Discrepancy], *, paused: Collection[DeployedFeed] = ()
) -> Repaired:
    """Make the tables what the files say, where an audit found them otherwise.

    What is written follows from the content of a file and its recorded format alone, and a delivery would write the
    same. So deliveries can go on meanwhile, and a repair can be interrupted anywhere and be repeated. Rows that belong
    to no file are left alone: nobody but their author knows what they are. Unsettled uploads of the
    `paused` feeds are left alone.
    """
    done = Repaired()
    chosen: dict[uploads.ObjectVersion, list[findings.Discrepancy]] = {}
    for finding in found:
        if finding.version is not None and can_be_mended(pipeline, finding, paused):
            chosen.setdefault(finding.version, []).append(finding)
        else:
            done.left.append(finding)
    for version, of_version in chosen.items():
        if not _repair_upload(pipeline, version, of_version, done):
            done.left += of_version
    return done


def _repair_upload(
    pipeline: Pipeline, version: uploads.ObjectVersion, found: Iterable[findings.Discrepancy], done: Repaired
) -> bool:
    """Mend what was found of an upload; whether that is possible yet."""
    record = pipeline.files.record(version)
    remedies = [finding.remedy for finding in found if finding.remedy is not None]
    if record.erasing and not all(isinstance(remedy, findings.Move) for remedy in remedies):  # since the audit
        return False
    if lines := {remedy.line for remedy in remedies if isinstance(remedy, findings.RestoreRow)}:
        try:
            done.rows += _restore_rows(pipeline, version, record, lines)
        except ObjectGone:
            return False
    for remedy in remedies:
        _mend(pipeline, version, record, remedy, done)
    return True


def can_be_mended(pipeline: Pipeline, finding: findings.Discrepancy, paused: Collection[DeployedFeed]) -> bool:
    """Whether a repair does anything about a finding; to a feed that is paused, nothing is delivered."""
    if isinstance(finding.remedy, findings.Redeliver | findings.Restart):
        return pipeline.feed_of(finding.key) not in paused
    return finding.remedy is not None


def _mend(
    pipeline: Pipeline,
    version: uploads.ObjectVersion,
    record: ledger.FileRecord,
    remedy: findings.Remedy,
    done: Repaired,
) -> None:
    # Of the remedies, those for the ledger are for complete files, which have a record, unless it was deleted since.
    upload = record.upload if record.entry else version.etag
    repairs = pipeline.files.repairs
    match remedy:
        case findings.RestoreRow():
            return  # all rows of a file are restored in one reading
        case findings.Redeliver():
            pipeline.redeliver(version)
        case findings.Restart():
            _restart(pipeline, version, record)
        case findings.RecordReject(row):
            repairs.record_reject(version.key, upload, row)
        case findings.RemoveReject(line):
            repairs.remove_reject(version.key, upload, line)
        case findings.CorrectCounts(counts):
            repairs.correct_counts(version.key, upload, counts, record.mode)
        case findings.Move():
            repairs.move(version.key, upload, pipeline.owner_of(version.key, record).owner)
    if isinstance(remedy, findings.Redeliver | findings.Restart):
        done.delivered.append(version)
    else:
        done.records += 1


def _restart(pipeline: Pipeline, version: uploads.ObjectVersion, record: ledger.FileRecord) -> None:
    """Have a begun file read again from its beginning, in today's table. What its ETag stands for stays recorded."""
    feed = pipeline.owner_of(version.key, record)
    # Deliveries under the former settings would record progress in the former table.
    erasing.wait_for_deliveries(feed, feed.changed_at)
    pipeline.files.erasures.erase_entries(version.key, record.upload)
    pipeline.files.erasures.erase_record(version.key, record.upload)
    pipeline.redeliver(version)


def _restore_rows(
    pipeline: Pipeline, version: uploads.ObjectVersion, record: ledger.FileRecord, lines: set[int]
) -> int:
    """Write the rows of some lines, each the first with its id, over what the destination has; returns how many.

    A row of a newer upload stays: it came since the audit.
    """
    feed = pipeline.owner_of(version.key, record)
    if record.status != ledger.COMPLETE:
        # A row of a later line may be stored, which a part would note before it replaces the row.
        pipeline.files.repairs.mark_duplicate_ids(feed.mode.content_key(version), feed.name)
    origin, restored = uploads.Origin(version.etag, record.upload_order), 0
    with closing(feed.destination) as destination:
        for row in pipeline.read_rows(version, record):
            if isinstance(row, Row) and row.line in lines:
                restored += not destination.write(origin, [row], only_if=OnlyIf.NOT_NEWER)
    return restored
