"""Is everything there? The objects in the bucket, read again, against the rows table and the ledger."""

import hashlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from csv_ingest.errors import UnreadableFile
from csv_ingest.events import ObjectVersion
from csv_ingest.ledger import COMPLETE, REJECTED, SETTLED, FileRecord
from csv_ingest.objects import opened
from csv_ingest.rows import Reject, Row, read_rows
from csv_ingest.store import CHANGED
from csv_ingest.uploads import with_records
from ops.pipeline import Pipeline

NO_LIMIT = float("inf")


class Finding(NamedTuple):
    """One thing that is not as it should be."""

    kind: str
    """`missing`, `different` or `unexpected` for a row; `unsettled`, `unaccounted` or `sums` for a file."""
    key: str
    """Of the object; empty for a row that no object in the bucket is known to have."""
    detail: str
    etag: str = ""
    """Of the upload, if there is one."""
    pk: str = ""
    """Of the row, if it is one."""


class Audited(NamedTuple):
    """What an audit saw. It is good if there are no findings."""

    files: int
    rows: int
    gone: int
    """Rows of uploads that the ledger knows and that are no longer in the bucket, or came there while it was read."""
    findings: list[Finding]


def audit(pipeline: Pipeline, *, prefix: str = "", progress: Callable[[str], None] = lambda _: None) -> Audited:
    """Compare every upload below a prefix with the tables, row by row.

    Memory does not grow with the files: what is expected goes to a temporary database on disk. The rows table is
    scanned once, because that is what finds rows that should not be there; it costs one read unit for 4 KB of table.
    """
    with _expectations() as expected:
        run = _Audit(pipeline, prefix, expected, progress)
        files = run.expect_files()
        rows = run.scan_rows()
        gone = run.judge_strays()
        return Audited(files, rows, gone, run.findings + list(run.missing_rows()))


def repair(pipeline: Pipeline, findings: list[Finding]) -> list[ObjectVersion]:
    """Deliver again each upload with findings that a delivery can mend; returns what was delivered.

    A complete upload is reopened first: interrupted after that, it is the sweep that delivers it. Then the rows that
    differ from it are deleted, since a delivery never overwrites, and its rejects, which it records anew. Rows that
    belong to no file are left alone: nobody but their author knows what they are.
    """
    broken: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if finding.kind != "unexpected":
            broken.setdefault((finding.key, finding.etag), []).append(finding)
    delivered: list[ObjectVersion] = []
    for upload in pipeline.uploads():
        version = upload.version
        if (found := broken.pop((version.key, version.etag), None)) is None:
            continue
        if pipeline.reopen(version):
            for finding in found:
                if finding.kind == "different":
                    pipeline.dynamodb.delete_item(TableName=pipeline.rows_table, Key={"pk": {"S": finding.pk}})
            pipeline.forget_rejects(version)
        pipeline.redeliver(version)
        delivered.append(version)
    return delivered


@contextmanager
def _expectations() -> Iterator[sqlite3.Connection]:
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as file, closing(sqlite3.connect(file.name)) as database:
        database.executescript(
            """
            PRAGMA journal_mode = OFF;
            PRAGMA synchronous = OFF;
            CREATE TABLE row (pk TEXT PRIMARY KEY, key TEXT, etag TEXT, line INTEGER, digest BLOB, required INTEGER,
                              seen INTEGER DEFAULT 0) WITHOUT ROWID;
            CREATE TABLE stray (pk TEXT PRIMARY KEY, etag TEXT) WITHOUT ROWID;
            CREATE TABLE etag (etag TEXT PRIMARY KEY, key TEXT) WITHOUT ROWID;
            """
        )
        yield database


@dataclass
class _Audit:
    """One run: what the files lead one to expect, then what the table holds."""

    pipeline: Pipeline
    prefix: str
    expected: sqlite3.Connection
    progress: Callable[[str], None]
    findings: list[Finding] = field(default_factory=list)

    def expect_files(self) -> int:
        """Read every upload and note what must be in the table; returns how many there are."""
        uploads = self.pipeline.uploads(self.prefix)
        audited: set[tuple[str, str]] = set()
        pairs = with_records(self.pipeline.dynamodb, self.pipeline.files_table, uploads, time_left=lambda: NO_LIMIT)
        for upload, record in pairs:
            version = upload.version
            if (version.key, version.etag) in audited:
                continue  # the same bytes uploaded again under the same key are the same upload
            audited.add((version.key, version.etag))
            self.progress(version.key)
            self.expected.execute("INSERT OR IGNORE INTO etag VALUES (?, ?)", (version.etag, version.key))
            if record.status not in SETTLED:
                self._find("unsettled", version, f"etag {version.etag}: {record.status or 'no record'}")
            if record.status != REJECTED:
                self._expect_rows(version, record)
        return len(audited)

    def scan_rows(self) -> int:
        """Compare each item of the table with what is noted; returns how many were expected."""
        scanned = 0
        pages = self.pipeline.dynamodb.get_paginator("scan").paginate(
            TableName=self.pipeline.rows_table, ConsistentRead=True
        )
        for page in pages:
            for item in page["Items"]:
                pk, etag = item["pk"]["S"], item["pk"]["S"].partition("#")[0]
                noted = self.expected.execute("SELECT key, line, digest FROM row WHERE pk = ?", (pk,)).fetchone()
                if noted:
                    scanned += 1
                    key, line, digest = noted
                    self.expected.execute("UPDATE row SET seen = 1 WHERE pk = ?", (pk,))
                    there = (item.get("etag"), item.get("line"), _digest(item.get("data", {}).get("S", "")))
                    if there != ({"S": etag}, {"N": str(line)}, digest):
                        self.findings.append(Finding("different", key, f"line {line:,}: {pk}", etag, pk))
                    continue
                owner = self.expected.execute("SELECT key FROM etag WHERE etag = ?", (etag,)).fetchone()
                if owner:
                    self.findings.append(Finding("unexpected", owner[0], pk, etag, pk))
                elif not self.prefix:
                    self.expected.execute("INSERT OR IGNORE INTO stray VALUES (?, ?)", (pk, etag))
            self.progress(f"{scanned:,} rows of the table")
        return scanned

    def judge_strays(self) -> int:
        """Find the rows of no upload; returns how many others there are of uploads that only the ledger knows."""
        if not self.expected.execute("SELECT 1 FROM stray LIMIT 1").fetchone():
            return 0
        gone = 0
        for etag in self.pipeline.etags():
            gone += self.expected.execute("DELETE FROM stray WHERE etag = ?", (etag,)).rowcount
        for (pk,) in self.expected.execute("SELECT pk FROM stray ORDER BY pk"):
            self.findings.append(Finding("unexpected", "", pk, "", pk))
        return gone

    def missing_rows(self) -> Iterator[Finding]:
        """What had to be in the table and was not met there."""
        rows = self.expected.execute(
            "SELECT key, etag, pk, line FROM row WHERE required AND NOT seen ORDER BY key, line"
        )
        for key, etag, pk, line in rows:
            yield Finding("missing", key, f"line {line:,}: {pk}", etag, pk)

    def _expect_rows(self, version: ObjectVersion, record: FileRecord) -> None:
        """Note each row of a file; what is neither to be stored nor recorded as rejected is found here."""
        format_ = record.format or self.pipeline.settings.format
        read = rejected = 0
        found: list[str] = []
        try:
            with opened(version, self.pipeline.s3) as source:
                rejects = self.pipeline.rejects(version.key, version.etag)
                for row, reject in _by_line(read_rows(source, format_), rejects):
                    read += row is not None
                    rejected += row is not None and reject is not None
                    if wrong := self._wrong_with(version, row, reject, required=record.status == COMPLETE):
                        found.append(wrong)
        except UnreadableFile as error:
            found.append(str(error))
        if record.status != COMPLETE:
            return  # what is not accounted for yet may well be
        for detail in found:
            self._find("unaccounted", version, detail)
        if record.tally != (read, read - rejected, rejected):
            detail = (
                f"the ledger has {record.tally}, the file {read:,} rows, of which {rejected:,} are recorded rejects"
            )
            self._find("sums", version, detail)

    def _wrong_with(
        self, version: ObjectVersion, row: Row | Reject | None, reject: Reject | None, *, required: bool
    ) -> str | None:
        """Note one row, if it is to be stored; why it is not accounted for, if so."""
        if row is None:
            return f"line {reject.line:,}: a reject of no row" if reject else None
        if isinstance(row, Reject):
            return None if reject else f"line {row.line:,}: {row.reason}"
        if reject is None:
            same = self._expect_row(version, row, required=required)
            return None if same else f"line {row.line:,}: its id was used before"
        if reject.reason == CHANGED:
            # An item is under its key that is not this row any more: for the scan to find.
            self._expect_row(version, row, required=False)
        return None

    def _expect_row(self, version: ObjectVersion, row: Row, *, required: bool) -> bool:
        """Note a row, unless one with this key was noted; returns whether what is noted has the values of this one."""
        pk = f"{version.etag}#{row.id}"
        added = self.expected.execute(
            "INSERT OR IGNORE INTO row (pk, key, etag, line, digest, required) VALUES (?, ?, ?, ?, ?, ?)",
            (pk, version.key, version.etag, row.line, _digest(row.data), required),
        ).rowcount
        if added:
            return True
        [(digest,)] = self.expected.execute("SELECT digest FROM row WHERE pk = ?", (pk,))
        self.expected.execute("UPDATE row SET required = 1 WHERE pk = ? AND ?", (pk, required))
        return bool(digest == _digest(row.data))

    def _find(self, kind: str, version: ObjectVersion, detail: str) -> None:
        self.findings.append(Finding(kind, version.key, detail, version.etag))


def _by_line(
    rows: Iterator[Row | Reject], rejects: Iterator[Reject]
) -> Iterator[tuple[Row | Reject | None, Reject | None]]:
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


def _digest(data: str) -> bytes:
    return hashlib.blake2b(data.encode(), digest_size=16).digest()
