"""What the ledger holds of an upload beside its record: its content, duplicate ids, and its rejected rows."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from csv_ingest.dynamodb import MAX_STATEMENTS, DynamoDbTable, Item
from csv_ingest.ledger import items, keys, names
from csv_ingest.model import FILE_EXPIRES_AT, FILES_KEY, Content, RowCounts


@dataclass(frozen=True)
class UploadLedger:
    """What is recorded of an upload. Of its content, and of duplicate ids: under any object key of the feed."""

    table: DynamoDbTable
    feed: str
    entries: keys.Entries

    def content(self) -> Content | None:
        """What the ETag stands for; None if no upload with it was planned yet. Raises BeingErased."""
        return items.content_of(items.require_not_erased(self.table.get(self._content_key)))

    def claim(self, content: Content) -> Content:
        """Record what the ETag stands for, unless it is recorded; returns what is recorded. Raises BeingErased.

        No row is stored before this, so that an erasure that has begun meets no row that it does not know of.
        """
        unclaimed = f"attribute_not_exists(#sha256) AND attribute_not_exists(#{names.ERASING})"
        stayed = self.table.update(self._content_key, items.about_content(content), condition=unclaimed)
        return content if stayed is None else items.content_of(items.require_not_erased(stayed)) or content

    def mark_duplicate_ids(self) -> None:
        """Record that an id is on two lines of the file. Has to be called before a row of that id is replaced."""
        self.table.insert_absent([keys.key_of_duplicates(self.entries.content, self.feed)])

    def has_duplicate_ids(self) -> bool:
        """Whether duplicate ids were recorded for this content."""
        return bool(self.table.get(keys.key_of_duplicates(self.entries.content, self.feed)))

    def clear_expired(self) -> None:
        """Delete what is left of these entries, whose record has expired and is gone.

        DynamoDB deletes what has expired in any order, within days: without this, a version that is delivered once more
        would continue after parts, of which no row need be there any more.
        """
        if self.entries.keep_days is None:
            return
        now = datetime.now(UTC).timestamp()
        found = self.table.query(*keys.below(self.entries.version.key, f"{self.entries.upload}{keys.MARK}"))
        expired = (item for item in found if float(item.get(FILE_EXPIRES_AT, {}).get("N", now + 1)) <= now)
        while some := list(islice(expired, MAX_STATEMENTS)):
            self.table.delete_each([{name: item[name] for name in (*FILES_KEY, FILE_EXPIRES_AT)} for item in some])

    def rejected_lines(self, first: int) -> set[int]:
        """The lines, from one on, that are recorded as rejected."""
        key, upload = self.entries.version.key, self.entries.upload
        between: Item = {
            "key": {"S": key},
            "first": keys.key_of_reject(key, upload, first)["entry"],
            "last": keys.key_of_reject(key, upload, keys.MAX_LINE)["entry"],
        }
        found = self.table.query("object_key = :key AND entry BETWEEN :first AND :last", between)
        return {items.reject_of(item).line for item in found}

    @property
    def _key(self) -> Item:
        """Of the upload's record."""
        return keys.key_of(self.entries)

    @property
    def _content_key(self) -> Item:
        return keys.key_of_content(self.entries.content, self.feed)

    def _processing_again(self) -> Item:
        """What a plan says of the upload: another delivery, under other settings, may have rejected it meanwhile."""
        status: Item = {names.FEED_STATUS: {"S": keys.feed_status(self.feed, names.PROCESSING)}}
        return items.processing(self.entries) | status

    def _sums(self, counts: RowCounts) -> Item:
        return items.sums(counts, self.entries.mode)
