"""The files of a feed, read again: which rows they lead one to expect, and what the ledger has of them."""

from contextlib import suppress
from dataclasses import dataclass, field

from csv_ingest import csvfile, ledger
from csv_ingest.model import ObjectVersion, Origin, RowCounts, UnreadableFile, Upload

from . import audit_rejects, expectations, findings, wording
from .pipeline import DeployedFeed, ObjectGone, Pipeline


@dataclass
class FilesAudit:
    """One run for one feed: its files are read, one after the other."""

    pipeline: Pipeline
    feed: DeployedFeed
    expected: expectations.Expectations
    found: list[findings.Discrepancy] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)
    """The names of the uploads."""
    earlier: int = 0
    """How many uploads were there before the feed, and nobody has delivered them: no row of theirs is stored."""
    versions: dict[tuple[str, str], ObjectVersion] = field(default_factory=dict)
    """The version that was read of each upload, by object key and ETag."""

    def read_upload(self, upload: Upload, record: ledger.FileRecord) -> None:
        """Read an upload, unless it was read in another version, and note what must be in the destination."""
        name = record.name_of(upload.version, self.feed.mode)
        if not self.pipeline.expects(upload, record):
            self.earlier += 1
            return
        try:
            if record.status == ledger.REJECTED:
                self.seen.add(name)
            elif not self._has_other_content(upload, record) and name not in self.seen:
                self.seen.add(name)
                self._read_once(upload.version, record)
        except ObjectGone:
            self.seen.discard(name)  # it was deleted, or has expired, since it was listed: nothing was expected of it

    def _read_once(self, version: ObjectVersion, record: ledger.FileRecord) -> None:
        if self._is_moved(record):
            self._find_moved(version, record)
        elif not record.is_settled:
            self._find_unsettled(version, record)
        # Otherwise, no row of it can be stored.
        if origin := self.feed.mode.origin(version.etag, record.upload_order, record.expires_at):
            self.versions[version.key, origin.upload] = version
            self._read_file(version, origin, record)

    def _is_moved(self, record: ledger.FileRecord) -> bool:
        """Whether the rows of an upload are in another table than the one that the feed has today."""
        return record.is_planned and not record.owner.target.is_same(self.feed.owner.target)

    def _find_moved(self, version: ObjectVersion, record: ledger.FileRecord) -> None:
        """Find that an upload is recorded for another table; what is missing in today's table is found row by row."""
        detail = f"etag {version.etag}: {record.owner.target.moved(self.feed.owner.target)}"
        if record.status == ledger.COMPLETE:
            self._find("unaccounted", version, detail, findings.Move())
        else:
            self._find("unsettled", version, f"{detail}, and it was not complete", findings.Restart())

    def _find_unsettled(self, version: ObjectVersion, record: ledger.FileRecord) -> None:
        detail = f"etag {version.etag}: {record.status or 'no record'}"
        remedy = None
        if record.erasing:
            detail += f", and `csv-ingest {record.erasing}` has begun: run it again"
        elif (today := self.pipeline.feed_of(version.key)) == self.feed:
            remedy = findings.Redeliver()
        else:
            detail += f", and its prefix is that of the feed {today.name} now: give it back to {self.feed.name}"
        self._find("unsettled", version, detail, remedy)

    def _has_other_content(self, upload: Upload, record: ledger.FileRecord) -> bool:
        """Whether a version is not what was ingested under its ETag, and no delivery has said so yet: a finding."""
        version = upload.version
        if self.feed.mode.each_version or (record.is_planned and record.version_id == version.version_id):
            return False
        recorded = self.pipeline.files.content(version.etag, self.feed.name)
        if recorded is None or self._sha256(version) == recorded.sha256:
            return False
        detail = f"version {version.version_id}: other content was ingested under its etag {version.etag}"
        self._find("unsettled", version, detail, findings.Redeliver())
        return True

    def _sha256(self, version: ObjectVersion) -> str | None:
        """Of the content; None if it cannot be unpacked."""
        content = csvfile.ContentHash()
        with suppress(UnreadableFile), self.pipeline.open(version) as stream:
            content.add_all(stream)
            return content.hexdigest()
        return None

    def _read_file(self, version: ObjectVersion, origin: Origin, record: ledger.FileRecord) -> None:
        """Expect each row of a file in the destination, or among the rejected rows of the ledger."""
        # The check begins when all rows are stored.
        are_stored = record.parts_checked is not None and not record.erasing and not self._is_moved(record)
        rejects = audit_rejects.Rejects(record.counts or RowCounts(), self.feed.mode)
        format_, problem = self.pipeline.format_of(version, record), ""
        try:
            with self.pipeline.open(version) as stream:
                self.expected.add_upload(version.key, origin, format_, required=record.is_complete or are_stored)
                recorded = self.pipeline.files.rejected_rows(record)
                for row, reject in audit_rejects.by_line(csvfile.read_rows(stream, format_), recorded):
                    rejected = self.expected.expect(
                        self.feed.destination, version.key, origin, row, required=record.is_complete or are_stored
                    )
                    rejects.read += row is not None
                    if record.is_complete:
                        rejects.note(rejected, reject)
        except UnreadableFile as error:
            problem = str(error)
        if record.is_complete:
            self._find_in_complete(version, record, rejects, problem)

    def _find_in_complete(
        self, version: ObjectVersion, record: ledger.FileRecord, rejects: audit_rejects.Rejects, problem: str
    ) -> None:
        found: list[tuple[str, findings.Remedy | None]] = [*rejects.different]
        found += [(problem, None)] if problem else rejects.not_counted()
        for detail, remedy in found:
            self._find("unaccounted", version, detail, remedy)
        if not problem and record.counts != (counts := rejects.counts()):
            rows = wording.counted(rejects.read, "row")
            detail = f"the ledger has {record.counts}, the file {rows}, of which {rejects.all:,} are to be rejected"
            self._find("sums", version, detail, findings.CorrectCounts(counts))

    def _find(self, kind: str, version: ObjectVersion, detail: str, remedy: findings.Remedy | None) -> None:
        self.found.append(findings.Discrepancy(kind, version.key, detail, version.etag, "", remedy, version))
