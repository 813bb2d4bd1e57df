"""A scan of the bucket: which uploads the ledger is asked about, and which of them are not settled."""

import hashlib
import heapq
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from csv_ingest import configuration, ignored, ledger
from csv_ingest.listing import Page
from csv_ingest.model import ObjectVersion, Upload
from csv_ingest.sweeping import expected
from csv_ingest.sweeping.checkpoint import Checkpoint, Scan
from csv_ingest.sweeping.due import DueUploads

PARTS_GRACE = timedelta(hours=5)
"""How much longer a file may take that is ingested in parts: Lambda keeps an event for at most six hours."""

MARGIN = timedelta(hours=6)
"""The ledger is asked about each upload that is at most so much older than the last scan. A multipart upload is as old
as its beginning; one that takes longer, and whose event is lost, is found within a day."""

MAX_IGNORED = 1_000
"""Objects of which is told in one run: what a mistake with a million objects costs is bounded."""


class Scanner:
    """One run's share of a scan: it looks at one page of the bucket after the other."""

    def __init__(
        self,
        config: configuration.SweepConfig,
        files: ledger.FilesTable,
        scan: Scan,
        checkpoint: Checkpoint,
        *,
        deployed_at: datetime,
        before: datetime,
    ) -> None:
        """Objects that no feed takes count from the deployment on."""
        self.scan = scan
        self.due = {feed: DueUploads() for feed in config.feeds}
        """What may be delivered, by feed."""
        self.ignored: list[Upload] = []
        """The newest objects that no feed takes, the oldest of them first."""
        last = checkpoint.last
        self._feeds, self._intake, self._files = config.feeds, config.intake, files
        self._since, self._deployed_at, self._before = checkpoint.expected, deployed_at, before
        self._recent = last.before - MARGIN if last else datetime.min.replace(tzinfo=UTC)
        self._known = last.tries if last else {}
        self._on_last_page: set[tuple[str, str]] = set()
        """The uploads of the last key there that are unsettled."""

    def look_at(self, page: Page) -> None:
        """Ask the ledger about the uploads of a page that need it, and note what is not settled."""
        asked: list[tuple[configuration.SweptFeed, Upload]] = []
        others: list[Upload] = []
        for upload, is_current in page.versions:
            if taker := self._intake.taker_of(upload.version.key):
                feed = self._feeds[taker.feed]
                if upload.modified < self._before:
                    self.scan.listed += 1
                    if self._is_asked(feed, upload):
                        asked.append((feed, upload))
            elif is_current:
                others.append(upload)
        self._find_unsettled(asked)
        self.add_ignored(others)
        self.scan.after = page.last

    def add_ignored(self, objects: Iterable[Upload]) -> None:
        """Count those of some objects that no feed takes and that were meant for one."""
        found = list(ignored.find(objects, intake=self._intake, files=self._files, since=self._deployed_at))
        self.scan.ignored += len(found)
        if found:
            newest = heapq.nlargest(MAX_IGNORED, [*self.ignored, *found], key=lambda each: each.modified)
            self.ignored = newest[::-1]

    def _is_asked(self, feed: configuration.SweptFeed, upload: Upload) -> bool:
        """Whether the ledger is asked about an upload.

        It is asked about what is new, about what the last scan found unsettled, and about this scan's share of all
        uploads: those after the share of the last scan.
        """
        is_in_share = self.scan.takes(upload.version.key)
        is_new = upload.modified >= self._recent and expected.is_expected(self._since, upload, feed.days)
        return is_in_share or is_new or (bool(self._known) and _digest(upload.version) in self._known)

    def _find_unsettled(self, asked: Sequence[tuple[configuration.SweptFeed, Upload]]) -> None:
        found: dict[tuple[str, str], tuple[configuration.SweptFeed, Upload, ledger.FileRecord]] = {}
        records = self._files.records(upload for _, upload in asked)
        for (feed, _), (upload, record) in zip(asked, records, strict=True):
            if not self._has_to_settle(feed, upload, record):
                continue
            name = record.name_of(upload.version, feed.mode)
            # Of the versions that are one upload, the one whose delivery has begun: others can have other content.
            if name not in self._on_last_page and (name not in found or upload.version.version_id == record.version_id):
                found[name] = feed, upload, record
        for feed, upload, record in found.values():
            self._add_unsettled(feed, upload, record)
        if asked:  # the versions of one key can be on several pages
            last = asked[-1][1].version.key
            self._on_last_page = {name for name in (*self._on_last_page, *found) if name[0] == last}

    def _has_to_settle(self, feed: configuration.SweptFeed, upload: Upload, record: ledger.FileRecord) -> bool:
        """Whether an upload should be settled by now, and is not."""
        # What was there before the feed has no record: unless `backfill` delivered it, it is none of our business.
        is_wanted = record.status is not None or expected.is_expected(self._since, upload, feed.days)
        if record.is_settled or not is_wanted:
            return False
        if self._is_under_way(record):
            self._remember(_digest(upload.version))
            return False
        return True

    def _add_unsettled(self, feed: configuration.SweptFeed, upload: Upload, record: ledger.FileRecord) -> None:
        digest = _digest(upload.version)
        tries = self._remember(digest)
        self.scan.unsettled += 1
        if not self._needs_a_person(record):
            self.due[feed.taker.feed].add(upload.version, tries=tries, modified=upload.modified, digest=digest)

    def _remember(self, digest: str) -> int:
        """Have the next scan ask about an upload; returns how often the sweep has delivered it."""
        tries = self.scan.tries.get(digest, self._known.get(digest, 0))
        self.scan.remember(digest, tries)
        return tries

    def _is_under_way(self, record: ledger.FileRecord) -> bool:
        """Whether parts of a file may still be in Lambda's queue. More of them would only delay each other."""
        return bool(record.part_count and record.started_at and record.started_at > self._before - PARTS_GRACE)

    def _needs_a_person(self, record: ledger.FileRecord) -> bool:
        """Whether no delivery helps. A file without a plan is delivered all the same: that delivery rejects it."""
        return bool(record.erasing) or (record.is_stuck(self._before) and record.is_planned)


def _digest(version: ObjectVersion) -> str:
    """What tells versions apart, whatever the settings are."""
    return hashlib.sha256(f"{version.key}\0{version.version_id}".encode()).hexdigest()[:12]
