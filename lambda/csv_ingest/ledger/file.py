"""The record of one upload, and its rejected rows."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from csv_ingest.counts import RowCounts
from csv_ingest.dynamodb_table import MAX_STATEMENTS, DynamoDbTable, Item
from csv_ingest.errors import RowsNotWritten, TableAltered
from csv_ingest.ledger import items, parts
from csv_ingest.plan import Content, Plan
from csv_ingest.rows import RejectedRow
from csv_ingest.target import Owner
from csv_ingest.uploads import ObjectVersion


class FileLedger:
    """The record of one upload: `PROCESSING` from its first delivery on, then `COMPLETE`, or `REJECTED`.

    There is no lock. Concurrent deliveries write the same rows under the same keys, reject the same rows and come to
    the same sums. So it does not matter which delivery settles the record, and a crashed delivery blocks nobody.
    """

    def __init__(self, table: DynamoDbTable, version: ObjectVersion, feed: str, *, merges: bool) -> None:
        """`merges` says whether each version of an object is an upload of its own."""
        self._table = table
        self._version = version
        self._feed = feed
        self._entries = items.Entries(version, merges=merges)

    @property
    def parts(self) -> parts.PartLedger:
        """What the ledger holds of the upload's parts. To be asked for after `read`."""
        return parts.PartLedger(self._table, self._entries, self._feed)

    def read(self) -> items.FileRecord:
        """The record as earlier deliveries left it. One strongly consistent read.

        Two, if each version is an upload of its own, and the entries of the ETag are not those of this one. If they are
        another one's, this object reads and writes the upload's own from then on; also if they are free, because the
        other one was forgotten, and the upload has had its own before.
        """
        record = items.FileRecord.of(self._table.get(self._key))
        if record.version_id == self._version.version_id or not self._entries.merges or self._entries.is_later:
            return record
        later = replace(self._entries, is_later=True)
        own = items.FileRecord.of(self._table.get(items.key_of(later)))
        if not record.status and not own.status:
            return record
        self._entries = later
        return own

    def begin(self, *, attempt: int) -> bool:
        """Record that a delivery of the upload has started, the n-th since the last progress.

        Returns False, and records nothing, if the file is complete, or was planned for another version of the object:
        whether this version has the same content is for the caller to find out. If each version is an upload of its
        own, also if the entries are another one's by now.
        """
        started = items.processing(self._entries)
        started |= {"started_at": items.now(), "attempts": {"N": str(attempt)}}
        recorded = "#version_id" if self._entries.merges else "#rows_read"
        another = f"attribute_exists({recorded}) AND #version_id <> :version_id"
        condition = f"{items.UNLESS_COMPLETE} AND NOT ({another})"
        forgotten = ["reason", "settled_at", "last_error", *items.ACKNOWLEDGEMENT]
        stayed = self._table.update(
            self._key, started, condition=condition, values=items.COMPLETE_VALUE, remove=forgotten
        )
        return stayed is None

    def content(self) -> Content | None:
        """What the ETag stands for, under any object key of the feed; None if no upload with it was planned yet.

        Raises BeingErased.
        """
        item = self._table.get(items.key_of_content(self._entries.content, self._feed))
        return items.content_of(items.require_not_erased(item))

    def claim_content(self, content: Content) -> Content:
        """Record what the ETag stands for, unless it is recorded; returns what is recorded. Raises BeingErased.

        No row is stored before this, so that an erasure that has begun meets no row that it does not know of.
        """
        key = items.key_of_content(self._entries.content, self._feed)
        unclaimed = f"attribute_not_exists(#sha256) AND attribute_not_exists(#{items.ERASING})"
        stayed = self._table.update(key, items.about_content(content), condition=unclaimed)
        return content if stayed is None else items.content_of(items.require_not_erased(stayed)) or content

    def knows_version(self) -> bool:
        """Whether this version of the object was found to have the content that was planned for another one."""
        item = self._table.get(items.key_of_version(self._version))
        return bool(item) and not items.is_rejected_version(item)

    def adopt_version(self, planned: items.FileRecord) -> None:
        """Record that this version of the object has the content that was planned, or ingested, for another one.

        Of the other one, too, which may have been rejected before, under other settings. None of them is read again.
        """
        remove = ["status", "reason", "started_at", "settled_at"]
        for version in (planned.object_version(self._version.bucket), self._version):
            adopted = items.about_version(version) | {"compared_at": items.now()}
            self._table.update(items.key_of_version(version), adopted, condition=items.ALWAYS, remove=remove)
        self._table.update(self._key, adopted, condition="attribute_exists(#rows_read)")

    def reject_rows(self, rows: Sequence[RejectedRow]) -> None:
        """Record rows that are not stored; repeating it changes nothing."""
        rejects = [items.item_of_reject(self._version.key, self._entries.upload, row) for row in rows]
        for start in range(0, len(rejects), MAX_STATEMENTS):
            self._table.insert_absent(rejects[start : start + MAX_STATEMENTS])

    def rejected_lines(self, first: int) -> set[int]:
        """The lines, from one on, that are recorded as rejected."""
        key = self._key
        found = self._table.query(
            "object_key = :key AND entry BETWEEN :first AND :last",
            {
                "key": key["object_key"],
                "first": items.key_of_reject(self._version.key, self._entries.upload, first)["entry"],
                "last": items.key_of_reject(self._version.key, self._entries.upload, items.MAX_LINE)["entry"],
            },
        )
        return {items.reject_of(item).line for item in found}

    def record_readable(self, plan: Plan, owner: Owner) -> items.FileRecord:
        """Record how the file is read, with no row stored yet; returns the record of the first delivery to do so."""
        first = self._sums(RowCounts()) | items.about_plan(plan.format, owner, plan.uploaded)
        # Another delivery, under other settings, may have rejected the file meanwhile.
        first |= items.processing(self._entries)
        unchanged = self._update(first, remove=items.OF_REJECTION, unless="attribute_exists(#rows_read)")
        if unchanged is not None:
            return items.FileRecord.of(unchanged)
        return items.FileRecord(
            status=items.PROCESSING,
            counts=RowCounts(),
            format=plan.format,
            owner=owner,
            uploaded=plan.uploaded,
        )

    def checkpoint(self, counts: RowCounts) -> None:
        """Record how many rows are done, for the next delivery to continue after them; the number never decreases."""
        self._update(self._sums(counts), remove=["attempts"], unless="#rows_read >= :rows_read")

    def complete(self, counts: RowCounts) -> None:
        """Settle the upload as complete. Each row has to be confirmed by the destination, or recorded as rejected."""
        settled: Item = {"status": {"S": items.COMPLETE}, "settled_at": items.now()}
        earlier = ["reason", "check_begun_by", "attempts", "last_error", *items.ACKNOWLEDGEMENT]
        self._update(settled | self._sums(counts), remove=earlier)

    def reject_file(self, reason: str) -> None:
        """Settle the upload as rejected, unless another delivery found the file readable, or began another version.

        A later delivery, under other settings, can begin the upload again. Unless each version is an upload of its own,
        the version gets a record of its own, too: the upload's record is, or becomes, that of another version.
        """
        settled: Item = {"status": {"S": items.REJECTED}, "settled_at": items.now(), "reason": {"S": reason}}
        settled |= items.about_version(self._version)
        overtaken = "attribute_exists(#rows_read) OR #version_id <> :version_id"
        stayed = self._update(settled, remove=["attempts", "last_error", *items.ACKNOWLEDGEMENT], unless=overtaken)
        is_readable = stayed is not None and items.FileRecord.of(stayed).version_id == self._version.version_id
        if not self._entries.merges and not is_readable:
            own = settled | {"started_at": items.now()}
            remove = ["compared_at", *items.ACKNOWLEDGEMENT]
            self._table.update(items.key_of_version(self._version), own, condition=items.ALWAYS, remove=remove)

    def record_error(self, reason: str) -> None:
        """Record why a delivery failed, as far as that can be recorded: the error itself is what must be told."""
        with suppress(RowsNotWritten, ClientError, BotoCoreError):
            processing: Item = {"processing": {"S": items.PROCESSING}}
            error: Item = {"last_error": {"S": reason}}
            condition = "#status = :processing"
            if self._entries.merges:  # an error before the first read must not be told of an earlier version
                condition += " AND #version_id = :version_id"
                processing |= {"version_id": {"S": self._version.version_id}}
            self._table.update(self._key, error, condition=condition, values=processing)

    def _sums(self, counts: RowCounts) -> Item:
        return items.sums(counts, merges=self._entries.merges)

    @property
    def _key(self) -> Item:
        return items.key_of(self._entries)

    def _update(self, attributes: Item, *, remove: Sequence[str] = (), unless: str | None = None) -> Item | None:
        """Update the record unless it is complete or `unless` holds; returns None, or the unchanged record.

        In that case another delivery updated it before, from the same content and with the same result. Raises
        TableAltered if there is no record any more.
        """
        condition = f"attribute_exists(#version_id) AND {items.UNLESS_COMPLETE}"
        if unless:
            condition += f" AND NOT ({unless})"
        stayed = self._table.update(
            self._key, attributes, condition=condition, values=items.COMPLETE_VALUE, remove=remove
        )
        if stayed == {}:
            raise TableAltered("the file's record was deleted during ingestion: the next delivery begins it again")
        return stayed
