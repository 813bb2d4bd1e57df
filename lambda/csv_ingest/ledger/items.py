"""The items of the files table: their keys, their attributes, and how they are read and written."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from csv_ingest.dynamodb_table import Item
from csv_ingest.model import FileFormat, ObjectVersion, PartJob, PartStart, Phase, Plan, RejectedRow, RowCounts

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

KEY = ("object_key", "entry")
"""The names of the table's partition key and sort key. Both are text."""

PROCESSING, COMPLETE, REJECTED = "PROCESSING", "COMPLETE", "REJECTED"
SETTLED = frozenset({COMPLETE, REJECTED})

MARK = "#"
"""Follows the ETag in the sort key of every item but the record of an upload. An ETag contains none."""

REJECTS = "#reject#"
"""Between the ETag and the line, in the sort key of a rejected row."""

PLAN = "#plan"
"""After the ETag, in the sort key of the plan of a file that is ingested in parts."""

PART_PREFIXES: Mapping[Phase, str] = {Phase.STORE: "#part#", Phase.CHECK: "#check#"}
"""Between the ETag and the number, in the sort key of a part of a file."""

COUNTERS: Mapping[Phase, str] = {Phase.STORE: "parts_done", Phase.CHECK: "parts_checked"}
"""The attribute of the file's record that counts the parts for which a phase is complete."""

SUMS = ("rows_read", "rows_stored", "rows_rejected")
"""The attributes that count rows, in the order of RowCounts."""

UNLESS_COMPLETE = "NOT (#status = :complete)"
"""The condition of every update: a complete record stays as it is."""

COMPLETE_VALUE: Item = {"complete": {"S": COMPLETE}}
"""The value that this condition compares with."""


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """What the ledger holds of one upload, or of one part of an upload; every field is empty if it has no item."""

    status: str | None = None
    counts: RowCounts | None = None
    """Confirmed rows; None until the file was read to its end."""
    format: FileFormat | None = None
    """How the first delivery read the file. Later deliveries read it so too, whatever the settings are."""
    part_count: int = 0
    """How many parts the file has; 0 if one delivery ingests it whole."""
    parts_done: int = 0
    parts_checked: int | None = None
    """How many parts were compared with the destination after all were done; None if that was not necessary so far."""
    started_at: datetime | None = None
    """When the file was last delivered as a whole."""
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
            counts=RowCounts(*(plain[name] for name in SUMS)) if counted else None,
            format=format_of(plain["format"]) if "format" in plain else None,
            part_count=plain.get("parts", 0),
            parts_done=plain.get("parts_done", 0),
            parts_checked=plain.get("parts_checked"),
            started_at=datetime.fromisoformat(started) if started else None,
            attributes=plain,
        )

    @property
    def is_planned(self) -> bool:
        """Whether a delivery has read the file to its end, and recorded how it is ingested."""
        return self.counts is not None

    @property
    def etag(self) -> str:
        """The ETag of the upload; raises KeyError if there is no item."""
        return str(self.attributes["entry"])

    @property
    def reason(self) -> str:
        """Why the file was rejected; empty if it was not."""
        return str(self.attributes.get("reason", ""))

    def object_version(self, bucket: str) -> ObjectVersion:
        """The object version that was ingested; raises KeyError if there is no item."""
        about = self.attributes
        return ObjectVersion(bucket, about["object_key"], about["version_id"], about["entry"], about["size"])


def _plain(value: Any) -> Any:
    """A value of DynamoDB's JSON: integers as int, everything else as it is written there.

    What others add to an item, whatever its type, must not keep the file from being ingested.
    """
    [(kind, content)] = value.items()
    return int(content) if kind == "N" and content.lstrip("-").isdigit() else content


def key_of(version: ObjectVersion, suffix: str = "") -> Item:
    """The key of an upload's record; with a suffix, that of something else about the upload."""
    return key_of_entry(version.key, f"{version.etag}{suffix}")


def key_of_entry(object_key: str, entry: str) -> Item:
    return {"object_key": {"S": object_key}, "entry": {"S": entry}}


def key_of_part(version: ObjectVersion, job: PartJob) -> Item:
    return key_of(version, f"{PART_PREFIXES[job.phase]}{job.number:06d}")


def number_of_part(item: Item) -> int:
    """The number of a part, of its item."""
    return int(item["entry"]["S"].rpartition(MARK)[2])


def key_of_duplicates(etag: str) -> Item:
    """The key of the item that says that an id is on two lines; object keys with the same bytes share the item."""
    # It cannot be the entry of an object: such an entry begins with an ETag.
    return {"object_key": {"S": etag}, "entry": {"S": "#repeats"}}


def item_of_reject(version: ObjectVersion, row: RejectedRow) -> Item:
    about: Item = {"line": {"N": str(row.line)}, "reason": {"S": row.reason}}
    return key_of(version, f"{REJECTS}{row.line:012d}") | about


def reject_of(item: Item) -> RejectedRow:
    return RejectedRow(int(item["line"]["N"]), item["reason"]["S"])


def sums(counts: RowCounts) -> Item:
    """The attributes that count rows."""
    return {name: {"N": str(number)} for name, number in zip(SUMS, counts, strict=True)}


def format_as_text(format_: FileFormat) -> str:
    return json.dumps(asdict(format_))


def format_of(text: str) -> FileFormat:
    """Read a format; records of earlier releases hold it as a list of three."""
    value = json.loads(text)
    return FileFormat(*value) if isinstance(value, list) else FileFormat(**value)


def item_of_plan(version: ObjectVersion, plan: Plan) -> Item:
    about: Item = {
        "format": {"S": format_as_text(plan.format)},
        "columns": {"S": json.dumps(plan.columns)},
        "parts": {"S": json.dumps(plan.parts)},
    }
    return key_of(version, PLAN) | about


def plan_of(item: "Mapping[str, AttributeValueTypeDef]") -> Plan:
    """The plan of an item; raises KeyError if there is no item."""
    parts = [PartStart(*part) for part in json.loads(item["parts"]["S"])]
    return Plan(format_of(item["format"]["S"]), json.loads(item["columns"]["S"]), parts)


def now() -> "AttributeValueTypeDef":
    """The time, UTC, in ISO 8601."""
    return {"S": datetime.now(UTC).isoformat(timespec="milliseconds")}
