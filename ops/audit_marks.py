"""The files that are marked as complete beside their rows, against those that are complete in the ledger."""

from collections.abc import Iterator

from csv_ingest import ledger
from csv_ingest.destinations import Destination, postgresql_files
from csv_ingest.model import CompleteFile, ObjectVersion

from . import wording
from .audit_files import FilesAudit
from .findings import CorrectCounts, Discrepancy, Mark, Unmark
from .pipeline import DeployedFeed, Pipeline


def differences(run: FilesAudit, destination: Destination, prefix: str) -> Iterator[Discrepancy]:
    """Find complete files below a prefix that are not marked, or with other counts, and marks of files that are not.

    Also of files that are not in the bucket any more, whose rows are still there. Where the ledger's counts are found
    wrong, the mark gets the right ones with it. Reads the whole ledger, unless the destination keeps no marks; memory
    grows with the number of files.
    """
    pipeline, feed = run.pipeline, run.feed
    recounted = {(each.key, each.etag) for each in run.found if isinstance(each.remedy, CorrectCounts)}
    if (marks := destination.marks()) is None:
        return
    table = postgresql_files.name_of(feed.config.rows_table)
    # The ledger first: what is completed from now on is marked before.
    complete = {(each.origin.upload, each.object_key): each for each in _complete_files(pipeline, feed, prefix)}
    for mark in marks:
        if not mark.object_key.startswith(prefix):
            continue
        record = complete.pop((mark.upload, mark.object_key), None)
        if not record and not _is_on_its_way(pipeline, feed, mark):
            version = version_of(pipeline, mark)
            unfounded = f"etag {mark.etag}: {table} has it, and it is not complete in the ledger"
            yield Discrepancy("mark", mark.object_key, unfounded, mark.etag, "", Unmark(feed.name, mark), version)
        elif record and not _has_counts_of(record, mark) and (mark.object_key, mark.etag) not in recounted:
            yield _of_file(pipeline, record, f"{table} has {mark.counts}, the ledger {record.counts}", Mark())
    were_read = {upload for _, upload in run.versions}
    for record in complete.values():
        detail = f"it is complete, and {table} does not have it"
        lost = "" if record.origin.upload in were_read else _lost(feed, destination, record)
        yield _of_file(pipeline, record, f"{detail}{lost}", None if lost else Mark())


def is_founded(record: ledger.FileRecord, mark: CompleteFile) -> bool:
    """Whether a file may be marked, by its record: a delivery marks it before it is complete in the ledger."""
    if record.is_planned:
        return record.status != ledger.REJECTED and record.origin.upload == mark.upload
    return record.status == ledger.PROCESSING


def version_of(pipeline: Pipeline, mark: CompleteFile) -> ObjectVersion:
    """The object version that a mark names."""
    return ObjectVersion(pipeline.upload_bucket, mark.object_key, mark.version_id, mark.etag, 0)


def _complete_files(pipeline: Pipeline, feed: DeployedFeed, prefix: str) -> Iterator[ledger.FileRecord]:
    """The complete files below a prefix whose rows are in the table that a feed has today."""
    for record in pipeline.files.uploads(feed.name):
        is_here = record.is_complete and record.owner.target.is_same(feed.owner.target)
        if is_here and record.object_key.startswith(prefix):
            yield record


def _has_counts_of(record: ledger.FileRecord, mark: CompleteFile) -> bool:
    return record.counts is not None and mark.counts == record.counts._replace(unrecorded=0)


def _is_on_its_way(pipeline: Pipeline, feed: DeployedFeed, mark: CompleteFile) -> bool:
    """Whether a delivery is to complete a file, or has done so; otherwise, it is unsettled at most."""
    version = version_of(pipeline, mark)
    record = pipeline.files.record(version)
    if record.status:
        return is_founded(record, mark)
    if feed.config.keep_files_days and pipeline.files.content(feed.mode.content_key(version), feed.name):
        return True  # it was complete, and its record has expired
    # Somebody deleted its record: the sweep has the file delivered again.
    versions = (upload.version for upload in feed.uploads(mark.object_key))
    return any((each.key, each.etag) == (mark.object_key, mark.etag) for each in versions)


def _lost(feed: DeployedFeed, destination: Destination, record: ledger.FileRecord) -> str:
    """The end of a sentence: how many rows of a file are lost whose object is gone; empty if none is known to be.

    A file that lost rows must not be marked: its readers would take the rows that are left for all of them. Where rows
    expire or are superseded, fewer rows than were stored are no sign of a loss.
    """
    if feed.settings.rows_expire or record.counts is None:
        return ""
    stored, found = record.counts.stored, destination.count(record.origin)
    if found is None or found >= stored:
        return ""
    lost = wording.counted(stored - found, "row")
    return f", and the table lacks {lost} of it; its object is gone: restore the rows, or forget the file"


def _of_file(pipeline: Pipeline, record: ledger.FileRecord, detail: str, remedy: Mark | None) -> Discrepancy:
    version = record.object_version(pipeline.upload_bucket)
    return Discrepancy("mark", version.key, f"etag {version.etag}: {detail}", version.etag, "", remedy, version)
