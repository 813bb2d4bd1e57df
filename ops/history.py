"""The uploads of a time, by the index of the ledger: neither the bucket nor the whole table is read."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from heapq import merge
from itertools import islice
from operator import attrgetter

from csv_ingest import dynamodb, ledger

from .pipeline import DeployedFeed, Pipeline

AT_ONCE = 8
"""Requests for records at the same time, of a hundred records each."""

STATUSES = (ledger.PROCESSING, ledger.COMPLETE, ledger.REJECTED)

ERASING = "ERASING"
"""Stands in the place of the status of an upload that is being taken back. The ledger has no such status."""


def uploads(
    pipeline: Pipeline,
    feeds: Sequence[DeployedFeed],
    *,
    since: datetime | None,
    prefix: str = "",
    statuses: Sequence[str] = STATUSES,
    limit: int | None = None,
) -> Iterator[ledger.FileRecord]:
    """The uploads of some feeds that have one of some statuses since a time or later, the latest first.

    At most `limit`. Each comes once, and as it is now: an upload that is settled meanwhile is settled, and one that is
    deleted does not come. Records are read as they are asked for, at most 800 ahead.
    """
    begin = ledger.text_of_time(since) if since else ""
    lists = [
        pipeline.files.index(feed.name, status, since=begin, at_once=limit) for feed in feeds for status in statuses
    ]
    latest_first = merge(*lists, key=attrgetter("at"), reverse=True)
    some = islice((each for each in _distinct(latest_first) if each.object_key.startswith(prefix)), limit)
    return _records(pipeline.files, some)


def state(record: ledger.FileRecord) -> str:
    """The status of an upload, for people; of one that is being taken back, the ledger says COMPLETE."""
    return ERASING if record.erasing else str(record.status)


def uploaded_at(record: ledger.FileRecord) -> datetime | None:
    """When S3 made the object; None if the ledger does not say it, as of a file that was not read yet."""
    return datetime.fromisoformat(record.uploaded_at) if record.uploaded_at else None


def settled_at(record: ledger.FileRecord) -> datetime | None:
    """When the upload was settled; None if it is not."""
    return record.settled_at if record.is_settled else None


def seconds(record: ledger.FileRecord) -> float | None:
    """From the upload to its outcome, by the clocks of S3 and of Lambda; None if one of the two times is not known."""
    begin, end = uploaded_at(record), settled_at(record)
    return max(0.0, (end - begin).total_seconds()) if begin and end else None


def _distinct(entries: Iterable[ledger.Listed]) -> Iterator[ledger.Listed]:
    """Each upload once: while its status changes, the index can have it under both."""
    seen: set[tuple[str, str]] = set()
    for each in entries:
        name = each.object_key, each.key["entry"]["S"]
        if name not in seen:
            seen.add(name)
            yield each


def _records(files: ledger.FilesTable, entries: Iterable[ledger.Listed]) -> Iterator[ledger.FileRecord]:
    """The records of some uploads, in their order."""
    ahead: deque[Future[list[ledger.FileRecord]]] = deque()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        remaining = iter(entries)
        while some := list(islice(remaining, dynamodb.MAX_KEYS)):
            ahead.append(pool.submit(files.records_under, [each.key for each in some]))
            if len(ahead) >= AT_ONCE:
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()
