"""The ledger of all uploads, for the sweep and for the operators' commands."""

from collections.abc import Iterable, Iterator
from itertools import islice

from csv_ingest.dynamodb_table import MAX_KEYS, DynamoDbTable, Item
from csv_ingest.ledger import items
from csv_ingest.model import ObjectVersion, Phase, RejectedRow, Upload


class FilesTable:
    """The records of all uploads, and their rejected rows."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def record(self, version: ObjectVersion) -> items.FileRecord:
        """The record of an upload; empty if there is none yet."""
        return items.FileRecord.of(self._table.get(items.key_of(version)))

    def records(self, uploads: Iterable[Upload]) -> Iterator[tuple[Upload, items.FileRecord]]:
        """Pair each upload with its record, in the order of the uploads; one request a hundred uploads."""
        remaining = iter(uploads)
        while some := list(islice(remaining, MAX_KEYS)):
            # Two versions of one object can have the same bytes, and a request must not name a key twice.
            wanted = {(upload.version.key, upload.version.etag) for upload in some}
            found = self._table.get_many([items.key_of_entry(key, etag) for key, etag in wanted])
            by_key = {(item["object_key"]["S"], item["entry"]["S"]): item for item in found}
            for upload in some:
                yield upload, items.FileRecord.of(by_key.get((upload.version.key, upload.version.etag), {}))

    def records_of_key(self, key: str) -> list[items.FileRecord]:
        """The records of an object key, one an upload, the latest delivery first."""
        found = [items.FileRecord.of(item) for item in self._entries(key) if items.MARK not in item["entry"]["S"]]
        return sorted(found, key=lambda record: str(record.attributes.get("started_at", "")), reverse=True)

    def rows_read_in_parts(self, record: items.FileRecord) -> int:
        """How many rows the parts of a file have read in its present phase, by their checkpoints."""
        phase = Phase.STORE if record.parts_checked is None else Phase.CHECK
        parts = self._entries(record.attributes["object_key"], f"{record.etag}{items.PART_PREFIXES[phase]}")
        return sum(items.FileRecord.of(part).attributes.get(items.SUMS[0], 0) for part in parts)

    def rejected_rows(self, key: str, etag: str) -> Iterator[RejectedRow]:
        """The rejected rows of an upload, by line."""
        return map(items.reject_of, self._entries(key, f"{etag}{items.REJECTS}"))

    def etags(self) -> Iterator[str]:
        """The ETag of every upload that has a record; an ETag occurs once for each object key."""
        entries = (item["entry"]["S"] for item in self._table.scan())
        return (entry for entry in entries if items.MARK not in entry)

    def reopen(self, version: ObjectVersion) -> bool:
        """Make the next delivery of a complete upload store every row again; returns whether the upload was reopened.

        A file whose parts are being checked is reopened too: its check cannot end if a row was deleted.

        The format and the plan stay recorded: settings that were deployed since must not change how the file is read.
        The records of its parts are deleted first, while deliveries still take the file for complete.
        """
        record = self.record(version)
        if record.status != items.COMPLETE and record.parts_checked is None:
            return False
        for prefix in items.PART_PREFIXES.values():
            self._delete_entries(version, prefix)
        stayed = self._table.update(
            items.key_of(version),
            {"status": {"S": items.PROCESSING}},
            remove=[*items.SUMS, "settled_at", "parts", *items.COUNTERS.values(), "check_begun_by"],
            condition="#status = :complete OR attribute_exists(#parts_checked)",
            values=items.COMPLETE_VALUE,
        )
        return stayed is None

    def delete_rejected_rows(self, version: ObjectVersion) -> None:
        """Delete the records of an upload's rejected rows."""
        self._delete_entries(version, items.REJECTS)

    def _delete_entries(self, version: ObjectVersion, prefix: str) -> None:
        for item in self._entries(version.key, f"{version.etag}{prefix}"):
            self._table.delete(items.key_of_entry(version.key, item["entry"]["S"]))

    def _entries(self, key: str, beginning: str = "") -> Iterator[Item]:
        if not beginning:
            return self._table.query("object_key = :key", {"key": {"S": key}})
        condition = "object_key = :key AND begins_with(entry, :beginning)"
        return self._table.query(condition, {"key": {"S": key}, "beginning": {"S": beginning}})
