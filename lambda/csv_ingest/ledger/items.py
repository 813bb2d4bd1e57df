"""The items of the files table: their keys, their attributes, and how they are read and written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from csv_ingest.counts import RowCounts
from csv_ingest.dynamodb_table import Item
from csv_ingest.errors import BeingErased, OtherTable
from csv_ingest.file_format import FileFormat
from csv_ingest.modes import APPEND, MODES, WriteMode
from csv_ingest.plan import Content, PartJob, PartStart, Phase, Plan
from csv_ingest.rows import RejectedRow
from csv_ingest.target import DEFAULT_FEED, Owner, Target
from csv_ingest.uploads import VERSION_MARK, ObjectVersion, Origin

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

KEY = ("object_key", "entry")
"""The names of the table's partition key and sort key. Both are text."""

FEED, TARGET = "feed", "place"
"""The attributes of a planned upload, and of a plan, that name the feed, and where its rows are."""

PROCESSING, COMPLETE, REJECTED = "PROCESSING", "COMPLETE", "REJECTED"
SETTLED = frozenset({COMPLETE, REJECTED})

MARK = "#"
"""Follows the upload in the sort key of every item but the record of an upload. An ETag contains none."""

VERSION = "#version#"
"""Between the ETag and the version, in the sort key of the record of a single version: of one that was rejected, and of
one that was found to have the content that was planned for another version, which has no status."""

ERASING = "erasing"
"""The attribute of a file's record, and of what its ETag stands for, while an operator's command takes back what was
ingested: the name of the command. The record is COMPLETE meanwhile, so that every delivery leaves the file alone."""

RELOAD, FORGET = "reload", "forget"
"""The commands that take back what was ingested."""

ERASING_SINCE, ERASING_KEYS = "erasing_since", "erasing_keys"
"""Beside `erasing`: since when that is so; of what an ETag stands for, which object keys are being forgotten, a set."""

LONGEST_DELIVERY = timedelta(minutes=15)
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html"""

MAX_ATTEMPTS = 12
"""Deliveries in a row that end without progress, after which a file is tried no more: the three attempts of Lambda for
the upload, and for three sweeps."""

WRITE_MODE = "write_mode"
"""The attribute of a record that names the write mode, unless that is `append`."""

UPLOADED = "uploaded"
"""The attribute of a planned upload, and of a plan, that has the order of the upload, where uploads have one."""

ACKNOWLEDGEMENT = ("acknowledged_at", "acknowledged_by", "acknowledged_reason")
"""The attributes of a settled record that say who knows that it is not good. Whatever changes the outcome removes them,
since nobody knows of the new one."""

OF_REJECTION = ("reason", "settled_at", "attempts", *ACKNOWLEDGEMENT)
"""The attributes of a rejected upload that it loses when a delivery finds its file readable."""

REJECTS = "#reject#"
"""Between the upload and the line, in the sort key of a rejected row."""

MAX_LINE = 10**12 - 1
"""The greatest line that the sort key of a rejected row has room for."""

PLAN = "#plan"
"""After the upload, in the sort key of the plan of a file that is ingested in parts."""

PART_PREFIXES: Mapping[Phase, str] = {Phase.STORE: "#part#", Phase.CHECK: "#check#"}
"""Between the upload and the number, in the sort key of a part of a file."""

COUNTERS: Mapping[Phase, str] = {Phase.STORE: "parts_done", Phase.CHECK: "parts_checked"}
"""The attribute of the file's record that counts the parts for which a phase is complete."""

SUPERSEDED, UNRECORDED = "rows_superseded", "rejects_unrecorded"
SUMS = ("rows_read", "rows_stored", "rows_rejected", SUPERSEDED, UNRECORDED)
"""The attributes that count rows, in the order of RowCounts."""

ALWAYS = "attribute_exists(#version_id) OR attribute_not_exists(#version_id)"
"""The condition of an update whatever there is."""

UNLESS_COMPLETE = "NOT (#status = :complete)"
"""The condition of every update: a complete record stays as it is."""

COMPLETE_VALUE: Item = {"complete": {"S": COMPLETE}}
"""The value that this condition compares with."""


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
    mode: WriteMode = APPEND
    """In which the feed read the file."""
    upload_order: str = ""
    """As in Origin; empty until the file was read to its end."""
    attributes: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The item as it is in the table, numbers as int."""

    @classmethod
    def of(cls, item: "Mapping[str, AttributeValueTypeDef]") -> "FileRecord":
        """Read an item of the files table."""
        plain = {name: _plain(value) for name, value in item.items()}
        counted = SUMS[0] in plain
        started = plain.get("started_at")
        return cls(
            status=plain.get("status"),
            counts=RowCounts(*(plain.get(name, 0) for name in SUMS)) if counted else None,
            format=FileFormat.from_text(plain["format"]) if "format" in plain else None,
            owner=owner_of(item),
            part_count=plain.get("parts", 0),
            parts_done=plain.get("parts_done", 0),
            parts_checked=plain.get("parts_checked"),
            started_at=datetime.fromisoformat(started) if started else None,
            version_id=plain.get("version_id"),
            attempts=plain.get("attempts", 0),
            last_error=plain.get("last_error", ""),
            erasing=plain.get(ERASING, ""),
            mode=MODES[plain.get(WRITE_MODE, APPEND.name)],
            upload_order=plain.get(UPLOADED, ""),
            attributes=plain,
        )

    @property
    def is_planned(self) -> bool:
        """Whether a delivery has read the file to its end, and recorded how it is ingested."""
        return self.counts is not None

    @property
    def is_settled(self) -> bool:
        """Whether the file is complete or rejected, and nobody takes that back."""
        return self.status in SETTLED and not self.erasing

    def require_owner(self, owner: Owner) -> None:
        """Raise OtherTable if the file was read to its end by another feed, or for another table."""
        if self.is_planned:
            require_owner(self.owner, owner, is_complete=self.status == COMPLETE)

    def is_stuck(self, now: datetime) -> bool:
        """Whether so many deliveries made no progress that another one would not either, and none of them still runs.

        Deliveries that run at the same time have not failed.
        """
        has_ended = self.started_at is not None and self.started_at < now - LONGEST_DELIVERY
        return has_ended and self.attempts >= MAX_ATTEMPTS

    @property
    def upload(self) -> str:
        """What the entries of the upload begin with; raises KeyError if there is no item."""
        return str(self.attributes["entry"]).partition(MARK)[0]

    @property
    def etag(self) -> str:
        """The ETag of the upload; raises KeyError if there is no item."""
        return self.upload.partition(VERSION_MARK)[0]

    @property
    def origin(self) -> Origin:
        """What the rows of the upload say of it; raises KeyError if there is no item."""
        return Origin(self.etag, self.upload_order)

    @property
    def reason(self) -> str:
        """Why the file was rejected; empty if it was not."""
        return str(self.attributes.get("reason", ""))

    @property
    def acknowledgement(self) -> Acknowledgement | None:
        """Who knows of the outcome; None if it was not acknowledged."""
        at, by, reason = (self.attributes.get(name) for name in ACKNOWLEDGEMENT)
        return Acknowledgement(datetime.fromisoformat(at), str(by), str(reason)) if at and self.is_settled else None

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
        raise OtherTable(f"{went}: `python -m ops audit --repair` {repair}")


def owner_of(item: "Mapping[str, AttributeValueTypeDef]") -> Owner:
    """The feed that an item is about, and where its rows are."""
    feed, target = (item.get(name, {}).get("S", "") for name in (FEED, TARGET))
    return Owner(feed or DEFAULT_FEED, Target.parse(target))


def _plain(value: Any) -> Any:
    """A value of DynamoDB's JSON: integers as int, everything else as it is written there.

    What others add to an item, whatever its type, must not keep the file from being ingested.
    """
    [(kind, content)] = value.items()
    return int(content) if kind == "N" and content.lstrip("-").isdigit() else content


@dataclass(frozen=True)
class Entries:
    """Under which entries the ledger has an upload, and what its content stands for."""

    version: ObjectVersion
    mode: WriteMode = APPEND
    is_later: bool = False
    """Whether an earlier upload has the entries of this key and ETag: only if each version is an upload of its own."""

    @property
    def upload(self) -> str:
        """What the entries of the upload begin with."""
        version = self.version
        return f"{version.etag}{VERSION_MARK}{version.version_id}" if self.is_later else version.etag

    @property
    def content(self) -> str:
        """For what a content and a way to read it are recorded, whatever the object key."""
        return self.mode.content_key(self.version)


def key_of(entries: Entries, suffix: str = "") -> Item:
    """The key of an upload's record; with a suffix, that of something else about the upload."""
    return key_of_entry(entries.version.key, f"{entries.upload}{suffix}")


def key_of_entry(object_key: str, entry: str) -> Item:
    return {"object_key": {"S": object_key}, "entry": {"S": entry}}


def key_of_version(version: ObjectVersion) -> Item:
    """The key of the record of a single version."""
    return key_of(Entries(version), f"{VERSION}{version.version_id}")


def is_rejected_version(item: "Mapping[str, AttributeValueTypeDef]") -> bool:
    """Whether the record of a single version says that it was rejected."""
    return VERSION in item["entry"].get("S", "") and "status" in item


def key_of_part(entries: Entries, job: PartJob) -> Item:
    return key_of(entries, f"{PART_PREFIXES[job.phase]}{job.number:06d}")


def number_of_part(item: Item) -> int:
    """The number of a part, of its item."""
    return int(item["entry"]["S"].rpartition(MARK)[2])


# The next two items belong to an ETag, or to a version, in a feed, whatever the object keys. No object can have such an
# entry: the entry of an object begins with its ETag.


def key_of_duplicates(content: str, feed: str) -> Item:
    """The key of the item that says that an id is on two lines."""
    return key_of_entry(content, f"#repeats{_of_feed(feed)}")


def key_of_content(content: str, feed: str) -> Item:
    """The key of the item that says what an ETag, or a version, stands for."""
    return key_of_entry(content, f"#content{_of_feed(feed)}")


def _of_feed(feed: str) -> str:
    return "" if feed == DEFAULT_FEED else f"{MARK}{feed}"


def about_plan(format_: FileFormat, owner: Owner, upload_order: str) -> Item:
    """The attributes that say how a file is read, by which feed, for which table, and the order of the upload.

    The first delivery that plans the file says it for all. What is at its default is left out.
    """
    feed = "" if owner.feed == DEFAULT_FEED else owner.feed
    about = {FEED: feed, TARGET: str(owner.target), UPLOADED: upload_order}
    return about_format(format_) | {name: {"S": text} for name, text in about.items() if text}


def about_content(content: Content) -> Item:
    """The attributes of the item that says what an ETag stands for."""
    order: Item = {UPLOADED: {"S": content.upload_order}} if content.upload_order else {}
    return {"sha256": {"S": content.sha256}, **about_format(content.format), **order}


def content_of(item: "Mapping[str, AttributeValueTypeDef]") -> Content | None:
    """What an ETag stands for; None if there is no item."""
    if "sha256" not in item:
        return None
    return Content(item["sha256"]["S"], FileFormat.from_text(item["format"]["S"]), item.get(UPLOADED, {}).get("S", ""))


def require_not_erased(item: "Mapping[str, AttributeValueTypeDef]") -> "Mapping[str, AttributeValueTypeDef]":
    """The item that says what an ETag stands for; raises BeingErased if that is being taken back."""
    if ERASING in item:
        command = item[ERASING]["S"]
        raise BeingErased(f"`python -m ops {command}` is under way for this content: it delivers the file again")
    return item


def item_of_reject(object_key: str, upload: str, row: RejectedRow) -> Item:
    about: Item = {"line": {"N": str(row.line)}, "reason": {"S": row.reason}}
    return key_of_reject(object_key, upload, row.line) | about


def key_of_reject(object_key: str, upload: str, line: int) -> Item:
    return key_of_entry(object_key, f"{upload}{REJECTS}{line:012d}")


def reject_of(item: Item) -> RejectedRow:
    return RejectedRow(int(item["line"]["N"]), item["reason"]["S"])


def sums(counts: RowCounts, mode: WriteMode) -> Item:
    """The attributes that count rows. Few files have all five."""
    left_out = {SUPERSEDED} if not mode.supersedes else set()
    if not counts.unrecorded:
        left_out.add(UNRECORDED)
    return {name: {"N": str(number)} for name, number in zip(SUMS, counts, strict=True) if name not in left_out}


def about_version(version: ObjectVersion) -> Item:
    """The attributes that say which version of the object a record is about."""
    return {"version_id": {"S": version.version_id}, "size": {"N": str(version.size)}}


def processing(entries: Entries) -> Item:
    """The attributes of an upload that is being ingested."""
    mode: Item = {WRITE_MODE: {"S": entries.mode.name}} if entries.mode is not APPEND else {}
    return {"status": {"S": PROCESSING}, **about_version(entries.version), **mode}


def erasing(command: str) -> Item:
    """The attributes of an upload that is being taken back."""
    return {"status": {"S": COMPLETE}, ERASING: {"S": command}, ERASING_SINCE: now()}


def acknowledged(by: str, reason: str) -> Item:
    """The attributes of an upload whose outcome somebody knows of."""
    return dict(zip(ACKNOWLEDGEMENT, (now(), {"S": by}, {"S": reason}), strict=True))


def about_format(format_: FileFormat) -> Item:
    """The attribute that says how a file is read."""
    return {"format": {"S": json.dumps(format_.to_json())}}


def item_of_plan(entries: Entries, plan: Plan, owner: Owner) -> Item:
    about: Item = {
        **about_plan(plan.format, owner, plan.upload_order),
        "columns": {"S": json.dumps(plan.header)},
        "parts": {"S": json.dumps(plan.parts)},
    }
    return key_of(entries, PLAN) | about


def plan_of(item: "Mapping[str, AttributeValueTypeDef]") -> Plan:
    """The plan of an item; raises KeyError if there is no item."""
    parts = [PartStart(*part) for part in json.loads(item["parts"]["S"])]
    order = item.get(UPLOADED, {}).get("S", "")
    return Plan(FileFormat.from_text(item["format"]["S"]), json.loads(item["columns"]["S"]), parts, order)


def now() -> "AttributeValueTypeDef":
    """The time, UTC, in ISO 8601."""
    return {"S": datetime.now(UTC).isoformat(timespec="milliseconds")}
