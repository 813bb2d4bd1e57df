"""Mend what an audit found wrong."""

from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from csv_ingest import csvfile, source
from csv_ingest.destinations.base import OnlyIf
from csv_ingest.ledger import COMPLETE, FileRecord
from csv_ingest.rows import Row
from csv_ingest.uploads import ObjectVersion, Origin
from ops.erasing import wait_for_deliveries
from ops.feed import Feed
from ops.findings import (
    CorrectCounts,
    Discrepancy,
    Move,
    RecordReject,
    Redeliver,
    Remedy,
    RemoveReject,
    Restart,
    RestoreRow,
)
from ops.pipeline import NOT_THERE, Pipeline


@dataclass
class Repaired:
    """What a repair did."""

    rows: int = 0
    """Rows that were written to the destination."""
    records: int = 0
    """Records of the ledger that were written or deleted."""
    delivered: list[ObjectVersion] = field(default_factory=list)
    """Uploads whose event was put into Lambda's queue."""
    left: list[Discrepancy] = field(default_factory=list)
    """Findings for which nothing was done: a person has to look."""


def repair(pipeline: Pipeline, findings: Iterable[Discrepancy], *, paused: Collection[Feed] = ()) -> Repaired:
    """Make the tables what the files say, where an audit found them otherwise.

    What is written follows from the content of a file and its recorded format alone, and a delivery would write the
    same. So deliveries can go on meanwhile, and a repair can be interrupted anywhere and be repeated. Rows that belong
    to no file are left alone: nobody but their author knows what they are. Unsettled uploads of the
    `paused` feeds are left alone.
    """
    done = Repaired()
    chosen: dict[ObjectVersion, list[Discrepancy]] = {}
    for finding in findings:
        if finding.version is not None and can_be_mended(pipeline, finding, paused):
            chosen.setdefault(finding.version, []).append(finding)
        else:
            done.left.append(finding)
    for version, found in chosen.items():
        record = pipeline.files.record(version)
        if record.erasing and not all(isinstance(finding.remedy, Move) for finding in found):  # since the audit
            done.left += found
            continue
        wanted = [finding.remedy for finding in found if finding.remedy is not None]
        lines = {remedy.line for remedy in wanted if isinstance(remedy, RestoreRow)}
        try:
            done.rows += _restore_rows(pipeline, version, record, lines) if lines else 0
        except ClientError as error:
            if error.response["Error"]["Code"] not in NOT_THERE:
                raise
            done.left += found  # the object was deleted since
            continue
        for remedy in wanted:
            _mend(pipeline, version, record, remedy, done)
    return done


def can_be_mended(pipeline: Pipeline, finding: Discrepancy, paused: Collection[Feed]) -> bool:
    """Whether a repair does anything about a finding; to a feed that is paused, nothing is delivered."""
    if isinstance(finding.remedy, Redeliver | Restart):
        return pipeline.feed_of(finding.key) not in paused
    return finding.remedy is not None


def _mend(pipeline: Pipeline, version: ObjectVersion, record: FileRecord, remedy: Remedy, done: Repaired) -> None:
    # Of the remedies, those for the ledger are for complete files, which have a record, unless it was deleted since.
    upload = record.upload if record.attributes else version.etag
    match remedy:
        case RecordReject(row):
            pipeline.files.repairs.record_reject(version.key, upload, row)
            done.records += 1
        case RemoveReject(line):
            pipeline.files.repairs.remove_reject(version.key, upload, line)
            done.records += 1
        case CorrectCounts(counts):
            pipeline.files.repairs.correct_counts(version.key, upload, counts, record.mode)
            done.records += 1
        case Redeliver():
            pipeline.redeliver(version)
            done.delivered.append(version)
        case Move():
            pipeline.files.repairs.move(version.key, upload, pipeline.owner_of(version.key, record).owner)
            done.records += 1
        case Restart():
            _restart(pipeline, version, record)
            done.delivered.append(version)
        case RestoreRow():
            pass  # all rows of a file are restored in one reading


def _restart(pipeline: Pipeline, version: ObjectVersion, record: FileRecord) -> None:
    """Have a begun file read again from its beginning, in today's table. What its ETag stands for stays recorded."""
    feed = pipeline.owner_of(version.key, record)
    # Deliveries under the former settings would record progress in the former table.
    wait_for_deliveries(feed, feed.changed_at)
    pipeline.files.erasures.erase_entries(version.key, record.upload)
    pipeline.files.erasures.erase_record(version.key, record.upload)
    pipeline.redeliver(version)


def _restore_rows(pipeline: Pipeline, version: ObjectVersion, record: FileRecord, lines: set[int]) -> int:
    """Write the rows of some lines, each the first with its id, over what the destination has; returns how many.

    A row of a newer upload stays: it came since the audit.
    """
    feed = pipeline.owner_of(version.key, record)
    if record.status != COMPLETE:
        # A row of a later line may be stored, which a part would note before it replaces the row.
        pipeline.files.repairs.mark_duplicate_ids(feed.mode.content_key(version), feed.name)
    origin, restored = Origin(version.etag, record.upload_order), 0
    with closing(feed.destination) as destination, source.open_object(version, pipeline.s3) as stream:
        for row in csvfile.read_rows(stream, pipeline.format_of(version, record)):
            if isinstance(row, Row) and row.line in lines:
                restored += not destination.write(origin, [row], only_if=OnlyIf.NOT_NEWER)
    return restored
