"""The record of one upload."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from csv_ingest import dynamodb, modes
from csv_ingest.ledger import items, keys, names, records, upload
from csv_ingest.ledger.parts import PartLedger
from csv_ingest.model import ObjectVersion, Owner, Plan, RejectedRow, RowCounts, TableAltered


@dataclass(frozen=True)
class FileLedger(upload.UploadLedger):
    """The record of one upload: `PROCESSING` from its first delivery on, then `COMPLETE`, or `REJECTED`.

    There is no lock. Concurrent deliveries write the same rows under the same keys, reject the same rows and come to
    the same sums. So it does not matter which delivery settles the record, and a crashed delivery blocks nobody.
    """

    record: records.FileRecord
    """As earlier deliveries had left it when it was read."""

    @classmethod
    def read(
        cls,
        table: dynamodb.DynamoDbTable,
        version: ObjectVersion,
        feed: str,
        mode: modes.WriteMode,
        *,
        rows_expire: bool = False,
        keep_days: int | None = None,
    ) -> "FileLedger":
        """What the ledger has of an upload, and keeps for some days after it is settled. One strongly consistent read.

        Two, if each version is an upload of its own, and the entries of the ETag are not those of this one: then its
        entries begin with `<etag>~<version id>`, if the others are another one's, or if they are free because the other
        one was forgotten, and the upload has had its own before. Where rows expire, all entries begin so, but those of
        uploads from before, which never expire: two reads, but for an upload that has its own.
        """
        return cls._read(table, feed, keys.Entries(version, mode, rows_expire=rows_expire, keep_days=keep_days))

    def again(self) -> "FileLedger":
        """What the ledger has by now."""
        return self._read(self.table, self.feed, self.entries)

    @classmethod
    def _read(cls, table: dynamodb.DynamoDbTable, feed: str, entries: keys.Entries) -> "FileLedger":
        if entries.rows_expire:
            return cls._read_expiring(table, feed, entries)
        found = cls._of(table, feed, entries)
        is_own = found.record.version_id == entries.version.version_id
        if entries.is_later or is_own or not entries.mode.each_version:
            return found
        own = cls._of(table, feed, replace(entries, is_later=True))
        return own if found.record.status or own.record.status else found

    @classmethod
    def _read_expiring(cls, table: dynamodb.DynamoDbTable, feed: str, entries: keys.Entries) -> "FileLedger":
        own = cls._of(table, feed, replace(entries, is_later=True))
        if own.record.status:
            return own
        before = cls._of(table, feed, replace(entries, is_later=False))
        is_own = before.record.version_id == entries.version.version_id
        is_kept = before.record.is_planned and not before.record.rows_expire_at and not entries.mode.each_version
        return before if is_own or is_kept else own

    @classmethod
    def _of(cls, table: dynamodb.DynamoDbTable, feed: str, entries: keys.Entries) -> "FileLedger":
        record = records.FileRecord.of(table.get(keys.key_of(entries)))
        return cls(table, feed, entries, record)

    @property
    def parts(self) -> PartLedger:
        """What the ledger holds of the upload's parts."""
        return PartLedger(self.table, self.feed, self.entries, self.record.rows_expire_at)

    def begin(self, *, attempt: int) -> bool:
        """Record that a delivery of the upload has started, the n-th since the last progress.

        Returns False, and records nothing, if the file is complete, or was planned for another version of the object:
        whether this version has the same content is for the caller to find out. If each version is an upload of its
        own, also if the entries are another one's by now.
        """
        started = self._started(attempt)
        recorded = "#version_id" if self.entries.mode.each_version else "#rows_read"
        another = f"attribute_exists({recorded}) AND #version_id <> :version_id"
        condition = f"{names.UNLESS_COMPLETE} AND NOT ({another})"
        forgotten = ["reason", "settled_at", "last_error", *names.EXPIRY, *names.ACKNOWLEDGEMENT]
        stayed = self.table.update(
            self._key, started, condition=condition, values=names.COMPLETE_VALUE, remove=forgotten
        )
        return stayed is None

    def begin_planned(self, plan: Plan, owner: Owner) -> records.FileRecord | None:
        """`begin` and `record_readable` in one write; returns None, and records nothing, if the upload has a record."""
        first = self._started(1) | self._sums(RowCounts()) | items.about_plan(plan, owner)
        stayed = self.table.update(self._key, first, condition="attribute_not_exists(#status)")
        return self._planned(plan, owner) if stayed is None else None

    def _started(self, attempt: int) -> dynamodb.Item:
        """What is recorded of a delivery that has started, the n-th since the last progress."""
        now = items.now()
        started = items.processing(self.entries) | {"started_at": now, "attempts": {"N": str(attempt)}}
        return started | items.listed(self.feed, names.PROCESSING, now)

    def knows_version(self) -> bool:
        """Whether this version of the object was found to have the content that was planned for another one."""
        item = self.table.get(keys.key_of_version(self.entries.version))
        return bool(item) and not keys.is_rejected_version(item)

    def adopt_version(self) -> None:
        """Record that this version of the object has the content that was planned, or ingested, for another one.

        Of the other one, too, which may have been rejected before, under other settings. None of them is read again.
        """
        remove = ["status", "reason", "started_at", "settled_at", names.FEED_STATUS, names.STATUS_AT]
        for version in (self.record.object_version(self.entries.version.bucket), self.entries.version):
            adopted = items.about_version(version) | {"compared_at": items.now()}
            self.table.update(keys.key_of_version(version), adopted, condition=names.ALWAYS, remove=remove)
        self.table.update(self._key, adopted, condition="attribute_exists(#rows_read)")

    def record_readable(self, plan: Plan, owner: Owner) -> records.FileRecord:
        """Record how the file is read, with no row stored yet; returns the record of the first delivery to do so."""
        first = self._sums(RowCounts()) | items.about_plan(plan, owner) | self._processing_again()
        unchanged = self._update(first, remove=names.OF_REJECTION, unless="attribute_exists(#rows_read)")
        return self._planned(plan, owner) if unchanged is None else records.FileRecord.of(unchanged)

    def _planned(self, plan: Plan, owner: Owner) -> records.FileRecord:
        """The record of an upload that is read as planned, of which no row is stored yet."""
        return records.FileRecord(
            status=names.PROCESSING,
            counts=RowCounts(),
            format=plan.format,
            owner=owner,
            upload_order=plan.upload_order,
            uploaded_at=plan.uploaded_at,
            rows_expire_at=plan.rows_expire_at,
        )

    def checkpoint(self, counts: RowCounts) -> None:
        """Record how many rows are done, for the next delivery to continue after them; the number never decreases."""
        self._update(self._sums(counts), remove=["attempts"], unless="#rows_read >= :rows_read")

    def complete(self, counts: RowCounts) -> None:
        """Settle the upload as complete. Each row has to be confirmed by the destination, or recorded as rejected."""
        now = items.now()
        settled: dynamodb.Item = {"status": {"S": names.COMPLETE}, "settled_at": now}
        settled |= items.listed(self.feed, names.COMPLETE, now) | self._expiry
        earlier = ["reason", "check_begun_by", "attempts", "last_error", *names.ACKNOWLEDGEMENT]
        self._update(settled | self._sums(counts), remove=earlier)

    def reject(self, reason: str, uploaded_at: str = "") -> None:
        """Settle the upload as rejected, unless another delivery found the file readable, or began another version.

        A later delivery, under other settings, can begin the upload again. Unless each version is an upload of its own,
        the version gets a record of its own, too: the upload's record is, or becomes, that of another version.
        """
        now = items.now()
        settled: dynamodb.Item = {"status": {"S": names.REJECTED}, "settled_at": now, "reason": {"S": reason}}
        settled |= items.about_version(self.entries.version) | items.expiry(self.entries.keep_days, now["S"])
        if uploaded_at:
            settled[names.UPLOADED_AT] = {"S": uploaded_at}
        listed = items.listed(self.feed, names.REJECTED, now)
        overtaken = "attribute_exists(#rows_read) OR #version_id <> :version_id"
        remove = ["attempts", "last_error", *names.ACKNOWLEDGEMENT]
        stayed = self._update(settled | listed, remove=remove, unless=overtaken)
        is_readable = stayed is not None and records.FileRecord.of(stayed).version_id == self.entries.version.version_id
        if not self.entries.mode.each_version and not self.entries.is_later and not is_readable:
            own = settled | {"started_at": now} | (listed if stayed else {})
            remove = ["compared_at", *names.ACKNOWLEDGEMENT, *([] if stayed else listed)]
            self.table.update(keys.key_of_version(self.entries.version), own, condition=names.ALWAYS, remove=remove)

    def record_rejects(self, rows: Sequence[RejectedRow]) -> None:
        """Record rows that are not stored; repeating it changes nothing."""
        key, upload, expiry = self.entries.version.key, self.entries.upload, self._expiry
        rejects = [items.item_of_reject(key, upload, row) | expiry for row in rows]
        for start in range(0, len(rejects), dynamodb.MAX_STATEMENTS):
            self.table.insert_absent(rejects[start : start + dynamodb.MAX_STATEMENTS])

    def record_error(self, reason: str) -> None:
        """Record why the last delivery failed, of an upload that is being ingested."""
        condition, values = "#status = :processing", dynamodb.Item(processing={"S": names.PROCESSING})
        if self.entries.mode.each_version:  # it must not be told of an earlier version
            condition += " AND #version_id = :version_id"
            values["version_id"] = {"S": self.entries.version.version_id}
        self.table.update(self._key, {"last_error": {"S": reason}}, condition=condition, values=values)

    @property
    def _expiry(self) -> dynamodb.Item:
        """When what is recorded now expires, if it does."""
        return items.expiry(self.entries.keep_days, self.record.rows_expire_at)

    def _update(
        self, attributes: dynamodb.Item, *, remove: Sequence[str] = (), unless: str | None = None
    ) -> dynamodb.Item | None:
        """Update the record unless it is complete or `unless` holds; returns None, or the unchanged record.

        In that case another delivery updated it before, from the same content and with the same result. Raises
        TableAltered if there is no record any more.
        """
        condition = f"attribute_exists(#version_id) AND {names.UNLESS_COMPLETE}"
        if unless:
            condition += f" AND NOT ({unless})"
        stayed = self.table.update(
            self._key, attributes, condition=condition, values=names.COMPLETE_VALUE, remove=remove
        )
        if stayed == {}:
            raise TableAltered("the file's record was deleted during ingestion: the next delivery begins it again")
        return stayed
