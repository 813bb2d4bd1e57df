"""What the ledger holds of an upload, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from csv_ingest import dynamodb, modes
from csv_ingest.ledger import keys, names
from csv_ingest.model import (
    DEFAULT_FEED,
    VERSION_MARK,
    CompleteFile,
    FileFormat,
    ObjectVersion,
    Origin,
    OtherTable,
    Owner,
    RowCounts,
    Target,
)

LONGEST_DELIVERY = timedelta(minutes=15)
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html"""

MAX_ATTEMPTS = 12
"""Deliveries in a row that end without progress, after which a file is tried no more: the three attempts of Lambda for
the upload, and for three sweeps."""


class Acknowledgement(NamedTuple):
    """That somebody knows of a settled upload that is not good, and nothing more has to be done."""

    at: datetime
    by: str
    """The ARN of the caller."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """What the ledger holds of one upload, or of one part of an upload; every field is empty if it has no item."""

    status: str | None = None
    counts: RowCounts | None = None
    """Confirmed rows; None until the file was read to its end."""
    format: FileFormat | None = None
    """How the first delivery read the file. Later deliveries read it so too, whatever the settings are."""
    owner: Owner = Owner()  # noqa: RUF009 - it is immutable
    """Which feed ingests the file, once it was read to its end, and where its rows are."""
    part_count: int = 0
    """How many parts the file has; 0 if one delivery ingests it whole."""
    parts_done: int = 0
    parts_checked: int | None = None
    """How many parts were compared with the destination after all were done; None if that was not necessary so far."""
    started_at: datetime | None = None
    """When the file was last delivered as a whole."""
    version_id: str | None = None
    """The version that was delivered last. Of a planned file, its content is known to be what is recorded."""
    attempts: int = 0
    """How many deliveries of the whole file have begun since the last progress."""
    last_error: str = ""
    """Why the last delivery of the whole file, or of a part of it, failed; empty if it could not tell."""
    erasing: str = ""
    """Which command takes back what was ingested, or has begun to; empty if none."""
    mode: modes.WriteMode = modes.APPEND
    """In which the feed read the file."""
    upload_order: str = ""
    """As in Origin; empty until the file was read to its end."""
    uploaded_at: str = ""
    """As in Plan; empty until the file was read."""
    rows_expire_at: str = ""
    """As in Plan."""
    attributes: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The item as it is in the table, numbers as int."""

    @classmethod
    def of(cls, item: dynamodb.Found) -> "FileRecord":
        """Read an item of the files table."""
        plain = {name: _plain(value) for name, value in item.items()}
        counted = names.SUMS[0] in plain
        started = plain.get("started_at")
        return cls(
            status=plain.get("status"),
            counts=RowCounts(*(plain.get(name, 0) for name in names.SUMS)) if counted else None,
            format=FileFormat.from_text(plain["format"]) if "format" in plain else None,
            owner=owner_of(item),
            part_count=plain.get("parts", 0),
            parts_done=plain.get("parts_done", 0),
            parts_checked=plain.get("parts_checked"),
            started_at=datetime.fromisoformat(started) if started else None,
            version_id=plain.get("version_id"),
            attempts=plain.get("attempts", 0),
            last_error=plain.get("last_error", ""),
            erasing=plain.get(names.ERASING, ""),
            mode=modes.MODES.get(str(plain.get(names.WRITE_MODE)), modes.APPEND),
            upload_order=plain.get(names.UPLOADED, ""),
            uploaded_at=plain.get(names.UPLOADED_AT, ""),
            rows_expire_at=plain.get(names.ROWS_EXPIRE_AT, ""),
            attributes=plain,
        )

    @property
    def feed(self) -> str:
        """The feed that delivered the upload, by which the index has it; of an upload that is not there, its owner."""
        return self.feed_of_status or self.owner.feed

    @property
    def is_planned(self) -> bool:
        """Whether a delivery has read the file to its end, and recorded how it is ingested."""
        return self.counts is not None

    @property
    def is_settled(self) -> bool:
        """Whether the file is complete or rejected, and nobody takes that back."""
        return self.status in names.SETTLED and not self.erasing

    @property
    def is_complete(self) -> bool:
        """Whether every row of the file has to be stored: it is complete, and nobody takes that back."""
        return self.status == names.COMPLETE and not self.erasing

    def require_owner(self, owner: Owner) -> None:
        """Raise OtherTable if the file was read to its end by another feed, or for another table."""
        if self.is_planned:
            require_owner(self.owner, owner, is_complete=self.status == names.COMPLETE)

    def is_stuck(self, now: datetime) -> bool:
        """Whether so many deliveries made no progress that another one would not either, and none of them still runs.

        Deliveries that run at the same time have not failed.
        """
        has_ended = self.started_at is not None and self.started_at < now - LONGEST_DELIVERY
        return has_ended and self.attempts >= MAX_ATTEMPTS

    @property
    def upload(self) -> str:
        """What the entries of the upload begin with; raises KeyError if there is no item."""
        return str(self.attributes["entry"]).partition(keys.MARK)[0]

    @property
    def etag(self) -> str:
        """The ETag of the upload; raises KeyError if there is no item."""
        return self.upload.partition(VERSION_MARK)[0]

    @property
    def origin(self) -> Origin:
        """What the rows of the upload say of it; raises KeyError if there is no item."""
        return self.origin_of(self.etag)

    def origin_of(self, etag: str) -> Origin:
        """As `origin`, of an upload with an ETag, whether there is an item or not."""
        return Origin(etag, self.upload_order, self.expires_at)

    @property
    def expires_at(self) -> datetime | None:
        """When the rows expire; None: never, or it is not known yet."""
        return datetime.fromisoformat(self.rows_expire_at) if self.rows_expire_at else None

    def is_expired(self, now: datetime) -> bool:
        """Whether no row of the upload has to be stored any more."""
        return self.expires_at is not None and self.expires_at <= now

    def name_of(self, version: ObjectVersion, mode: modes.WriteMode) -> tuple[str, str]:
        """The same for versions that are one upload: they share this record, or have none but the same key and ETag."""
        return version.key, self.entry or f"{mode.content_key(version)}, no record"

    @property
    def is_of_one_version(self) -> bool:
        """Whether another version of the object is another upload, though its bytes are the same.

        So it is where rows expire: those of the later version live longer.
        """
        return self.mode.each_version or bool(self.rows_expire_at)

    @property
    def object_key(self) -> str:
        """The object key of the upload; raises KeyError if there is no item."""
        return str(self.attributes["object_key"])

    @property
    def entry(self) -> str | None:
        """Under which entry of its key the upload is recorded; None if there is no item."""
        return self.attributes.get("entry")

    @property
    def size(self) -> int | None:
        """Bytes of the version that was delivered; None if the ledger does not say it."""
        return self.attributes.get("size")

    @property
    def settled_at(self) -> datetime | None:
        """When the file was completed or rejected last; None if it never was."""
        time = self.attributes.get("settled_at")
        return datetime.fromisoformat(time) if time else None

    @property
    def changed_at(self) -> datetime | None:
        """When the upload was settled; before that, when it was last delivered."""
        return self.settled_at or self.started_at

    @property
    def is_compared(self) -> bool:
        """Whether the upload was found to have the same content as one that was ingested before."""
        return "compared_at" in self.attributes

    @property
    def are_rows_erased(self) -> bool:
        """Whether the upload is being taken back, and no row of it is stored any more."""
        return "rows_erased_at" in self.attributes

    @property
    def reason(self) -> str:
        """Why the file was rejected; empty if it was not."""
        return str(self.attributes.get("reason", ""))

    @property
    def feed_of_status(self) -> str | None:
        """The feed under which the index has the upload; None if it has not: then another record is the upload's."""
        status = self.attributes.get(names.FEED_STATUS)
        return str(status).rpartition(keys.MARK)[0] if status else None

    @property
    def is_of_upload(self) -> bool:
        """Whether it is the record of an upload, and not of a part or of a single version."""
        return "status" in self.attributes and keys.MARK not in str(self.attributes["entry"])

    @property
    def acknowledgement(self) -> Acknowledgement | None:
        """Who knows of the outcome; None if it was not acknowledged."""
        at, by, reason = (self.attributes.get(name) for name in names.ACKNOWLEDGEMENT)
        return Acknowledgement(datetime.fromisoformat(at), str(by), str(reason)) if at and self.is_settled else None

    def complete_file(self, uploaded_at: str) -> CompleteFile:
        """The upload as a complete file, with a time that is known otherwise; raises KeyError if there is no item."""
        version_id, counts = self.version_id or "", self.counts or RowCounts()
        return CompleteFile(self.origin.upload, self.object_key, self.etag, version_id, uploaded_at, counts)

    def object_version(self, bucket: str) -> ObjectVersion:
        """The object version that was ingested; raises KeyError if there is no item."""
        about = self.attributes
        return ObjectVersion(bucket, about["object_key"], about["version_id"], self.etag, about["size"])


def require_owner(recorded: Owner, owner: Owner, *, is_complete: bool = False) -> None:
    """Raise OtherTable, with what to do, if what has an owner is not this owner's."""
    if recorded.feed != owner.feed:
        raise OtherTable(
            f"the file belongs to the feed {recorded.feed}, and this is the feed {owner.feed}: give the prefix back to "
            f"{recorded.feed}, or upload the file under another key"
        )
    before, today = recorded.target, owner.target
    if not before.is_same(today):
        went = before.moved(today)
        if not before.can_move_to(today):
            until = "to forget it" if is_complete else "until the file is complete"
            raise OtherTable(f"{went}: {before.way_back_from(today)} {until}, or upload it under another key")
        repair = (
            "writes the rows that are missing there" if is_complete else "has the file read again, from its beginning"
        )
        raise OtherTable(f"{went}: `csv-ingest audit --repair` {repair}")


def owner_of(item: dynamodb.Found) -> Owner:
    """The feed that an item is about, and where its rows are."""
    feed, target = (item.get(name, {}).get("S", "") for name in (names.FEED, names.TARGET))
    return Owner(feed or DEFAULT_FEED, Target.parse(target))


def _plain(value: Any) -> Any:
    """A value of DynamoDB's JSON: integers as int, everything else as it is written there.

    What others add to an item, whatever its type, must not keep the file from being ingested.
    """
    [(kind, content)] = value.items()
    return int(content) if kind == "N" and content.lstrip("-").isdigit() else content
