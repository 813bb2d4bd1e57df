"""What a report knows of an upload: some hundred bytes of it, since there can be 100,000. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from csv_ingest import ledger

from .. import history


class Outcome(Enum):
    """What became of an upload, in the words of the page."""

    REJECTED = "rejected"
    WITH_REJECTS = "complete, with rejected rows"
    UNDER_WAY = "under way"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Fact:
    """One upload."""

    key: str
    entry: str
    feed: str
    outcome: Outcome
    at: datetime
    """When it was settled; before that, when its last delivery began."""
    seconds: float | None = None
    """From the upload to its outcome; None if one of the two times is not known."""
    size: int = 0
    """Bytes."""
    read: int = 0
    stored: int = 0
    rejected: int = 0
    superseded: int = 0
    parts: int = 0
    """0 if one delivery ingested it whole."""
    why: str = ""
    """Why it was rejected, or why its last delivery failed; of one that is taken back, by which command."""
    is_acknowledged: bool = False

    @property
    def name(self) -> tuple[str, str]:
        """What no other upload has."""
        return self.key, self.entry


def fact_of(record: ledger.FileRecord, now: datetime) -> Fact:
    """What a report knows of an upload. `now` stands for a time that the ledger does not say."""
    counts = record.counts
    read, stored, rejected, superseded = counts[:4] if counts else (0, 0, 0, 0)
    return Fact(
        key=record.object_key,
        entry=str(record.entry),
        feed=record.feed,
        outcome=outcome_of(record),
        at=record.changed_at or now,
        seconds=history.seconds(record),
        size=record.size or 0,
        read=read,
        stored=stored,
        rejected=rejected,
        superseded=superseded,
        parts=record.part_count,
        why=_why(record),
        is_acknowledged=record.acknowledgement is not None,
    )


def outcome_of(record: ledger.FileRecord) -> Outcome:
    """What became of an upload. One that is being taken back is under way."""
    if not record.is_settled:
        return Outcome.UNDER_WAY
    if record.status == ledger.REJECTED:
        return Outcome.REJECTED
    return Outcome.WITH_REJECTS if record.counts and record.counts.rejected else Outcome.COMPLETE


def _why(record: ledger.FileRecord) -> str:
    if record.erasing:
        return f"{record.erasing} has begun, and deletes its rows"
    return record.reason or ("" if record.is_settled else record.last_error)


@dataclass(frozen=True)
class Sample:
    """The reasons of some of the rejected rows."""

    reasons: Mapping[str, int] = field(default_factory=Counter)
    """How many rows have each, without its numbers and its column."""
    columns: Mapping[str, int] = field(default_factory=Counter)
    """How many rows have a bad cell in each column."""
    rows: int = 0
    """That were looked at."""
    files: int = 0
    """With rejected rows, that were looked at."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """All that the page is made of."""

    stack: str
    feeds: Sequence[str]
    since: datetime
    until: datetime
    settled: Sequence[Fact]
    """Between the two times, the latest first; also those that are being taken back."""
    waiting: Sequence[Fact]
    """Those that are PROCESSING now, however long, the latest first."""
    sample: Sample = Sample()
    failures: int = 0
    """How many messages the failure queue holds, about."""
    units_per_row: Mapping[str, int] = field(default_factory=dict)
    """How many write units a row of up to 1 KB costs, by the feed: none in PostgreSQL."""

    @property
    def facts(self) -> Sequence[Fact]:
        return [*self.waiting, *self.settled]
