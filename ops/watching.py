"""Looks at what is under way: the feeds, the files in flight, the failure queue, and the alarms that are on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from csv_ingest import ledger
from csv_ingest.queues import Count

from . import alarms, brake, failures, status
from .pipeline import DeployedFeed, Pipeline
from .tally import Tally
from .wording import counted

LATE = timedelta(seconds=5)
"""The index may have an upload so long after the time that it is listed by: each look goes back so far."""

IDLE_LOOKS = 3
"""After so many looks in a row without a file in flight, nothing is in flight: an event of S3 takes a moment."""

NO_MOVE = timedelta(minutes=15)
"""If nothing has changed for so long, no delivery is at work: Lambda ends each one before."""


@dataclass(frozen=True, kw_only=True)
class FileLook:
    """One file in flight."""

    record: ledger.FileRecord
    progress: str
    """How far it is."""


@dataclass(frozen=True, kw_only=True)
class FeedLook:
    """One feed."""

    name: str
    is_paused: bool
    in_flight: int
    """How many files, about."""
    first: Sequence[ledger.FileRecord]
    """The records of the latest of these, at most a hundred."""
    tally: Tally

    @property
    def state(self) -> tuple[object, ...]:
        """Changes whenever the ledger says that a delivery has done something."""
        return self.in_flight, self.first, self.tally.complete, self.tally.rejected


@dataclass(frozen=True, kw_only=True)
class Look:
    """Everything at one time."""

    at: datetime
    since: datetime
    """The time of the first look."""
    moved_at: datetime
    """When a delivery was last seen to have done something."""
    feeds: Sequence[FeedLook]
    files: Sequence[FileLook]
    """Those in flight that are shown: files in parts first, of each kind the latest first."""
    failures: Count
    alarms: Sequence[alarms.Alarm]

    @property
    def in_flight(self) -> int:
        return sum(feed.in_flight for feed in self.feeds)

    @property
    def is_well(self) -> bool:
        """Whether nothing is in flight, the failure queue is empty, and no alarm is on."""
        return not self.in_flight and not any(self.failures) and not self.alarms


def looks(
    pipeline: Pipeline,
    feeds: Sequence[DeployedFeed],
    *,
    now: Callable[[], datetime],
    wait: Callable[[], None],
    shown: Callable[[], int],
    until_idle: bool,
) -> Iterator[Look]:
    """Look again and again, with a wait between two looks; `shown` says how many files in flight are to be shown.

    With `until_idle`, this ends after IDLE_LOOKS without a file in flight, or when nothing has changed for NO_MOVE.
    """
    look, idle = None, 0
    while True:
        look = take(pipeline, feeds, now(), look, shown=shown())
        yield look
        idle = 0 if look.in_flight else idle + 1
        if until_idle and (idle >= IDLE_LOOKS or look.at - look.moved_at >= NO_MOVE):
            return
        wait()


def take(pipeline: Pipeline, feeds: Sequence[DeployedFeed], now: datetime, before: Look | None, *, shown: int) -> Look:
    """Look once. `before` is the look before this one, and `now` a time of the ledger's clock.

    Two requests; for each feed, four, one more if files are in flight, and one for each hundred files that were settled
    in the last seconds; for each shown file in parts, one for each MB that the ledger has of its parts.
    """
    since = max(before.since, before.at - LATE) if before else now
    earlier = {feed.name: feed for feed in before.feeds} if before else {}
    taken = [_take_feed(pipeline, feed, now, since, earlier.get(feed.name)) for feed in feeds]
    is_same = before and [feed.state for feed in before.feeds] == [feed.state for feed in taken]
    return Look(
        at=now,
        since=before.since if before else now,
        moved_at=before.moved_at if before and is_same else now,
        feeds=taken,
        files=[FileLook(record=each, progress=_progress(pipeline, each)) for each in _in_order(taken)[:shown]],
        failures=failures.count(pipeline),
        alarms=alarms.on(pipeline),
    )


def _take_feed(
    pipeline: Pipeline, feed: DeployedFeed, now: datetime, since: datetime, before: FeedLook | None
) -> FeedLook:
    files, time = pipeline.files, ledger.text_of_time(since)
    first, in_flight = files.first_listed(feed.name, ledger.PROCESSING)
    settled = [record for each in ledger.SETTLED for record in files.listed(feed.name, each, since=time)]
    tally = before.tally if before else Tally()
    return FeedLook(
        name=feed.name,
        is_paused=brake.is_paused(feed),
        in_flight=in_flight,
        first=first,
        tally=tally.after(now, first, settled),
    )


def _in_order(feeds: Sequence[FeedLook]) -> list[ledger.FileRecord]:
    found = (record for feed in feeds for record in feed.first)
    latest = sorted(found, key=lambda record: str(record.started_at or ""), reverse=True)
    return sorted(latest, key=lambda record: not record.part_count)


def _progress(pipeline: Pipeline, record: ledger.FileRecord) -> str:
    if record.erasing:
        return f"`{record.erasing}` is under way"
    rows = f"{counted(record.counts.read, 'row')} so far" if record.counts else "no row so far"
    failed = f"; a delivery failed: {record.last_error}" if record.last_error else ""
    return f"{status.progress_in_parts(pipeline, record) or rows}{failed}"
