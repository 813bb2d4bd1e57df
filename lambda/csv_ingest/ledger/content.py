"""What an ETag stands for, or a version where each is an upload of its own: its content, and how that is read."""

from csv_ingest.dynamodb import DynamoDbTable
from csv_ingest.ledger import items, keys, names
from csv_ingest.model import Content


class ContentLedger:
    """What is recorded of the content of one upload, under any object key of the feed."""

    def __init__(self, table: DynamoDbTable, entries: keys.Entries, feed: str) -> None:
        self._table = table
        self._key = keys.key_of_content(entries.content, feed)

    def find(self) -> Content | None:
        """What the ETag stands for, under any object key of the feed; None if no upload with it was planned yet.

        Raises BeingErased.
        """
        item = self._table.get(self._key)
        return items.content_of(items.require_not_erased(item))

    def claim(self, content: Content) -> Content:
        """Record what the ETag stands for, unless it is recorded; returns what is recorded. Raises BeingErased.

        No row is stored before this, so that an erasure that has begun meets no row that it does not know of.
        """
        unclaimed = f"attribute_not_exists(#sha256) AND attribute_not_exists(#{names.ERASING})"
        stayed = self._table.update(self._key, items.about_content(content), condition=unclaimed)
        return content if stayed is None else items.content_of(items.require_not_erased(stayed)) or content
