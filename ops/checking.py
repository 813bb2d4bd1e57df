"""The outcome that a local file would have: it is read as its feed would read it, and nothing is uploaded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from csv_ingest import acceptance, csvfile, planning
from csv_ingest.destinations import Destination
from csv_ingest.destinations.dynamodb_items import item_size
from csv_ingest.feed import Feed
from csv_ingest.model import ObjectVersion, Origin, RejectedRow, Row, Tuning, UnreadableFile
from csv_ingest.modes import WriteMode

from . import expectations, local_files, wording
from .reporting import costs

SHOWN_ROWS = 3
"""Rows that are shown as they would be stored."""

ETAG = "0" * 32  # stands for the file's own, which S3 makes. It is as long as most are.

UPLOAD_ORDER = "2026-11-26T12:34:56.789Z" + "~" + "0" * 24 + "~" + "0" * 32
"""Stands for the order of its upload, where uploads have one."""


@dataclass
class Checked:
    """The outcome that a file would have."""

    is_ingested: bool
    """Whether a file with such a name would be ingested at all."""
    reason: str = ""
    """Why the file would be REJECTED; empty if it would not be."""
    remark: str = ""
    rows: int = 0
    """Rows that are read; those that are not rejected would be stored."""
    rejected: int = 0
    rejects: list[RejectedRow] = field(default_factory=list)
    """The first ones."""
    parts: int = 0
    """In which the file would be ingested; 0 if it would be ingested in one piece."""
    header: Sequence[str] = ()
    """The names that were taken for the header."""
    header_line: int = 0
    """Where they are; 0 if the settings have them."""
    first_rows: list[Row] = field(default_factory=list)
    """As they would be stored."""
    write_units: int = 0
    """About as many as DynamoDB would take, for the rows and for the ledger; rows in PostgreSQL take none."""

    @property
    def stored(self) -> int:
        return self.rows - self.rejected

    @property
    def dollars(self) -> float:
        return self.write_units * costs.WRITE_UNITS

    @property
    def is_good(self) -> bool:
        """Whether every row would be stored."""
        return self.is_ingested and not self.reason and not self.rejected


class AnyFeed(Protocol):
    """A feed that is deployed, or that may be some day."""

    @property
    def settings(self) -> Feed: ...
    @property
    def mode(self) -> WriteMode: ...
    @property
    def destination(self) -> Destination: ...
    @property
    def has_file_index(self) -> bool: ...


def check(feed: AnyFeed, file: Path, *, shown: int | None, progress: wording.Progress) -> Checked:
    """Read a local file as a feed would. Of the rejected rows, returns the first `shown`, or all.

    Memory does not grow with the file, but with the rows that are returned: ids are compared in a database on disk.
    """
    reading = local_files.Reading(file, progress)
    settings = feed.settings
    checked = Checked(is_ingested=file.name.endswith(settings.key_suffixes))
    version = ObjectVersion("", file.name, "", ETAG, file.stat().st_size)
    refusal = partial(feed.destination.refusal, _origin(feed))
    max_rejected = acceptance.MaxRejected.parse(settings.max_rejected)
    accepted = acceptance.Acceptance(settings.max_file_bytes, max_rejected, refusal)
    try:
        planned = planning.plan_file(version, settings.format, reading.open, acceptance=accepted, tuning=Tuning())
        checked.parts = len(planned.plan.parts)
        _check_rows(feed, version, reading, checked, shown)
    except UnreadableFile as error:
        checked.reason = str(error)
    return checked


def _origin(feed: AnyFeed) -> Origin:
    return feed.mode.origin(ETAG, UPLOAD_ORDER, None) or Origin(ETAG)


def _check_rows(
    feed: AnyFeed, version: ObjectVersion, reading: local_files.Reading, checked: Checked, shown: int | None
) -> None:
    origin, settings = _origin(feed), feed.settings
    are_in_dynamodb, of_index = not settings.is_postgresql, int(feed.has_file_index)
    with expectations.Expectations.on_disk(feed.mode) as expected, reading.open(0) as stream:
        table = csvfile.read_table(stream, settings.format)
        checked.header, checked.header_line = table.header, table.line
        for row in table.rows():
            checked.rows += 1
            if reject := expected.expect(feed.destination, version.key, origin, row, required=True):
                checked.rejected += 1
                if shown is None or len(checked.rejects) < shown:
                    checked.rejects.append(reject)
            elif isinstance(row, Row):
                if len(checked.first_rows) < SHOWN_ROWS:
                    checked.first_rows.append(row)
                if are_in_dynamodb:
                    checked.write_units += -(-item_size(feed.mode, origin, row) // 1024) + of_index
    of_ledger = costs.ledger_units(version.size, checked.rows, checked.parts)
    checked.write_units += of_ledger + min(checked.rejected, costs.MAX_RECORDED_REJECTS)
