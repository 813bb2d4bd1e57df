"""The vocabulary of the pipeline: its data and its exceptions. Imports nothing else of the package."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import NamedTuple, Protocol

LINE_AS_ID = "@line"
"""The id column's name for files without one: the number of the record's first line is the id."""

MAX_RECORD = 1 << 20
"""Characters in one record. DynamoDB stores 400 KB an item, so a longer record is a quote that was never closed."""


DEFAULT_FEED = "default"
"""The feed of a deployment that names none."""


MERGE = "merge"
"""The write mode of a feed with one row an id: that of the newest upload."""


DYNAMODB = "DynamoDB"
"""How the name of a place in DynamoDB begins."""

_MERGES = f" ({MERGE})"
"""How the name of a place ends, in a feed that merges."""


class Owner(NamedTuple):
    """Which feed a file belongs to, and where its rows are."""

    feed: str = DEFAULT_FEED
    place: str = ""
    """`DynamoDB:TABLE`, of an existing table that the settings name `DynamoDB:TABLE:ID`, or `DATABASE/TABLE` in
    PostgreSQL; in a feed that merges followed by ` (merge)`. Releases before 1.1 named no table of DynamoDB: empty."""

    @classmethod
    def of_dynamodb(cls, feed: str, table: str, table_id: str = "", *, merges: bool) -> "Owner":
        """The owner of files whose rows are in a table of DynamoDB.

        A table that is restored under the name of another one has another id.
        """
        return cls(feed, ":".join(filter(None, (DYNAMODB, table, table_id))) + merges * _MERGES)

    @classmethod
    def of_postgresql(cls, feed: str, database: str, table: str, *, merges: bool) -> "Owner":
        """The owner of files whose rows are in a table of PostgreSQL."""
        return cls(feed, f"{database}/{table}" + merges * _MERGES)

    @property
    def place_as_text(self) -> str:
        """The place, for people."""
        system, _, table = self.place.removesuffix(_MERGES).partition(":")
        name, _, table_id = table.partition(":")
        if not name:
            return self.place or DYNAMODB
        about_id = f" with the id {table_id}" if table_id else ""
        return f"the {system} table {name}{about_id}{_MERGES if self.merges else ''}"

    @property
    def merges(self) -> bool:
        """Whether the feed merged when it read the file."""
        return self.place.endswith(_MERGES)

    def stores_where(self, today: "Owner") -> bool:
        """Whether the rows of the file are where those of the feed go to today."""
        if self.place in ("", DYNAMODB + _MERGES):  # recorded by a release that named no table
            return today.place.startswith(DYNAMODB + ":") and self.merges == today.merges
        return self.place == today.place

    def can_move_to(self, today: "Owner") -> bool:
        """Whether the table that the feed has today takes the same rows, such as a table that was restored."""
        return self.is_in_dynamodb and today.is_in_dynamodb and self.merges == today.merges

    def way_back_from(self, today: "Owner") -> str:
        """What to set so that the feed has the table again to which the rows of the file went."""
        if not self.is_in_dynamodb:
            return "set the destination and the write mode back"
        if today.is_in_dynamodb:
            return "set the write mode back"
        # Without its name, the deployment would make a new table.
        table = self.place.removesuffix(_MERGES).split(":")[1:2] or ["(the name of that table)"]
        return f"set destination=dynamodb, rows_table={table[0]} and the write mode back"

    @property
    def is_in_dynamodb(self) -> bool:
        """Whether the rows are in a table of DynamoDB."""
        return not self.place or self.place.startswith((DYNAMODB + ":", DYNAMODB + " ("))


class Integer(Decimal):
    """What a column holds that is declared as an integer: a destination can have less room for it than for decimals."""


Value = str | Decimal | bool
"""What a cell of a declared column holds: text (also for dates and timestamps, in ISO 8601), a number, or a truth."""


class ByteStream(Protocol):
    """Bytes to read: an open file, or the body of an S3 object."""

    def read(self, size: int, /) -> bytes: ...


NO_VERSION = "null"
"""The version id of an object from before its bucket kept versions, and of one that came while it did not.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html"""


@dataclass(frozen=True)
class ObjectVersion:
    """One version of one object, as uploaded: what is ingested, once."""

    bucket: str
    key: str
    """As the uploader wrote it. (The event has it URL-encoded, with a plus sign for a space.)"""
    version_id: str
    etag: str
    """Bare. (S3 puts it in double quotes in some places.)"""
    size: int
    """Bytes."""

    @property
    def own_name(self) -> str:
        """What no other version of any object is called: the version id; with that of many, a digest of the key."""
        if self.version_id != NO_VERSION:
            return self.version_id
        return f"{NO_VERSION}-{hashlib.sha256(self.key.encode()).hexdigest()[:32]}"


class Upload(NamedTuple):
    """One object version as the bucket lists it."""

    version: ObjectVersion
    modified: datetime
    """UTC: when the upload ended or, for a multipart upload, when it began."""


class Column(NamedTuple):
    """A declared column: its cells have a type, and the destination has them beside `data`."""

    name: str
    """In the header of the file."""
    type: str
    """`csvfile.cells` has the types."""
    required: bool
    """Whether an empty cell rejects the row."""
    stored_as: str
    """Its name in the destination."""

    @classmethod
    def parse(cls, name: str, declaration: str) -> "Column":
        """The column that is declared as `TYPE`, `TYPE required`, `TYPE as NAME` or `TYPE required as NAME`."""
        found = re.fullmatch(r"(\w+)( required)?(?: as (\w+))?", declaration)
        if not found:
            raise ValueError(f"column {name}: {declaration!r} is not TYPE [required] [as NAME]")
        return cls(name, found[1], bool(found[2]), found[3] or name)

    @property
    def declaration(self) -> str:
        """The text that `parse` reads."""
        renamed = "" if self.stored_as == self.name else f" as {self.stored_as}"
        return f"{self.type}{' required' if self.required else ''}{renamed}"


@dataclass(frozen=True)
class FileFormat:
    """How a file is read."""

    id_column: str
    delimiter: str
    encoding: str
    decimal_separator: str = "."
    """Between the whole digits and the others, in a column of decimals."""
    columns: tuple[Column, ...] = ()
    """The declared ones. The other columns of a file are text."""


class Content(NamedTuple):
    """What an ETag stands for: the content that was first found under it, and how that content is read.

    S3's ETag is often an MD5, and two files with the same MD5 can be made.
    """

    sha256: str
    """Of the bytes that are read: a .gz file is unpacked."""
    format: FileFormat
    uploaded: str = ""
    """As in Origin, if the feed merges: then it stands for one version."""


NO_VALUES: Mapping[str, Value | None] = {}
"""Of a row without declared columns."""


class Row(NamedTuple):
    """One record of a file that can be stored."""

    line: int
    """The first physical line of the record; the header is on line 1."""
    id: str
    data: str
    """JSON object of the columns that are not declared, in file order, values as the strings in the file."""
    values: Mapping[str, Value | None] = NO_VALUES
    """Of every declared column, by its name in the destination; None for an empty cell."""

    @property
    def characters(self) -> int:
        """How many characters of text the row has."""
        count = len(self.data)
        for value in self.values.values():
            if isinstance(value, str):
                count += len(value)
        return count


class RejectedRow(NamedTuple):
    """One record of a file that is not stored, and why."""

    line: int
    reason: str


class Origin(NamedTuple):
    """The upload that rows come from, as each of them says."""

    etag: str
    uploaded: str = ""
    """In a feed that merges: when that was, and of which version; of two uploads, the newer one has the greater text.

    Otherwise empty: uploads with the same ETag are the same to their rows.
    """

    @property
    def upload(self) -> str:
        """What tells the rows of an upload from those of others."""
        return self.uploaded or self.etag


class RowKey(NamedTuple):
    """What identifies a row among those of all uploads: the upload it came from, and its id there."""

    upload: str
    """As in Origin; of an item that is no row, whatever is in that place, which may be nothing."""
    id: str | None
    """None only in a key that is no row's."""

    @classmethod
    def parse(cls, text: str) -> "RowKey":
        """The key that `str` wrote."""
        upload, mark, id_ = text.partition("#")
        return cls(upload, id_ if mark else None)

    @staticmethod
    def text(upload: str, id_: str) -> str:
        """How the key of a row is written. No upload's text has the character #."""
        return f"{upload}#{id_}"

    def __str__(self) -> str:
        return self.upload if self.id is None else self.text(self.upload, self.id)


class StoredRow(NamedTuple):
    """A row that a destination holds."""

    key: RowKey
    etag: str | None
    """As it is stored beside the key."""
    line: int
    data: str
    values: Mapping[str, Value | None] = NO_VALUES
    """Whatever is stored beside these, by name: declared columns, and what others may have added."""


class ForeignItem(NamedTuple):
    """An item that a destination holds and that is no row: somebody else wrote it."""

    key: RowKey


def fingerprint(row: Row | StoredRow, names: Iterable[str]) -> str:
    """A text that is the same for rows with the same contents: `data`, and the values under some names.

    The number 5.50 is 5.5, and the number 1 is neither the text 1 nor true.
    """
    values = [_as_text(row.values.get(name)) for name in names]
    return "\0".join([row.data, *values]) if values else row.data


def _as_text(value: Value | None) -> str:
    if isinstance(value, Decimal):
        return "{}/{}".format(*value.as_integer_ratio())
    return f"{type(value).__name__} {value}"


class BatchResult(NamedTuple):
    """The result of storing or checking some rows."""

    already_present: int
    rejected: list[RejectedRow]
    superseded: Sequence[int] = ()
    """The lines of the rows that were not stored, because a newer upload has a row of their id."""


class RowCounts(NamedTuple):
    """How many rows of a file were read so far, and what became of them: `read == stored + rejected + superseded`."""

    read: int = 0
    stored: int = 0
    """Confirmed by the destination."""
    rejected: int = 0
    superseded: int = 0
    """A newer upload had a row of their id already. Only in a feed that merges."""
    unrecorded: int = 0
    """Those of the rejected rows, at most, that the ledger has no record of: the file had too many."""

    def plus(self, *, read: int, rejected: int, superseded: int = 0, unrecorded: int = 0) -> "RowCounts":
        """The counts after some more rows, of which those that are neither rejected nor superseded were stored."""
        more = RowCounts(read, read - rejected - superseded, rejected, superseded, unrecorded)
        return RowCounts(*map(sum, zip(self, more, strict=True)))


NOTHING_YET = RowCounts()
"""No row was read so far."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one delivery."""

    counts: RowCounts = NOTHING_YET
    """Of the file, or of the part that was delivered."""
    already_present: int = 0
    """How many rows this delivery found in the destination."""
    already_complete: bool = False
    """Whether an earlier delivery had completed the file, or the part."""
    parts_dispatched: int = 0
    """How many parts of the file this delivery put into Lambda's queue."""
    settled: RowCounts | None = None
    """The counts of the file, if this delivery settled the file."""


class Phase(Enum):
    """What is done with a part of a file."""

    STORE = "store"
    """Store its rows."""
    CHECK = "check"
    """Compare its rows with the destination, after the rows of all parts were stored."""


class PartJob(NamedTuple):
    """A part of a file, to be ingested by a delivery of its own."""

    number: int
    """From 0, in the order of the file."""
    phase: Phase = Phase.STORE

    @property
    def is_check(self) -> bool:
        return self.phase is Phase.CHECK


class PartStart(NamedTuple):
    """Where a part of a file begins. The part ends where the next one begins, or at the end of the file."""

    byte: int
    """From 0."""
    line: int
    """Physical line, from 1."""


BEGINNING = PartStart(0, 1)
"""Where a file begins."""


class Plan(NamedTuple):
    """How a file is read, and where its parts begin."""

    format: FileFormat
    header: list[str]
    """The names of all columns. Empty if `parts` is: a whole file is read with its header."""
    parts: list[PartStart]
    """Empty if one delivery ingests the whole file."""
    uploaded: str = ""
    """As in Origin."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Sizes that were chosen by measuring, not by users; tests make them small."""

    block_bytes: int = 128 * 1024
    """How many bytes the splitter examines together. A part ends with the last line end of a block."""

    part_bytes: int = 1 << 20
    part_lines: int = 5_000
    """A part ends in the block in which it reaches either size.

    Fifty invocations that share the 4,000 writes a second of a new table have 80 each, so that a part of this size is
    written within Lambda's three attempts (3 times 28 seconds). A part costs eight requests beside the two hundred of
    its rows.
    """

    whole_parts: int = 4
    """How many parts a file may have that one delivery ingests whole: some 20,000 rows, or 4 MB."""

    max_rejects: int = 10_000
    """How many rejected rows of a file are recorded one by one, at most. They share one partition of the ledger."""

    max_parts: int = 10_000
    """How many parts a file may have: 10 GB. Their plan, with the column names, fits into one item of 400 KB."""

    batch_rows: int = 1_000
    """Rows in one request to a destination, if it takes as many."""

    checkpoint_rows: int = 1_000
    """Rows between two checkpoints. The retry of a killed delivery repeats at most so many, and what was in flight. A
    checkpoint is one request."""

    in_flight: int = 4
    """How many requests to the destination are made at the same time: answering a request takes longer than making it.
    docs/benchmarks.md compares 1, 2, 4 and 8."""

    @property
    def whole_bytes(self) -> int:
        """The size of a file that one delivery ingests whole, from memory."""
        return self.whole_parts * self.part_bytes

    @property
    def whole_lines(self) -> int:
        """The lines that such a file may have."""
        return self.whole_parts * self.part_lines


class MalformedEvent(Exception):
    """The event is not an S3 notification that names an object version, and not a test event either."""


class UnreadableFile(Exception):
    """The object is not a CSV file in the configured encoding with the configured id column, and never will be.

    Also raised for a file of which no delivery makes progress.

    The message is for whoever uploaded the file, and may name the columns of its header: it goes to the ledger and to
    the failure queue, not to the logs.
    """


class OtherContent(UnreadableFile):
    """Other content was ingested under the file's ETag."""


# The messages of the exceptions below name places by number, never the contents of a row: they end up in the logs.
# All of them leave the handler, so that Lambda retries the event and then records the failure.


class RowsNotWritten(Exception):
    """A write was refused: until the time for this invocation was used up, or for good."""


class ItemsNotRead(Exception):
    """Reads were left unprocessed until the time for this invocation was used up."""


class OtherTable(Exception):
    """The file was begun by another feed, or with another destination: rows of it are in another table."""


class BeingErased(Exception):
    """An operator takes back what was ingested of the file's content, to read it again or to forget it."""


class OwnerNeeded(Exception):
    """Rows can be deleted by the owner of their table only. The message is the SQL that the owner has to run."""


class TableAltered(Exception):
    """Rows that deliveries stored were deleted or changed by somebody else. Only a repair brings them back."""


class OutOfTime(Exception):
    """The invocation's timeout is about to end it. Rows that are stored stay stored."""


class DeliveryFailed(Exception):
    """A delivery ended with an error that may quote a row: the message is the error's name and place."""
