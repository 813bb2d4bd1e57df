"""`reload` and `forget` take rows back, while no delivery stores them again: what both commands share.

Rows belong to an ETag: every key of the feed with the same bytes has the same rows. So an ETag is erased; where each
version is an upload of its own, one version. Either command can be killed anywhere, and is then to be run again: what
it has begun is marked in the ledger, which the sweep's alarm and `status` show.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

from csv_ingest import ledger
from csv_ingest.model import BeingErased, ObjectVersion, Origin, Row

from .pipeline import DeployedFeed, ObjectGone, Pipeline
from .schema import STATEMENT_TIMEOUT
from .wording import Progress, counted, silent

CLOCKS = 5  # seconds by which the clock here and that of a delivery may differ


class NotErasable(Exception):
    """Rows cannot be taken back now; the message says why, and what to do."""


@dataclass
class Erasure:
    """The rows and records of one ETag in one feed, or of one version, to be taken back."""

    pipeline: Pipeline
    feed: DeployedFeed
    version: ObjectVersion
    """One that has the ETag. Where each version is an upload, the only one that this is about."""
    command: str
    records: list[ledger.FileRecord] = field(default_factory=list)
    """Of all uploads whose rows these are, as they were when `look` was called."""
    skipped: list[ledger.FileRecord] = field(default_factory=list)
    """Of the keys of the feed with this ETag whose rows went to another table."""

    @property
    def etag(self) -> str:
        return self.version.etag

    @property
    def upload(self) -> str:
        """The beginning of its entries in the ledger, under each object key."""
        return self.pipeline.files.erasures.upload_of(self.version) if self.feed.mode.each_version else self.etag

    @property
    def content(self) -> str:
        """Key under which the ledger stores this content's hash and format."""
        return self.feed.mode.content_key(self.version)

    def look(self) -> None:
        """Read the records of all keys with this ETag whose rows may be stored where the feed stores them."""
        files, target = self.pipeline.files, self.feed.owner.target
        found = [files.record(self.version)] if self.feed.mode.each_version else files.records_of_content(self.etag)
        of_feed = [each for each in found if each.is_planned and each.owner.feed == self.feed.name]
        self.records = [each for each in of_feed if each.owner.target.is_same(target)]
        self.skipped = [each for each in of_feed if not each.owner.target.is_same(target)]

    @property
    def other_owners(self) -> list[str]:
        """The other object keys whose rows these are. A file that is being forgotten, or has expired, owns no row."""
        now = datetime.now(UTC)
        owners = (each for each in self.records if each.erasing != ledger.FORGET and not each.is_expired(now))
        return list(dict.fromkeys(each.object_key for each in owners if each.object_key != self.version.key))

    def uploads(self, key: str) -> list[str]:
        """The beginnings of all entries of this ETag, or this version, under an object key: one, unless rows expire."""
        if self.feed.mode.each_version:
            return [self.upload]
        found = (each for each in self.pipeline.files.records_of_key(key) if each.etag == self.etag)
        return sorted({self.etag, *(each.upload for each in found if self._may_have_rows(each))})

    def _may_have_rows(self, record: ledger.FileRecord) -> bool:
        """Whether the rows of a record with this ETag are, or can be, where the feed stores them."""
        if not record.is_planned:
            return record.mode is self.feed.mode
        return record.owner.feed == self.feed.name and record.owner.target.is_same(self.feed.owner.target)

    def mark(self, key: str) -> datetime:
        """Have every delivery of an object key take it for complete; returns since when."""
        erasures = self.pipeline.files.erasures
        if self.feed.mode.each_version:
            return erasures.mark_version(self.version, self.feed.mode, self.command)
        return max(erasures.mark(key, upload, self.command) for upload in self.uploads(key))

    def begin(self) -> datetime:
        """Have no delivery begin to store these rows; returns since when that is so.

        Raises NotErasable if they are to be read again, and are being forgotten.
        """
        try:
            return self.pipeline.files.erasures.begin(self.content, self.feed.name, self.command, self.version.key)
        except BeingErased as error:
            raise NotErasable(str(error)) from error

    def require_begun(self) -> None:
        """Raise NotErasable if another command has ended this one: rows of a new upload may be stored by now."""
        if not self.pipeline.files.erasures.is_under_way(self.content, self.feed.name, self.command, self.version.key):
            raise NotErasable("another `forget` or `reload` of the same bytes ended this one: run the command again")

    def cancel(self) -> None:
        """Let deliveries store these rows again, unless a file with these rows is being forgotten."""
        self.pipeline.files.erasures.cancel(self.content, self.feed.name)

    def end(self) -> None:
        """Let the next delivery read this content by the settings of then, unless other files are being forgotten."""
        self.pipeline.files.erasures.end(self.content, self.feed.name)

    def unmark(self, keys: Iterable[str]) -> None:
        """Have readers of the rows no more see that these keys are complete. To be called before a row is deleted.

        No delivery marks them again: to those that begin, what is recorded as being erased is complete, and the others
        have to be waited for.
        """
        if not self.records:
            return  # no delivery came so far as to mark anything
        self.require_begun()
        with closing(self.feed.destination) as destination:
            for key in keys:
                destination.unmark(self.records[0].origin.upload, key)

    def delete_rows(self, progress: Progress) -> int:
        """Delete all rows of the ETag, or of the version; returns how many there were. Raises OwnerNeeded."""
        if not self.records:
            return 0  # no delivery came so far as to store a row, or the records were deleted after the rows
        deleted, origin = 0, self.records[0].origin
        with closing(self.feed.destination) as destination:
            ids = self._ids(origin)
            while some := list(dict.fromkeys(islice(ids, destination.max_insert))):
                self.require_begun()
                deleted += destination.delete(origin, some)
                progress(f"{counted(deleted, 'row')} deleted")
        return deleted

    def _ids(self, origin: Origin) -> Iterator[str]:
        """The ids of the rows: of a file in the bucket or, if none has these bytes any more, of the whole table."""
        for record in self.records:
            if record.format:
                with suppress(ObjectGone):
                    yield from self._ids_in_file(record)
                    return
        for found in self.feed.destination.scan():
            if found.key.upload == origin.upload and found.key.id is not None:
                yield found.key.id

    def _ids_in_file(self, record: ledger.FileRecord) -> Iterator[str]:
        for row in self.pipeline.read_rows(record.object_version(self.pipeline.upload_bucket), record):
            # Whoever asks DynamoDB for a key that it refused to store gets an error.
            if isinstance(row, Row) and not self.feed.destination.refusal(record.origin, row):
                yield row.id


def wait_for_deliveries(feed: DeployedFeed, since: datetime, progress: Progress = silent) -> None:
    """Wait until nothing is stored any more by the deliveries of a feed that began before a time."""
    # The server does not notice that a delivery has ended: the last statement goes on.
    last_statement = STATEMENT_TIMEOUT if feed.settings.is_postgresql else 0
    seconds = feed.timeout + CLOCKS + last_statement
    while (left := (since + timedelta(seconds=seconds) - datetime.now(UTC)).total_seconds()) > 0:
        progress(f"{left:.0f} s left for running deliveries")
        time.sleep(min(left, 1))
