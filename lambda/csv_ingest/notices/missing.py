"""Files that were expected, and did not come."""

from datetime import UTC, datetime

from csv_ingest import ledger
from csv_ingest.model import Expectation
from csv_ingest.notices.notice import Kind, Notice


def missing(feed: str, expect: str, files: ledger.FilesTable, *, now: datetime) -> Notice | None:
    """The notice that no file of a feed became complete since the time before the last time of `expect`.

    None if one did, be it late. Nothing is missing of a time before this was first asked: then nobody expected it. Two
    reads, and more only while files of the time are being taken back.
    """
    since, until = Expectation.parse(expect).window(now)
    if since < files.notices.since(f"expect {feed} {expect}"):
        return None
    came = files.listed(feed, ledger.COMPLETE, since=_text(since), at_once=1)
    if any(record.is_complete for record in came):
        return None
    return Notice(
        kind=Kind.MISSING,
        feed=feed,
        reason=f"no file of the feed became complete since {since:%Y-%m-%d %H:%M} UTC; expected: {expect}",
        settled_at=_text(until),
        expected_since=_text(since),
        expected_until=_text(until),
    )


def _text(time: datetime) -> str:
    """As the ledger writes times."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")
