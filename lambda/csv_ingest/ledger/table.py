"""The ledger of all uploads, for the sweep and for the operators' commands."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from csv_ingest.dynamodb import MAX_KEYS, DynamoDbTable, Item
from csv_ingest.ledger import erasures, items, keys, names, notices, repairs, sweeps
from csv_ingest.ledger.records import FileRecord
from csv_ingest.model import FILES_INDEX, FILES_KEY, Content, Deadline, ObjectVersion, Phase, RejectedRow, Upload

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


LAST = "~"
"""After every time, as a text."""


class Listed(NamedTuple):
    """One upload in the index."""

    at: str
    """Since when it has its status; ISO 8601, UTC."""
    key: Item
    """Of its record."""

    @property
    def object_key(self) -> str:
        return self.key["object_key"]["S"]


class FilesTable:
    """The records of all uploads, and their rejected rows."""

    def __init__(self, client: "DynamoDBClient", name: str, *, deadline: Deadline) -> None:
        self._table = DynamoDbTable(client, name, deadline=deadline)
        self.erasures = erasures.Erasures(self._table)
        """What operators take back."""
        self.repairs = repairs.Repairs(self._table)
        """What audits correct."""
        self.notices = notices.NoticeLedger(self._table)
        """Who was told of what."""
        self.sweeps = sweeps.SweepLedger(self._table)
        """How far the sweep came."""

    def record(self, version: ObjectVersion) -> FileRecord:
        """The record of an upload; empty if there is none yet."""
        [record] = self._records([version])
        return record

    def records(self, uploads: Iterable[Upload]) -> Iterator[tuple[Upload, FileRecord]]:
        """Pair each upload with its record, in the order of the uploads; one or two requests per hundred uploads.

        Versions with the same key and ETag share a record, as long as none was found to have other content. A version
        that was rejected has a record of its own, which says nothing of the others. In a feed that merges, and where
        rows expire, each version has its own.
        """
        remaining = iter(uploads)
        while some := list(islice(remaining, MAX_KEYS)):
            yield from zip(some, self._records([upload.version for upload in some]), strict=True)

    def _records(self, versions: Sequence[ObjectVersion]) -> list[FileRecord]:
        shared = self._get([keys.key_of(keys.Entries(version)) for version in versions])
        found = [shared.get((version.key, version.etag), FileRecord()) for version in versions]
        # Only where the record is that of another version, records of single versions matter.
        wanted = [
            key
            for version, record in zip(versions, found, strict=True)
            if record.version_id != version.version_id
            for key in _keys_of_versions(version, record)
        ]
        single = self._get(wanted)
        return [_own_record(version, record, single) for version, record in zip(versions, found, strict=True)]

    def _get(self, wanted: Sequence[Item]) -> "_Records":
        """The records under some keys, by object key and entry."""
        distinct = {_name(key): key for key in wanted}  # a request must not name a key twice
        return {_name(item): FileRecord.of(item) for item in self._table.get_many(distinct.values())}

    def records_of_key(self, key: str) -> list[FileRecord]:
        """The records of an object key, one per upload: the latest delivery first.

        In a feed that merges: the newest upload first.
        """
        found: dict[tuple[str, str | None], FileRecord] = {}
        shared = FileRecord()
        # In the order of the entries: the record of an upload comes before the records of its versions.
        for item in self._table.query("object_key = :key", {"key": {"S": key}}):
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

    def rows_read_in_parts(self, record: FileRecord) -> int:
        """How many rows the parts of a file have read in its present phase, by their checkpoints."""
        phase = Phase.STORE if record.parts_checked is None else Phase.CHECK
        parts = self._table.query(*keys.below(record.object_key, f"{record.upload}{keys.PART_PREFIXES[phase]}"))
        return sum(FileRecord.of(part).attributes.get(names.SUMS[0], 0) for part in parts)

    def rejected_rows(self, record: FileRecord, *, at_once: int | None = None) -> Iterator[RejectedRow]:
        """The rejected rows of an upload, by line; none if it has no record.

        A request reads `at_once` of them, and otherwise a megabyte, which is some thousands.
        """
        if not record.attributes:
            return iter(())
        more: Any = {"Limit": at_once} if at_once else {}
        found = self._table.query(*keys.below(record.object_key, f"{record.upload}{keys.REJECTS}"), **more)
        return map(items.reject_of, found)

    def content(self, content: str, feed: str) -> Content | None:
        """What is recorded under the key of a content in a feed; None if no upload with it was planned yet."""
        return items.content_of(self._table.get(keys.key_of_content(content, feed)))

    def records_of_content(self, etag: str) -> list[FileRecord]:
        """The records of all uploads with an ETag, of any feed; reads the whole table."""
        records = (FileRecord.of(item) for item in self._table.scan() if keys.MARK not in item["entry"]["S"])
        return [record for record in records if record.etag == etag]

    def uploads(self, feed: str) -> Iterator[FileRecord]:
        """The record of every upload that a feed ingests, or has, in any order.

        Of uploads that are rejected, or were not read to their end, no row is stored.
        """
        records = (FileRecord.of(item) for item in self._table.scan() if keys.MARK not in item["entry"]["S"])
        return (record for record in records if record.owner.feed == feed and record.status != names.REJECTED)

    def known_uploads(self, feed: str) -> Iterator[str]:
        """What tells the rows of each upload from those of others, of all that a feed has ingested, some twice.

        Also of uploads whose records have expired: what is recorded of their contents stays. Reads the whole table.
        """
        content = keys.key_of_content("", feed)["entry"]
        for item in self._table.scan():
            if item["entry"] == content and (known := items.content_of(item)):
                yield known.upload_order or item["object_key"]["S"]
            elif keys.MARK not in item["entry"]["S"]:
                record = FileRecord.of(item)
                if record.owner.feed == feed and record.status != names.REJECTED:
                    yield record.origin.upload

    def listed(
        self, feed: str, status: str, *, since: str = "", before: str = LAST, at_once: int | None = None
    ) -> Iterator[FileRecord]:
        """The uploads of a feed that have a status since a time or later, and before another: the latest first.

        The index finds them, a read unit per some twenty; their records, a read unit each, are read as they are now. Of
        releases before 1.4, no upload is in the index. `at_once` is as for `index`, and how many records are read
        together, otherwise a hundred.
        """
        found = (entry.key for entry in self.index(feed, status, since=since, before=before, at_once=at_once))
        while some := list(islice(found, at_once or MAX_KEYS)):
            yield from self._in_status(some, keys.feed_status(feed, status))

    def first_listed(self, feed: str, status: str) -> tuple[list[FileRecord], int]:
        """The first of `listed`, at most a hundred, and how many there are, about: one request reads their records."""
        found = [entry.key for entry in self.index(feed, status)]
        first = found[:MAX_KEYS]
        records = list(self._in_status(first, keys.feed_status(feed, status)))
        return records, len(found) - len(first) + len(records)

    def _in_status(self, found: Sequence[Item], feed_status: str) -> Iterator[FileRecord]:
        """The records under some keys of the index that still have the status that the index has of them."""
        for record in self.records_under(found):
            if record.attributes.get(names.FEED_STATUS) == feed_status:
                yield record

    def last(self, feed: str, status: str, *, since: str = "", before: str = LAST) -> FileRecord | None:
        """The first of `listed`, for one read unit and one for its record."""
        # Two, since one that has `before` as its time is found as well, and left out.
        found = islice(self.index(feed, status, since=since, before=before, at_once=2), 1)
        return next(iter(self.records_under([entry.key for entry in found])), None)

    @property
    def has_index(self) -> bool:
        """Whether `listed` can be asked: not in a deployment of a release before 1.4."""
        return self._table.has_index(FILES_INDEX)

    def index(
        self, feed: str, status: str, *, since: str = "", before: str = LAST, at_once: int | None = None
    ) -> Iterator[Listed]:
        """What the index has of the uploads that `listed` yields: no record is read.

        A request reads `at_once` of them, and otherwise a megabyte, which is some thousands.
        """
        more: Any = {"Limit": at_once} if at_once else {}
        found = self._table.query(
            f"{names.FEED_STATUS} = :feed_status AND {names.STATUS_AT} BETWEEN :since AND :before",
            {
                "feed_status": {"S": keys.feed_status(feed, status)},
                "since": {"S": since or " "},
                "before": {"S": before},
            },
            index=FILES_INDEX,
            ScanIndexForward=False,
            **more,
        )
        for item in found:
            if (at := item[names.STATUS_AT]["S"]) != before:
                yield Listed(at, {name: item[name] for name in FILES_KEY})

    def records_under(self, some: Sequence[Item]) -> list[FileRecord]:
        """The records under different keys, in their order, as they are now; a key may have none."""
        found = self._get(some)
        return [found[name] for name in map(_name, some) if name in found]

    def acknowledge(self, record: FileRecord, by: str, reason: str) -> FileRecord:
        """Note on a settled record that somebody knows of it; returns the record as it is then.

        The first note stays. A record that is being erased, or was settled anew since it was read, gets none.
        """
        key = keys.key_of_entry(record.object_key, record.attributes["entry"])
        unchanged = f"#settled_at = :seen AND attribute_not_exists(#{names.ERASING})"
        first = f"attribute_not_exists(#{names.ACKNOWLEDGEMENT[0]})"
        seen: Item = {"seen": {"S": record.attributes["settled_at"]}}
        self._table.update(key, items.acknowledged(by, reason), condition=f"{unchanged} AND {first}", values=seen)
        return FileRecord.of(self._table.get(key))


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
    if own:
        return own
    return _shared_record(version, record, *others) if others else record


def _shared_record(
    version: ObjectVersion, record: FileRecord, of_version: FileRecord | None, of_other: FileRecord | None
) -> FileRecord:
    """The record of a version, of that of its key and ETag, which is another version's, and of those of the two."""
    if of_version and not of_version.status:  # it was compared
        return replace(record, version_id=version.version_id)
    if of_version:
        return record if _are_the_same(of_version, record) else of_version
    # The record is that of another version, which can have been rejected because of its own content.
    is_not_its_own = record.is_of_one_version or (of_other and of_other.status and record.status == names.REJECTED)
    return FileRecord() if is_not_its_own else record


def _are_the_same(of_version: FileRecord, shared: FileRecord) -> bool:
    """Whether a version was rejected for the reason for which its upload was, in another version."""
    return (
        of_version.status == shared.status == names.REJECTED
        and of_version.etag == shared.etag
        and of_version.reason == shared.reason
    )
