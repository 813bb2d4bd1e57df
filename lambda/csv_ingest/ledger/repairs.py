"""What audits correct in the ledger, where it is not what the files say."""

from collections.abc import Sequence

from csv_ingest import dynamodb, modes
from csv_ingest.ledger import items, keys, names, records
from csv_ingest.model import Owner, RejectedRow, RowCounts


class Repairs:
    """Corrections of what is recorded of an upload; `upload` is the beginning of its entries: FileRecord.upload."""

    def __init__(self, table: dynamodb.DynamoDbTable) -> None:
        self._table = table

    def record_reject(self, object_key: str, upload: str, row: RejectedRow, record: records.FileRecord) -> None:
        """Record a rejected row of an upload for as long as its record, whatever is recorded for its line."""
        expiry: dynamodb.Item = {
            name: {"N": str(record.attributes[name])} for name in names.EXPIRY if name in record.attributes
        }
        self._table.put(items.item_of_reject(object_key, upload, row) | expiry)

    def remove_reject(self, object_key: str, upload: str, line: int) -> None:
        """Delete the record of a rejected row, if there is one."""
        self._table.delete(keys.key_of_reject(object_key, upload, line))

    def mark_duplicate_ids(self, content: str, feed: str) -> None:
        """As UploadLedger.mark_duplicate_ids: a repair does not know which lines are stored."""
        self._table.insert_absent([keys.key_of_duplicates(content, feed)])

    def correct_counts(self, object_key: str, upload: str, counts: RowCounts, mode: modes.WriteMode) -> None:
        """Set the counts of a complete upload; does nothing if the upload is not complete."""
        self._correct(object_key, upload, items.sums(counts, mode), remove=names.ACKNOWLEDGEMENT)

    def move(self, object_key: str, upload: str, owner: Owner) -> None:
        """Record that the rows of a complete upload are where its feed stores them today."""
        self._correct(object_key, upload, {names.TARGET: {"S": str(owner.target)}})

    def _correct(self, object_key: str, upload: str, corrected: dynamodb.Item, *, remove: Sequence[str] = ()) -> None:
        key, complete = keys.key_of_entry(object_key, upload), "#status = :complete"
        self._table.update(key, corrected, condition=complete, values=names.COMPLETE_VALUE, remove=remove)
