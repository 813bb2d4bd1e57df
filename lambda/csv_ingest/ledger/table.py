"""The ledger of all uploads, for the sweep and for the operators' commands."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from csv_ingest.counts import RowCounts
from csv_ingest.dynamodb_table import MAX_KEYS, MAX_STATEMENTS, DynamoDbTable, Item
from csv_ingest.errors import BeingErased
from csv_ingest.ledger import items, keys, names
from csv_ingest.ledger.records import FileRecord
from csv_ingest.modes import WriteMode
from csv_ingest.plan import Content, Phase
from csv_ingest.rows import RejectedRow
from csv_ingest.target import Owner
from csv_ingest.uploads import ObjectVersion, Upload


class FilesTable:
    """The records of all uploads, and their rejected rows."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def record(self, version: ObjectVersion) -> FileRecord:
        """The record of an upload; empty if there is none yet."""
        [record] = self._records([version])
        return record

    def records(self, uploads: Iterable[Upload]) -> Iterator[tuple[Upload, FileRecord]]:
        """Pair each upload with its record, in the order of the uploads; one or two requests a hundred uploads.

        Versions with the same key and ETag share a record, as long as none was found to have other content. A version
        that was rejected has a record of its own, which says nothing of the others. In a feed that merges, each version
        has its own.
        """
        remaining = iter(uploads)
        while some := list(islice(remaining, MAX_KEYS)):
            yield from zip(some, self._records([upload.version for upload in some]), strict=True)

    def _records(self, versions: Sequence[ObjectVersion]) -> list[FileRecord]:
        shared = self._get([keys.key_of(keys.Entries(version)) for version in versions])
        found = [shared.get((version.key, version.etag), FileRecord()) for version in versions]
        # Only where the record is that of another version, records of single versions matter.
        keys = [
            key
            for version, record in zip(versions, found, strict=True)
            if record.version_id != version.version_id
            for key in _keys_of_versions(version, record)
        ]
        single = self._get(keys)
        return [_own_record(version, record, single) for version, record in zip(versions, found, strict=True)]

    def _get(self, keys: Sequence[Item]) -> "_Records":
        """The records under some keys, by object key and entry."""
        distinct = list({_name(key): key for key in keys}.values())  # a request must not name a key twice
        chunks = (distinct[start : start + MAX_KEYS] for start in range(0, len(distinct), MAX_KEYS))
        return {_name(item): FileRecord.of(item) for chunk in chunks for item in self._table.get_many(chunk)}

    def records_of_key(self, key: str) -> list[FileRecord]:
        """The records of an object key, one an upload: the latest delivery first; in a feed that merges, the newest."""
        found: dict[tuple[str, str | None], FileRecord] = {}
        shared = FileRecord()
        for item in self._entries(key):  # the record of an upload comes before the records of its versions
            record = FileRecord.of(item)
            if keys.MARK not in item["entry"]["S"]:
                shared = record
            elif not keys.is_rejected_version(item) or _are_the_same(record, shared):
                continue
            found.setdefault((record.etag, record.version_id), record)
        # Both times are in UTC, in the same notation.
        return sorted(
            found.values(),
            key=lambda record: record.upload_order or str(record.attributes.get("started_at", "")),
            reverse=True,
        )

    def upload_of(self, version: ObjectVersion) -> str:
        """What the entries of a version begin with, if each is an upload of its own, also before its first delivery."""
        first, later = keys.Entries(version), keys.Entries(version, is_later=True)
        shared = FileRecord.of(self._table.get(keys.key_of(first)))
        is_own = shared.version_id == version.version_id
        is_free = not shared.status and not self._table.get(keys.key_of(later))
        return first.upload if is_own or is_free else later.upload

    def rows_read_in_parts(self, record: FileRecord) -> int:
        """How many rows the parts of a file have read in its present phase, by their checkpoints."""
        phase = Phase.STORE if record.parts_checked is None else Phase.CHECK
        parts = self._entries(record.attributes["object_key"], f"{record.upload}{keys.PART_PREFIXES[phase]}")
        return sum(FileRecord.of(part).attributes.get(names.SUMS[0], 0) for part in parts)

    def rejected_rows(self, record: FileRecord) -> Iterator[RejectedRow]:
        """The rejected rows of an upload, by line; none if it has no record."""
        if not record.attributes:
            return iter(())
        return map(items.reject_of, self._entries(record.attributes["object_key"], f"{record.upload}{keys.REJECTS}"))

    # In what follows, `content` is the result of `name_of_content`, and `upload` what the entries of an upload begin
    # with: FileRecord.upload, or the ETag.

    def content(self, content: str, feed: str) -> Content | None:
        """What is recorded of a content in a feed; None if no upload with it was planned yet."""
        return items.content_of(self._table.get(keys.key_of_content(content, feed)))

    def erasing(self, content: str, feed: str) -> str:
        """Which command takes back what was ingested of a content in a feed; empty if none."""
        item = self._table.get(keys.key_of_content(content, feed))
        return item[names.ERASING]["S"] if names.ERASING in item else ""

    def begin_erasing(self, content: str, feed: str, command: str, object_key: str) -> datetime:
        """Have no delivery begin to store rows of a content of a feed from now on; returns since when that is so.

        Deliveries that have begun can store rows until they end. Several keys of a content can be forgotten at a time,
        and to forget it ends a reload, which finds that out by `is_erasing`. Raises BeingErased if a content is to be
        reloaded that is being forgotten.
        """
        erasing: Item = {names.ERASING: {"S": command}, names.ERASING_SINCE: items.now()}
        key = keys.key_of_content(content, feed)
        if command == names.FORGET:
            found = self._table.add_to_set(key, names.ERASING_KEYS, object_key, attributes=erasing)
            return datetime.fromisoformat(found[names.ERASING_SINCE]["S"])
        stayed = self._table.update(key, erasing, condition=f"attribute_not_exists(#{names.ERASING})")
        if stayed and stayed[names.ERASING]["S"] != command:
            raise BeingErased("the same content is being forgotten: end that first")
        return datetime.fromisoformat((stayed or erasing)[names.ERASING_SINCE]["S"])

    def is_erasing(self, content: str, feed: str, command: str, object_key: str) -> bool:
        """Whether a command that has begun has not been ended by another run of it, or by a forget."""
        item = self._table.get(keys.key_of_content(content, feed))
        if names.ERASING not in item or item[names.ERASING]["S"] != command:
            return False
        return command != names.FORGET or object_key in item.get(names.ERASING_KEYS, {}).get("SS", ())

    def leave_erasing(self, content: str, feed: str, object_key: str) -> None:
        """Note that a key of a content is not being forgotten any more."""
        self._table.remove_from_set(keys.key_of_content(content, feed), names.ERASING_KEYS, object_key)

    def cancel_erasing(self, content: str, feed: str) -> None:
        """Undo `begin_erasing`, unless keys are being forgotten: what is recorded of the content is as it was."""
        key = keys.key_of_content(content, feed)
        nobody = f"attribute_exists(#sha256) AND attribute_not_exists(#{names.ERASING_KEYS})"
        if recorded := items.content_of(self._table.get(key)):
            remove = [names.ERASING, names.ERASING_SINCE]
            self._table.update(key, items.about_content(recorded), condition=nobody, remove=remove)
        else:
            self._table.delete(key, condition=f"attribute_not_exists({names.ERASING_KEYS})")

    def end_erasing(self, content: str, feed: str) -> None:
        """Forget what is recorded of a content, unless keys are being forgotten: the next delivery reads it anew."""
        key = keys.key_of_content(content, feed)
        self._table.delete(keys.key_of_duplicates(content, feed))
        is_over = f"attribute_exists({names.ERASING}) AND attribute_not_exists({names.ERASING_KEYS})"
        self._table.delete(key, condition=is_over)

    def mark_version_erasing(self, version: ObjectVersion, mode: WriteMode, command: str) -> datetime:
        """As `mark_erasing`, where each version is an upload of its own: whether or not a delivery of it has begun."""
        marked = items.processing(keys.Entries(version, mode)) | items.erasing(command)
        unless_marked = f"NOT (#{names.ERASING} = :{names.ERASING})"
        own = "(attribute_not_exists(#version_id) OR #version_id = :version_id)"
        while True:
            key = keys.key_of_entry(version.key, self.upload_of(version))
            stayed = self._table.update(key, marked, condition=f"{unless_marked} AND {own}")
            if stayed is None or stayed["version_id"] == marked["version_id"]:
                return datetime.fromisoformat((stayed or marked)[names.ERASING_SINCE]["S"])

    def mark_erasing(self, object_key: str, upload: str, command: str) -> datetime:
        """Have every delivery of an upload take it for complete, and the sweep for unsettled; returns since when.

        Repeating it changes nothing, nor does reloading a file that is being forgotten: that goes before.
        """
        marked = items.erasing(command)
        unless_marked = f"NOT (#{names.ERASING} = :{names.ERASING} OR #{names.ERASING} = :forget)"
        forget: Item = {"forget": {"S": names.FORGET}}
        key = keys.key_of_entry(object_key, upload)
        stayed = self._table.update(key, marked, condition=unless_marked, values=forget)
        return datetime.fromisoformat((stayed or marked)[names.ERASING_SINCE]["S"])

    def mark_rows_erased(self, object_key: str, upload: str) -> None:
        """Note that no row of an upload that is being erased is stored any more."""
        key = keys.key_of_entry(object_key, upload)
        self._table.update(key, {"rows_erased_at": items.now()}, condition=f"attribute_exists(#{names.ERASING})")

    def erase_entries(self, object_key: str, upload: str) -> None:
        """Delete the rejected rows, the plan and the parts of an upload; not the records of rejected versions."""
        found = self._entries(object_key, f"{upload}{keys.MARK}")
        self._delete_all(item for item in found if not keys.is_rejected_version(item))

    def erase_upload(self, object_key: str, upload: str) -> None:
        """Delete everything about an upload and its versions; its record last of all."""
        self._delete_all(self._entries(object_key, f"{upload}{keys.MARK}"))
        self.erase_record(object_key, upload)

    def erase_record(self, object_key: str, upload: str) -> None:
        """Delete the record of an upload, as if no delivery had begun."""
        self._table.delete(keys.key_of_entry(object_key, upload))

    def records_of_content(self, etag: str) -> list[FileRecord]:
        """The records of all uploads with an ETag, of any feed; reads the whole table."""
        return [FileRecord.of(item) for item in self._table.scan() if item["entry"]["S"] == etag]

    def uploads(self, feed: str) -> Iterator[FileRecord]:
        """The record of every upload that a feed ingests, or has, in any order.

        Of uploads that are rejected, or were not read to their end, no row is stored.
        """
        records = (FileRecord.of(item) for item in self._table.scan() if keys.MARK not in item["entry"]["S"])
        return (record for record in records if record.owner.feed == feed and record.status != names.REJECTED)

    def record_reject(self, object_key: str, upload: str, row: RejectedRow) -> None:
        """Record a rejected row of an upload, whatever is recorded for its line: a repair."""
        self._table.put(items.item_of_reject(object_key, upload, row))

    def remove_reject(self, object_key: str, upload: str, line: int) -> None:
        """Delete the record of a rejected row, if there is one: a repair."""
        self._table.delete(keys.key_of_reject(object_key, upload, line))

    def mark_duplicate_ids(self, content: str, feed: str) -> None:
        """As PartLedger.mark_duplicate_ids: a repair does not know which lines are stored."""
        self._table.insert_absent([keys.key_of_duplicates(content, feed)])

    def correct_counts(self, object_key: str, upload: str, counts: RowCounts, mode: WriteMode) -> None:
        """Set the counts of a complete upload; does nothing if the upload is not complete: a repair."""
        key, complete = keys.key_of_entry(object_key, upload), "#status = :complete"
        corrected = items.sums(counts, mode)
        self._table.update(
            key, corrected, condition=complete, values=names.COMPLETE_VALUE, remove=names.ACKNOWLEDGEMENT
        )

    def acknowledge(self, record: FileRecord, by: str, reason: str) -> FileRecord:
        """Note on a settled record that somebody knows of it; returns the record as it is then.

        The first note stays. A record that is being erased, or was settled anew since it was read, gets none.
        """
        key = keys.key_of_entry(record.attributes["object_key"], record.attributes["entry"])
        unchanged = f"#settled_at = :seen AND attribute_not_exists(#{names.ERASING})"
        first = f"attribute_not_exists(#{names.ACKNOWLEDGEMENT[0]})"
        seen: Item = {"seen": {"S": record.attributes["settled_at"]}}
        self._table.update(key, items.acknowledged(by, reason), condition=f"{unchanged} AND {first}", values=seen)
        return FileRecord.of(self._table.get(key))

    def move(self, object_key: str, upload: str, owner: Owner) -> None:
        """Record that the rows of a complete upload are where its feed stores them today: a repair."""
        key, complete = keys.key_of_entry(object_key, upload), "#status = :complete"
        self._table.update(
            key, {names.TARGET: {"S": str(owner.target)}}, condition=complete, values=names.COMPLETE_VALUE
        )

    def _delete_all(self, found: Iterable[Item]) -> None:
        keys: Iterator[Item] = ({name: item[name] for name in keys.KEY} for item in found)
        while some := list(islice(keys, MAX_STATEMENTS)):
            self._table.delete_many(some)

    def _entries(self, key: str, beginning: str = "") -> Iterator[Item]:
        if not beginning:
            return self._table.query("object_key = :key", {"key": {"S": key}})
        condition = "object_key = :key AND begins_with(entry, :beginning)"
        return self._table.query(condition, {"key": {"S": key}, "beginning": {"S": beginning}})


_Records = Mapping[tuple[str, str], FileRecord]
"""Records by object key and entry."""


def _name(item: Item) -> tuple[str, str]:
    return item["object_key"]["S"], item["entry"]["S"]


def _keys_of_versions(version: ObjectVersion, record: FileRecord) -> list[Item]:
    """The keys of the records of single versions that say whose the record of a key and an ETag is."""
    own = keys.key_of(keys.Entries(version, is_later=True))
    if record.version_id is None:
        return [own]
    other = replace(version, version_id=record.version_id)
    return [own, *(keys.key_of_version(each) for each in (version, other))]


def _own_record(version: ObjectVersion, record: FileRecord, single: _Records) -> FileRecord:
    """The record of a version, of the record of its key and ETag and of those of single versions."""
    if record.version_id == version.version_id:
        return record
    own, *others = (single.get(_name(key)) for key in _keys_of_versions(version, record))
    if own or not others:
        return own or record
    of_version, of_other = others
    if of_version and not of_version.status:  # it was compared
        return replace(record, version_id=version.version_id)
    if of_version:
        return record if _are_the_same(of_version, record) else of_version
    # The record is that of another version, which can have been rejected because of its own content.
    is_not_its_own = record.mode.each_version or (of_other and of_other.status and record.status == names.REJECTED)
    return FileRecord() if is_not_its_own else record


def _are_the_same(of_version: FileRecord, shared: FileRecord) -> bool:
    """Whether a version was rejected for the reason for which its upload was, in another version."""
    return (
        of_version.status == shared.status == names.REJECTED
        and of_version.etag == shared.etag
        and of_version.reason == shared.reason
    )
