"""Is everything there? The objects in the bucket, read again, against the destination and the ledger."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import NamedTuple

from csv_ingest import csvfile, source
from csv_ingest.ledger import COMPLETE, REJECTED, FileRecord
from csv_ingest.model import (
    FileFormat,
    ForeignItem,
    ObjectVersion,
    RejectedRow,
    Row,
    RowCounts,
    RowKey,
    StoredRow,
    UnreadableFile,
    Upload,
)
from ops.expectations import Expectations
from ops.feed import Feed
from ops.findings import CorrectCounts, Discrepancy, RecordReject, Redeliver, Remedy, RemoveReject, RestoreRow
from ops.pipeline import NoFeed, Pipeline
from ops.status import name_of


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
    feed is scanned once, because that is what finds rows that should not be there.
    """
    result = Audited(0, 0, 0, [])
    with ExitStack() as databases:
        runs = {
            each.name: _Audit(pipeline, each, prefix, databases.enter_context(Expectations.on_disk()), progress)
            for each in ([feed] if feed else pipeline.feeds)
        }
        for upload, record in pipeline.records(prefix, feed):
            try:
                owner = pipeline.owner_of(upload.version.key, record)
            except NoFeed:
                result.findings.append(_of_no_feed(upload.version, record))
                continue
            if record.is_planned and record.owner.place != owner.config.owner.place:
                result.findings.append(_of_other_table(upload.version, record))
            elif run := runs.get(owner.name):
                run.read_upload(upload, record)
        for each in runs.values():
            result = result.plus(each.compare())
    return result


def _of_no_feed(version: ObjectVersion, record: FileRecord) -> Discrepancy:
    """A finding: the table that has the rows of an upload is not that of any feed."""
    detail = f"etag {version.etag}: the feed {record.owner.feed} ingested it, and is not deployed any more"
    return Discrepancy("unaccounted", version.key, detail, version.etag, None, None, version)


def _of_other_table(version: ObjectVersion, record: FileRecord) -> Discrepancy:
    """A finding: the feed has had another destination since it read an upload."""
    place = record.owner.place or "DynamoDB"
    detail = f"etag {version.etag}: its rows went to {place}, and those of the feed go somewhere else now"
    return Discrepancy("unaccounted", version.key, detail, version.etag, None, None, version)


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
        version, name = upload.version, name_of(upload, record)
        if record.status == REJECTED:
            self.seen.add(name)
        elif not self._has_other_content(upload, record) and name not in self.seen:
            self.seen.add(name)
            self.versions[version.key, version.etag] = version
            self.progress(version.key)
            format_ = self.pipeline.format_of(version, record)
            self.expected.add_upload(version, format_)
            if not record.is_settled:
                self._find_unsettled(version, record)
            self._read_file(version, record, format_)

    def compare(self) -> Audited:
        """Compare the destination with what was noted."""
        if self.prefix and not self.seen:
            return Audited(0, 0, 0, self.findings)  # without a scan of the whole table
        rows = self.scan_rows()
        not_compared = self.count_orphans()
        return Audited(len(self.seen), rows, not_compared, self.findings + list(self.missing_rows()))

    def scan_rows(self) -> int:
        """Compare everything in the destination with what is expected; returns how many rows were expected."""
        with closing(self.feed.destination) as destination:
            return self._compare_all(destination.scan())

    def _compare_all(self, stored: Iterable[StoredRow | ForeignItem]) -> int:
        rows = 0
        for scanned, found in enumerate(stored):
            key, expected = found.key, self.expected.meet(found.key)
            if expected:
                rows += 1
                if not expected.is_stored_as(found) and not expected.may_yet_replace(found):
                    self._find_row("different", expected.object_key, expected.line, key)
            elif object_key := self.expected.object_key(key.etag):
                self.findings.append(Discrepancy("unexpected", object_key, str(key), key.etag, key))
            elif not self.prefix:
                self.expected.add_stray(key)
            if scanned % 1_000 == 0:
                self.progress(f"{rows:,} rows of the table")
        return rows

    def count_orphans(self) -> int:
        """Find the rows of no upload; returns how many others there are of uploads that only the ledger knows."""
        if not self.expected.has_strays():
            return 0
        uploads = self.pipeline.files.uploads(self.feed.name)
        orphans = sum(self.expected.forget_strays(record.etag) for record in uploads)
        where = "" if len(self.pipeline.feeds) == 1 else f" in the table of the feed {self.feed.name}"
        self.findings += [Discrepancy("unexpected", "", f"{key}{where}", "", key) for key in self.expected.strays()]
        return orphans

    def missing_rows(self) -> Iterator[Discrepancy]:
        """What had to be in the destination and was not met there."""
        for row in self.expected.missing():
            yield self._discrepancy_of_row("missing", row.object_key, row.line, row.key)

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
        if record.is_planned and record.version_id == version.version_id:
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

    def _read_file(self, version: ObjectVersion, record: FileRecord, format_: FileFormat) -> None:
        """Expect each row of a file in the destination, or among the rejected rows of the ledger."""
        is_complete = record.status == COMPLETE and record.is_settled
        # The check begins when all rows are stored.
        required = is_complete or (record.parts_checked is not None and not record.erasing)
        read = rejected = 0
        try:
            with source.open_object(version, self.pipeline.s3) as stream:
                recorded = self.pipeline.files.rejected_rows(version.key, version.etag)
                for row, reject in _by_line(csvfile.read_rows(stream, format_), recorded):
                    expected = self.expected.expect(self.feed.destination, version, row, required=required)
                    read += row is not None
                    rejected += expected is not None
                    if is_complete:
                        self._compare_reject(version, expected, reject)
        except UnreadableFile as error:
            if is_complete:
                self._find("unaccounted", version, str(error), None)
            return
        counts = RowCounts(read, read - rejected, rejected)
        if is_complete and record.counts != counts:
            detail = f"the ledger has {record.counts}, the file {read:,} rows, of which {rejected:,} are to be rejected"
            self._find("sums", version, detail, CorrectCounts(counts))

    def _compare_reject(self, version: ObjectVersion, expected: RejectedRow | None, found: RejectedRow | None) -> None:
        if expected and not found:
            self._find("unaccounted", version, f"line {expected.line:,}: {expected.reason}", RecordReject(expected))
        elif found and not expected:
            self._find("unaccounted", version, f"line {found.line:,}: recorded as rejected", RemoveReject(found.line))

    def _find(self, kind: str, version: ObjectVersion, detail: str, remedy: Remedy | None) -> None:
        self.findings.append(Discrepancy(kind, version.key, detail, version.etag, None, remedy, version))

    def _find_row(self, kind: str, object_key: str, line: int, key: RowKey) -> None:
        self.findings.append(self._discrepancy_of_row(kind, object_key, line, key))

    def _discrepancy_of_row(self, kind: str, object_key: str, line: int, key: RowKey) -> Discrepancy:
        version = self.versions[object_key, key.etag]
        return Discrepancy(kind, object_key, f"line {line:,}: {key}", key.etag, key, RestoreRow(line), version)


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
