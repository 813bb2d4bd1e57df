"""What has changed between two looks, a line each."""

from collections.abc import Iterator, Sequence

from csv_ingest import ledger
from csv_ingest.queues import Count

from .alarms import Alarm
from .tally import name_of
from .watching import FeedLook, FileLook, Look
from .wording import counted


def changes(before: Look | None, now: Look) -> Iterator[str]:
    """The lines, in the order of what causes what. With no look before, how everything is."""
    for feed in now.feeds:
        yield from map(outcome, feed.tally.settled)
    yield from _of_files(before.files if before else (), now.files)
    earlier = {feed.name: feed for feed in before.feeds} if before else {}
    for feed in now.feeds:
        yield from _of_feed(earlier.get(feed.name), feed)
    if not before or before.failures != now.failures:
        yield in_queue(now.failures)
    yield from _of_alarms(before.alarms if before else None, now.alarms)


def outcome(record: ledger.FileRecord) -> str:
    """What became of a file."""
    about = f"{record.object_key}: {record.status}"
    if record.reason:
        return f"{about}: {record.reason}"
    if not record.counts:
        return about
    superseded = f", {record.counts.superseded:,} superseded" if record.counts.superseded else ""
    counts = f"{record.counts.stored:,} stored, {record.counts.rejected:,} rejected{superseded}"
    return f"{about}: {counted(record.counts.read, 'row')} read, {counts}"


def in_queue(count: Count) -> str:
    """What is in the failure queue."""
    if not any(count):
        return "failure queue: empty"
    hidden = f", {count.hidden:,} of them hidden by a command" if count.hidden else ""
    return f"failure queue: {counted(sum(count), 'message')}{hidden}"


def _of_files(before: Sequence[FileLook], now: Sequence[FileLook]) -> Iterator[str]:
    """A file that is new, has more parts done, or failed. More rows alone are no line: each look finds some."""
    earlier = {name_of(file.record): _stage(file) for file in before}
    for file in now:
        if earlier.get(name_of(file.record)) != _stage(file):
            yield f"{file.record.object_key}: {file.progress}"


def _stage(file: FileLook) -> tuple[object, ...]:
    record = file.record
    return record.parts_done, record.parts_checked, record.last_error, record.erasing, record.started_at


def _of_feed(before: FeedLook | None, now: FeedLook) -> Iterator[str]:
    if before and before.is_paused != now.is_paused:
        yield f"feed {now.name}: {'paused' if now.is_paused else 'resumed'}"
    if not before or before.in_flight != now.in_flight:
        paused = "paused, " if now.is_paused and not before else ""
        yield f"feed {now.name}: {paused}{counted(now.in_flight, 'file')} in flight"


def _of_alarms(before: Sequence[Alarm] | None, now: Sequence[Alarm]) -> Iterator[str]:
    known = {alarm.full_name for alarm in before or ()}
    for alarm in now:
        if alarm.full_name not in known:
            yield f"alarm {alarm.name} is on: {alarm.meaning}"
    for alarm in before or ():
        if alarm.full_name not in {each.full_name for each in now}:
            yield f"alarm {alarm.name} is off: {alarm.full_name}"
    if not now and (before is None or before):
        yield "no alarm is on"
