"""What the ledger knows of an outcome, as a notice."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

from csv_ingest import intake, ledger
from csv_ingest.notices import notice, returns
from csv_ingest.notices.changes import Change
from csv_ingest.notices.notice import Kind, Notice

MAX_REJECTS = 5


@dataclass(frozen=True)
class Outcomes:
    """Makes notices of changes of the ledger."""

    files: ledger.FilesTable
    bucket: str
    taken: intake.Intake
    returned: returns.Returns

    def notice_of(self, change: Change) -> Notice:
        """The notice of a new outcome. Four reads at most, and one more if rows were rejected."""
        record = change.record
        is_there = change.kind is not Kind.FORGOTTEN
        feed = change.feed or self.taken.feed_of(record.object_key)
        more: dict[str, Any] = {}
        if record.counts and record.counts.rejected:
            # Of a forgotten file as well: nobody has deleted what was written there.
            more["rejects_uri"] = self.returned.uri(feed, record)
            if is_there:
                rejects = islice(self.files.rejected_rows(record, at_once=MAX_REJECTS), MAX_REJECTS)
                more["first_rejects"] = tuple(row._asdict() for row in rejects)
        if change.kind is Kind.COMPLETE and feed:
            more["columns_added"] = self._columns_added(feed, record)
        return Notice(
            kind=change.kind,
            feed=feed,
            object_key=record.object_key,
            etag=record.etag,
            version_id=record.version_id,
            size=record.size,
            status=record.status if is_there else None,
            reason=record.reason[: notice.MAX_REASON] or None,
            uploaded_at=record.uploaded_at or None,
            started_at=record.attributes.get("started_at"),
            settled_at=record.attributes.get("settled_at" if is_there else "erasing_since"),
            **notice.about_counts(record.counts),
            **more,
        )

    def _columns_added(self, feed: str, record: ledger.FileRecord) -> tuple[str, ...] | None:
        """The columns that the last complete file of the feed did not have; none if it is the first."""
        last = self.files.last(feed, ledger.COMPLETE, before=record.attributes["settled_at"])
        if not last:
            return ()
        before, now = (self._columns(feed, each) for each in (last, record))
        return tuple(name for name in now if name not in before) if before and now else None

    def _columns(self, feed: str, record: ledger.FileRecord) -> tuple[str, ...]:
        content = self.files.content(record.mode.content_key(record.object_version(self.bucket)), feed)
        return tuple(content.columns) if content else ()
