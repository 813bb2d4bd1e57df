"""Is everything there? The objects in the bucket, read again, against the destination and the ledger."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import NamedTuple

from botocore.exceptions import ClientError

from csv_ingest import csvfile, source
from csv_ingest.counts import RowCounts
from csv_ingest.errors import UnreadableFile
from csv_ingest.ledger import COMPLETE, REJECTED, FileRecord
from csv_ingest.modes.verdicts import is_duplicate
from csv_ingest.rows import ForeignItem, RejectedRow, Row, StoredRow
from csv_ingest.uploads import ObjectVersion, Origin, Upload
from ops.expectations import Expectations, Expected
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
from ops.pipeline import NOT_THERE, NoFeed, Pipeline
from ops.status import name_of
from ops.wording import counted


class Audited(NamedTuple):
    """What an audit saw. All is good if there are no discrepancies."""

    files: int
    rows: int
    not_compared: int
    """Rows of uploads that the ledger knows and that are no longer in the bucket, or came there during the audit."""
    findings: list[Discrepancy]

    def plus(self, other: "Audited") -> "Audited":
        """What two audits saw, of different feeds."""
        return Audited(
            self.files + other.files,
            self.rows + other.rows,
            self.not_compared + other.not_compared,
            self.findings + other.findings,
        )


def audit(
    pipeline: Pipeline,
    *,
    prefix: str = "",
    feed: Feed | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Audited:
    """Compare every upload below a prefix, of one feed or of all, with its destination and the ledger, row by row.

    Memory does not grow with the files: what is expected goes to temporary databases on disk. The destination of each
    feed is scanned once, because that is what finds rows that should not be there. Where rows are
    superseded, every upload of the feed is read, whatever the prefix is.
    """
    result = Audited(0, 0, 0, [])
    chosen = [feed] if feed else pipeline.feeds
    with ExitStack() as databases:
        runs = {
            each.name: _Audit(
                pipeline,
                each,
                prefix,
                databases.enter_context(Expectations.on_disk(each.mode)),
                progress,
            )
            for each in chosen
        }
        total = _count(chosen, prefix)
        for number, (upload, record) in enumerate(_to_be_read(pipeline, chosen, prefix), 1):
            progress(f"reading {number:,} of {counted(max(number, total), 'file')}: {upload.version.key}")
            is_asked_for = upload.version.key.startswith(prefix)
            try:
                owner = pipeline.owner_of(upload.version.key, record)
            except NoFeed:
                if is_asked_for:
                    result.findings.append(_of_no_feed(upload.version, record))
                continue
            if record.is_planned and not _can_be_compared(record, owner):
                if is_asked_for:
                    result.findings.append(_of_other_table(upload.version, record, owner))
            elif run := runs.get(owner.name):
                run.read_upload(upload, record)
        for each in runs.values():
            result = result.plus(each.compare())
    return result


def _to_be_read(pipeline: Pipeline, feeds: Iterable[Feed], prefix: str) -> Iterator[tuple[Upload, FileRecord]]:
    for feed in feeds:
        if feed.is_concerned(prefix):
            yield from pipeline.records(_scope(feed, prefix), feed)


def _scope(feed: Feed, prefix: str) -> str:
    """Below which prefix uploads are read: where rows are superseded, any upload can have the newest row of an id."""
    return "" if feed.mode.supersedes else prefix


def _count(feeds: Iterable[Feed], prefix: str) -> int:
    """How many versions are to be read, by the list of the bucket alone."""
    concerned = (feed for feed in feeds if feed.is_concerned(prefix))
    return sum(1 for feed in concerned for _ in feed.uploads(_scope(feed, prefix)))


def _of_no_feed(version: ObjectVersion, record: FileRecord) -> Discrepancy:
    """A finding: the table that has the rows of an upload is not that of any feed."""
    detail = f"etag {version.etag}: the feed {record.owner.feed} ingested it, and is not deployed any more"
    return Discrepancy("unaccounted", version.key, detail, version.etag, version=version)


def _can_be_compared(record: FileRecord, feed: Feed) -> bool:
    """Whether the rows of an upload are, or can be, in the table that the feed has today."""
    before, today = record.owner.target, feed.owner.target
    return before.is_same(today) or before.can_move_to(today)


def _of_other_table(version: ObjectVersion, record: FileRecord, feed: Feed) -> Discrepancy:
    """A finding: the feed has had another destination, or write mode, since it read an upload."""
    detail = f"etag {version.etag}: {_where_rows_went(record, feed)}"
    return Discrepancy("unaccounted", version.key, detail, version.etag, version=version)


def _where_rows_went(record: FileRecord, feed: Feed) -> str:
    return record.owner.target.moved(feed.owner.target)


@dataclass
class _Audit:
    """One run for one feed: what its files lead one to expect, then what its destination holds."""

    pipeline: Pipeline
    feed: Feed
    prefix: str
    expected: Expectations
    progress: Callable[[str], None]
    findings: list[Discrepancy] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)
    """The names of the uploads."""
    versions: dict[tuple[str, str], ObjectVersion] = field(default_factory=dict)
    """The version that was read of each upload, by object key and ETag."""

    def read_upload(self, upload: Upload, record: FileRecord) -> None:
        """Read an upload, and note what must be in the destination."""
        name = name_of(upload, record, self.feed.mode)
        try:
            self._read_upload(upload, record, name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in NOT_THERE:
                raise
            self.seen.discard(name)  # it was deleted, or has expired, since it was listed: nothing was expected of it

    def _read_upload(self, upload: Upload, record: FileRecord, name: tuple[str, str]) -> None:
        version = upload.version
        if record.status == REJECTED:
            self.seen.add(name)
        elif not self._has_other_content(upload, record) and name not in self.seen:
            self.seen.add(name)
            if self._is_moved(record):
                self._find_moved(version, record)
            elif not record.is_settled:
                self._find_unsettled(version, record)
            origin = self.feed.mode.origin(version.etag, record.upload_order)
            if origin is None:
                return  # no row of it can be stored
            self.versions[version.key, origin.upload] = version
            self._read_file(version, origin, record)

    def compare(self) -> Audited:
        """Compare the destination with what was noted."""
        files = sum(key.startswith(self.prefix) for key, _ in self.seen)
        if self.prefix and not files:
            return Audited(0, 0, 0, self._asked_for(self.findings))  # without a scan of the whole table
        rows = self.scan_rows()
        not_compared = self.count_orphans()
        return Audited(files, rows, not_compared, self._asked_for([*self.findings, *self.missing_rows()]))

    def _asked_for(self, findings: Iterable[Discrepancy]) -> list[Discrepancy]:
        return [finding for finding in findings if finding.key.startswith(self.prefix)]

    def scan_rows(self) -> int:
        """Compare everything in the destination with what is expected; returns how many rows were expected."""
        with closing(self.feed.destination) as destination:
            return self._compare_all(destination.scan())

    def _compare_all(self, stored: Iterable[StoredRow | ForeignItem]) -> int:
        rows = compared = 0
        total = self.expected.count()
        for scanned, found in enumerate(stored, 1):
            key, expected = found.key, self.expected.meet(found)
            if expected:
                compared += 1
                rows += expected.object_key.startswith(self.prefix)
                if not expected.is_stored_as(found) and not expected.may_yet_replace(found):
                    self.findings.append(self._discrepancy_of_row("different", expected))
            elif object_key := self.expected.object_key(key.upload):
                etag = self.versions[object_key, key.upload].etag
                pk = self.feed.mode.row_key(key)
                self.findings.append(Discrepancy("unexpected", object_key, pk, etag, pk))
            elif not self.prefix:
                self.expected.add_stray(key)
            if scanned % 1_000 == 1:
                self.progress(f"comparing {compared:,} of {counted(total, 'row')}, {scanned:,} read in the table")
        return rows

    def count_orphans(self) -> int:
        """Find the rows of no upload; returns how many others there are of uploads that only the ledger knows."""
        if not self.expected.has_strays():
            return 0
        uploads = self.pipeline.files.uploads(self.feed.name)
        orphans = sum(self.expected.forget_strays(record.origin.upload) for record in uploads)
        where = "" if len(self.pipeline.feeds) == 1 else f" in the table of the feed {self.feed.name}"
        self.findings += [Discrepancy("unexpected", "", f"{pk}{where}", "", pk) for pk in self.expected.strays()]
        return orphans

    def missing_rows(self) -> Iterator[Discrepancy]:
        """What had to be in the destination and was not met there."""
        for row in self.expected.missing():
            yield self._discrepancy_of_row("missing", row)

    def _is_moved(self, record: FileRecord) -> bool:
        """Whether the rows of an upload went to another table than those of the feed go to today."""
        return record.is_planned and not record.owner.target.is_same(self.feed.owner.target)

    def _find_moved(self, version: ObjectVersion, record: FileRecord) -> None:
        """Find that an upload is recorded for another table; what is missing in today's table is found row by row."""
        detail = f"etag {version.etag}: {_where_rows_went(record, self.feed)}"
        if record.status == COMPLETE:
            self._find("unaccounted", version, detail, Move())
        else:
            self._find("unsettled", version, f"{detail}, and it was not complete", Restart())

    def _find_unsettled(self, version: ObjectVersion, record: FileRecord) -> None:
        detail = f"etag {version.etag}: {_state(record)}"
        if record.erasing:
            again = f"`python -m ops {record.erasing}` has begun: run it again"
            self._find("unsettled", version, f"{detail}, and {again}", None)
        elif (today := self.pipeline.feed_of(version.key)) == self.feed:
            self._find("unsettled", version, detail, Redeliver())
        else:
            moved = f"its prefix is that of the feed {today.name} now: give it back to {self.feed.name}"
            self._find("unsettled", version, f"{detail}, and {moved}", None)

    def _has_other_content(self, upload: Upload, record: FileRecord) -> bool:
        """Whether a version is not what was ingested under its ETag, and no delivery has said so yet: a finding."""
        version = upload.version
        if self.feed.mode.each_version or (record.is_planned and record.version_id == version.version_id):
            return False
        recorded = self.pipeline.files.content(version.etag, self.feed.name)
        if recorded is None or self._sha256(version) == recorded.sha256:
            return False
        detail = f"version {version.version_id}: other content was ingested under its etag {version.etag}"
        self._find("unsettled", version, detail, Redeliver())
        return True

    def _sha256(self, version: ObjectVersion) -> str:
        content = csvfile.ContentHash()
        try:
            with source.open_object(version, self.pipeline.s3) as stream:
                content.add_all(stream)
        except UnreadableFile:
            return "none, since it cannot be unpacked"
        return content.hexdigest()

    def _read_file(self, version: ObjectVersion, origin: Origin, record: FileRecord) -> None:
        """Expect each row of a file in the destination, or among the rejected rows of the ledger."""
        is_complete = record.status == COMPLETE and record.is_settled
        # The check begins when all rows are stored.
        are_stored = record.parts_checked is not None and not record.erasing and not self._is_moved(record)
        required = is_complete or are_stored
        seen = _Rejects(record.counts or RowCounts())
        read, format_ = 0, self.pipeline.format_of(version, record)
        try:
            with source.open_object(version, self.pipeline.s3) as stream:
                self.expected.add_upload(version.key, origin, format_)
                recorded = self.pipeline.files.rejected_rows(record)
                for row, reject in _by_line(csvfile.read_rows(stream, format_), recorded):
                    expected = self.expected.expect(self.feed.destination, version.key, origin, row, required=required)
                    read += row is not None
                    seen.note(expected, reject)
                    is_open = self.feed.mode.supersedes and seen.is_unrecorded_duplicate(expected, reject)
                    if is_complete and not is_open and not seen.may_lack(expected, reject):
                        self._compare_reject(version, expected, reject)
        except UnreadableFile as error:
            if is_complete:
                self._find("unaccounted", version, str(error), None)
            return
        if not is_complete:
            return
        counts = seen.counts(read)
        are_all_recorded = not seen.recorded.unrecorded
        if self.feed.mode.supersedes and are_all_recorded and len(seen.unrecorded) > seen.all - counts.rejected:
            for reject in seen.unrecorded:
                self._compare_reject(version, reject, None)
        if record.counts != counts:
            rows = counted(read, "row")
            detail = f"the ledger has {record.counts}, the file {rows}, of which {seen.all:,} are to be rejected"
            self._find("sums", version, detail, CorrectCounts(counts))

    def _compare_reject(self, version: ObjectVersion, expected: RejectedRow | None, found: RejectedRow | None) -> None:
        if expected and not found:
            self._find("unaccounted", version, f"line {expected.line:,}: {expected.reason}", RecordReject(expected))
        elif found and not expected:
            self._find("unaccounted", version, f"line {found.line:,}: recorded as rejected", RemoveReject(found.line))

    def _find(self, kind: str, version: ObjectVersion, detail: str, remedy: Remedy | None) -> None:
        self.findings.append(Discrepancy(kind, version.key, detail, version.etag, "", remedy, version))

    def _discrepancy_of_row(self, kind: str, row: Expected) -> Discrepancy:
        version, pk = self.versions[row.object_key, row.key.upload], self.feed.mode.row_key(row.key)
        detail, remedy = f"line {row.line:,}: {pk}", RestoreRow(row.line)
        return Discrepancy(kind, row.object_key, detail, row.etag, pk, remedy, version)


@dataclass
class _Rejects:
    """The rows of a file that have to be rejected.

    Where rows are superseded, a line whose id an earlier line has can have been counted as superseded instead: then a
    newer upload had a row of the id already, and no delivery saw that two lines have it.
    """

    recorded: RowCounts
    """As the ledger has counted."""
    all: int = 0
    duplicates: int = 0
    """Those whose id an earlier line has, with other values."""
    unrecorded: list[RejectedRow] = field(default_factory=list)
    """Those of the duplicates that the ledger does not have."""
    lacking: int = 0
    """How many the ledger does not have, of a file that has too many for that."""

    def note(self, expected: RejectedRow | None, recorded: RejectedRow | None) -> None:
        if expected:
            self.all += 1
            self.duplicates += is_duplicate(expected)
            if self.is_unrecorded_duplicate(expected, recorded):
                self.unrecorded.append(expected)

    def may_lack(self, expected: RejectedRow | None, recorded: RejectedRow | None) -> bool:
        """Whether the ledger need not have a rejected row, because it says that it lacks some."""
        if expected is None or recorded is not None or not self.recorded.unrecorded:
            return False
        self.lacking += 1
        return True

    @staticmethod
    def is_unrecorded_duplicate(expected: RejectedRow | None, recorded: RejectedRow | None) -> bool:
        return expected is not None and recorded is None and is_duplicate(expected)

    def counts(self, read: int) -> RowCounts:
        """What the ledger has to count of a file with so many rows: what it has counted, if that can be.

        A duplicate that is recorded as rejected is not superseded.
        """
        superseded = min(self.recorded.superseded, read - self.all + self.duplicates)
        fewest = self.all - min(self.duplicates, superseded, len(self.unrecorded))
        rejected = min(max(self.recorded.rejected, fewest), self.all)
        # What is rejected after all was counted as superseded.
        superseded = min(superseded - max(rejected - self.recorded.rejected, 0), read - rejected)
        superseded = max(superseded, 0)
        unrecorded = max(self.recorded.unrecorded, self.lacking)
        return RowCounts(read, read - rejected - superseded, rejected, superseded, unrecorded)


def _state(record: FileRecord) -> str:
    return record.status or "no record"


def _by_line(
    rows: Iterator[Row | RejectedRow], rejects: Iterator[RejectedRow]
) -> Iterator[tuple[Row | RejectedRow | None, RejectedRow | None]]:
    """Pair what is read in a file with what the ledger has rejected of it, both in the order of lines."""
    reject = next(rejects, None)
    for row in rows:
        while reject and reject.line < row.line:
            yield None, reject
            reject = next(rejects, None)
        if reject and reject.line == row.line:
            yield row, reject
            reject = next(rejects, None)
        else:
            yield row, None
    while reject:
        yield None, reject
        reject = next(rejects, None)
