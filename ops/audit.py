"""Is everything there? The objects in the bucket, read again, against the destination and the ledger."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from csv_ingest import csvfile, source
from csv_ingest.destinations.duplicates import STORED_DIFFERENTLY
from csv_ingest.ledger import COMPLETE, REJECTED, SETTLED, FileRecord
from csv_ingest.model import ObjectVersion, RejectedRow, Row, RowKey, UnreadableFile
from ops.expectations import Expectations
from ops.pipeline import Pipeline
from ops.status import distinct


class Discrepancy(NamedTuple):
    """One thing that is not as it should be."""

    kind: str
    """`missing`, `different` or `unexpected` for a row; `unsettled`, `unaccounted` or `sums` for a file."""
    key: str
    """Of the object; empty for a row that no object in the bucket is known to have."""
    detail: str
    etag: str = ""
    """Of the upload, if there is one."""
    row: RowKey | None = None
    """Of the row, if it is one."""


class Audited(NamedTuple):
    """What an audit saw. All is good if there are no discrepancies."""

    files: int
    rows: int
    not_compared: int
    """Rows of uploads that the ledger knows and that are no longer in the bucket, or came there during the audit."""
    findings: list[Discrepancy]


def audit(pipeline: Pipeline, *, prefix: str = "", progress: Callable[[str], None] = lambda _: None) -> Audited:
    """Compare every upload below a prefix with the destination and the ledger, row by row.

    Memory does not grow with the files: what is expected goes to a temporary database on disk. The destination is
    scanned once, because that is what finds rows that should not be there.
    """
    with Expectations.on_disk() as expected:
        run = _Audit(pipeline, prefix, expected, progress)
        files = run.read_files()
        rows = run.scan_rows()
        not_compared = run.count_orphans()
        return Audited(files, rows, not_compared, run.findings + list(run.missing_rows()))


@dataclass
class _Audit:
    """One run: what the files lead one to expect, then what the destination holds."""

    pipeline: Pipeline
    prefix: str
    expected: Expectations
    progress: Callable[[str], None]
    findings: list[Discrepancy] = field(default_factory=list)

    def read_files(self) -> int:
        """Read every upload and note what must be in the destination; returns how many uploads there are."""
        files = 0
        for upload, record in self.pipeline.files.records(distinct(self.pipeline.uploads(self.prefix))):
            files += 1
            version = upload.version
            self.progress(version.key)
            self.expected.add_upload(version)
            if record.status not in SETTLED:
                self._find("unsettled", version, f"etag {version.etag}: {record.status or 'no record'}")
            if record.status != REJECTED:
                self._read_file(version, record)
        return files

    def scan_rows(self) -> int:
        """Compare everything in the destination with what is expected; returns how many rows were expected."""
        rows = 0
        for scanned, found in enumerate(self.pipeline.destination.scan()):
            key, expected = found.key, self.expected.meet(found.key)
            if expected:
                rows += 1
                if not expected.is_stored_as(found):
                    detail = f"line {expected.line:,}: {key}"
                    self.findings.append(Discrepancy("different", expected.object_key, detail, key.etag, key))
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
        orphans = sum(map(self.expected.forget_strays, self.pipeline.files.etags()))
        self.findings += [Discrepancy("unexpected", "", str(key), "", key) for key in self.expected.strays()]
        return orphans

    def missing_rows(self) -> Iterator[Discrepancy]:
        """What had to be in the destination and was not met there."""
        for row in self.expected.missing():
            yield Discrepancy("missing", row.object_key, f"line {row.line:,}: {row.key}", row.key.etag, row.key)

    def _read_file(self, version: ObjectVersion, record: FileRecord) -> None:
        """Expect each row of a file; a row that is neither to be stored nor recorded as rejected is found here."""
        format_ = record.format or self.pipeline.config.format
        read = rejected = 0
        unaccounted: list[str] = []
        try:
            with source.open_object(version, self.pipeline.s3) as stream:
                recorded = self.pipeline.files.rejected_rows(version.key, version.etag)
                for row, reject in _by_line(csvfile.read_rows(stream, format_), recorded):
                    read += row is not None
                    rejected += row is not None and reject is not None
                    if wrong := self._wrong_with(version, row, reject, required=record.status == COMPLETE):
                        unaccounted.append(wrong)
        except UnreadableFile as error:
            unaccounted.append(str(error))
        if record.status != COMPLETE:
            return  # rows that are not accounted for yet may well be
        for detail in unaccounted:
            self._find("unaccounted", version, detail)
        if record.counts != (read, read - rejected, rejected):
            in_file = f"the file {read:,} rows, of which {rejected:,} are recorded as rejected"
            self._find("sums", version, f"the ledger has {record.counts}, {in_file}")

    def _wrong_with(
        self, version: ObjectVersion, row: Row | RejectedRow | None, reject: RejectedRow | None, *, required: bool
    ) -> str | None:
        """Expect one row, if it is to be stored; returns why it is not accounted for, if so."""
        if row is None:
            return f"line {reject.line:,}: a reject of no row" if reject else None
        if isinstance(row, RejectedRow):
            return None if reject else f"line {row.line:,}: {row.reason}"
        if reject is None:
            same = self.expected.add_row(version, row, required=required)
            return None if same else f"line {row.line:,}: its id was used before"
        if reject.reason == STORED_DIFFERENTLY:
            # Under its key is something that is not this row any more: for the scan to find.
            self.expected.add_row(version, row, required=False)
        return None

    def _find(self, kind: str, version: ObjectVersion, detail: str) -> None:
        self.findings.append(Discrepancy(kind, version.key, detail, version.etag))


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
