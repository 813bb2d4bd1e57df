"""The keys of the files table: what identifies each of its items."""

from collections.abc import Mapping
from dataclasses import dataclass

from csv_ingest import dynamodb, modes
from csv_ingest.model import DEFAULT_FEED, VERSION_MARK, ObjectVersion, PartJob, Phase

MARK = "#"
"""Follows the upload in the sort key of every item but the record of an upload. An ETag contains none."""

VERSION = "#version#"
"""Between the ETag and the version, in the sort key of the record of a single version: of one that was rejected, and of
one that was found to have the content that was planned for another version, which has no status."""

REJECTS = "#reject#"
"""Between the upload and the line, in the sort key of a rejected row."""

MAX_LINE = 10**12 - 1
"""The greatest line that the sort key of a rejected row has room for."""

PLAN = "#plan"
"""After the upload, in the sort key of the plan of a file that is ingested in parts."""

PART_PREFIXES: Mapping[Phase, str] = {Phase.STORE: "#part#", Phase.CHECK: "#check#"}
"""Between the upload and the number, in the sort key of a part of a file."""


@dataclass(frozen=True)
class Entries:
    """Under which entries the ledger has an upload, and what its content stands for."""

    version: ObjectVersion
    mode: modes.WriteMode = modes.APPEND
    is_later: bool = False
    """Whether the entries are those of this version alone: where another upload has those of this key and ETag, and
    where rows expire."""
    rows_expire: bool = False
    """Whether rows of the feed do."""
    keep_days: int | None = None
    """How many days the ledger keeps what it has of a settled upload; None: for ever."""

    @property
    def upload(self) -> str:
        """What the entries of the upload begin with."""
        version = self.version
        return f"{version.etag}{VERSION_MARK}{version.version_id}" if self.is_later else version.etag

    @property
    def content(self) -> str:
        """For what a content and a way to read it are recorded, whatever the object key."""
        return self.mode.content_key(self.version)


def key_of(entries: Entries, suffix: str = "") -> dynamodb.Item:
    """The key of an upload's record; with a suffix, that of something else about the upload."""
    return key_of_entry(entries.version.key, f"{entries.upload}{suffix}")


def key_of_entry(object_key: str, entry: str) -> dynamodb.Item:
    return {"object_key": {"S": object_key}, "entry": {"S": entry}}


def below(object_key: str, beginning: str) -> tuple[str, dynamodb.Item]:
    """The key condition of the items of an object key whose entries begin with a text, and its values."""
    condition = "object_key = :key AND begins_with(entry, :beginning)"
    return condition, {"key": {"S": object_key}, "beginning": {"S": beginning}}


def key_of_version(version: ObjectVersion) -> dynamodb.Item:
    """The key of the record of a single version."""
    return key_of(Entries(version), f"{VERSION}{version.version_id}")


def is_rejected_version(item: dynamodb.Found) -> bool:
    """Whether the record of a single version says that it was rejected."""
    return VERSION in item["entry"].get("S", "") and "status" in item


def key_of_part(entries: Entries, job: PartJob) -> dynamodb.Item:
    return key_of(entries, f"{PART_PREFIXES[job.phase]}{job.number:06d}")


def number_of_part(item: dynamodb.Item) -> int:
    """The number of a part, of its item."""
    return int(item["entry"]["S"].rpartition(MARK)[2])


# The next two items belong to an ETag, or to a version, in a feed, whatever the object keys. No object can have such an
# entry: the entry of an object begins with its ETag.


def key_of_duplicates(content: str, feed: str) -> dynamodb.Item:
    """The key of the item that says that an id is on two lines."""
    return key_of_entry(content, f"#repeats{_of_feed(feed)}")


def key_of_content(content: str, feed: str) -> dynamodb.Item:
    """The key of the item that says what an ETag, or a version, stands for."""
    return key_of_entry(content, f"#content{_of_feed(feed)}")


def feed_status(feed: str, status: str) -> str:
    """Under which text the index has the uploads of a feed in a status."""
    return f"{feed}{MARK}{status}"


def _of_feed(feed: str) -> str:
    return "" if feed == DEFAULT_FEED else f"{MARK}{feed}"


def key_of_reject(object_key: str, upload: str, line: int) -> dynamodb.Item:
    return key_of_entry(object_key, f"{upload}{REJECTS}{line:012d}")
