"""The ledger of all uploads, for the sweep and for the operators' commands."""

from collections.abc import Iterable, Iterator
from itertools import islice

from csv_ingest.dynamodb_table import MAX_KEYS, DynamoDbTable, Item
from csv_ingest.ledger import items
from csv_ingest.model import Content, ObjectVersion, Phase, RejectedRow, RowCounts, Upload


class FilesTable:
    """The records of all uploads, and their rejected rows."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def record(self, version: ObjectVersion) -> items.FileRecord:
        """The record of an upload; empty if there is none yet."""
        return self.own_record(version, items.FileRecord.of(self._table.get(items.key_of(version))))

    def records(self, uploads: Iterable[Upload]) -> Iterator[tuple[Upload, items.FileRecord]]:
        """Pair each upload with its record, in the order of the uploads; one request a hundred uploads.

        Uploads with the same key and ETag share a record, since they have the same content: see `own_record`.
        """
        remaining = iter(uploads)
        while some := list(islice(remaining, MAX_KEYS)):
            # A request must not name a key twice.
            wanted = {(upload.version.key, upload.version.etag) for upload in some}
            found = self._table.get_many([items.key_of_entry(key, etag) for key, etag in wanted])
            by_key = {(item["object_key"]["S"], item["entry"]["S"]): item for item in found}
            for upload in some:
                yield upload, items.FileRecord.of(by_key.get((upload.version.key, upload.version.etag), {}))

    def own_record(self, version: ObjectVersion, record: items.FileRecord) -> items.FileRecord:
        """The record of a version that was rejected because of its content, otherwise the given record of the upload.

        The upload's record stands for all versions with its key and ETag; their content can differ all the same.
        """
        if record.version_id in (None, version.version_id):
            return record
        item = self._table.get(items.key_of_version(version))
        return items.FileRecord.of(item) if item else record

    def records_of_key(self, key: str) -> list[items.FileRecord]:
        """The records of an object key, one an upload, the latest delivery first."""
        found: dict[tuple[str, str | None], items.FileRecord] = {}
        for item in self._entries(key):  # the record of an upload comes before the record of a version
            if items.MARK not in item["entry"]["S"] or items.VERSION in item["entry"]["S"]:
                record = items.FileRecord.of(item)
                found.setdefault((record.etag, record.version_id), record)
        return sorted(found.values(), key=lambda record: str(record.attributes.get("started_at", "")), reverse=True)

    def rows_read_in_parts(self, record: items.FileRecord) -> int:
        """How many rows the parts of a file have read in its present phase, by their checkpoints."""
        phase = Phase.STORE if record.parts_checked is None else Phase.CHECK
        parts = self._entries(record.attributes["object_key"], f"{record.etag}{items.PART_PREFIXES[phase]}")
        return sum(items.FileRecord.of(part).attributes.get(items.SUMS[0], 0) for part in parts)

    def rejected_rows(self, key: str, etag: str) -> Iterator[RejectedRow]:
        """The rejected rows of an upload, by line."""
        return map(items.reject_of, self._entries(key, f"{etag}{items.REJECTS}"))

    def content(self, etag: str) -> Content | None:
        """What an ETag stands for; None if no upload with it was planned yet."""
        return items.content_of(self._table.get(items.key_of_content(etag)))

    def etags(self) -> Iterator[str]:
        """The ETag of every upload that has a record; an ETag occurs once for each object key."""
        entries = (item["entry"]["S"] for item in self._table.scan())
        return (entry for entry in entries if items.MARK not in entry)

    def record_reject(self, version: ObjectVersion, row: RejectedRow) -> None:
        """Record a rejected row of an upload, whatever is recorded for its line: a repair."""
        self._table.put(items.item_of_reject(version, row))

    def remove_reject(self, version: ObjectVersion, line: int) -> None:
        """Delete the record of a rejected row, if there is one: a repair."""
        self._table.delete(items.key_of_reject(version, line))

    def mark_duplicate_ids(self, etag: str) -> None:
        """As PartLedger.mark_duplicate_ids: a repair does not know which lines are stored."""
        self._table.insert_absent([items.key_of_duplicates(etag)])

    def correct_counts(self, version: ObjectVersion, counts: RowCounts) -> None:
        """Set the counts of a complete upload; does nothing if the upload is not complete: a repair."""
        complete = "#status = :complete"
        self._table.update(items.key_of(version), items.sums(counts), condition=complete, values=items.COMPLETE_VALUE)

    def _entries(self, key: str, beginning: str = "") -> Iterator[Item]:
        if not beginning:
            return self._table.query("object_key = :key", {"key": {"S": key}})
        condition = "object_key = :key AND begins_with(entry, :beginning)"
        return self._table.query(condition, {"key": {"S": key}, "beginning": {"S": beginning}})
