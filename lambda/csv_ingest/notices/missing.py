"""Files that were expected, and did not come."""

from datetime import datetime

from csv_ingest import ledger
from csv_ingest.model import VERIFY_FOLDER, Expectation
from csv_ingest.notices.notice import Kind, Notice


def missing(feed: str, expect: str, files: ledger.FilesTable, *, now: datetime) -> Notice | None:
    """The notice that no file of a feed became complete since the time before the last time of `expect`.

    None if one did, be it late: that is marked, and holds though the file is reloaded or forgotten later. Nothing is
    missing of a time before this was first asked: then nobody expected it. Two reads, and two more until the mark.
    """
    since, until = Expectation.parse(expect).window(now)
    met = f"met {feed} {ledger.text_of_time(until)}"
    if since < files.notices.since(f"expect {feed} {expect}") or files.notices.told([met]):
        return None
    came = files.listed(feed, ledger.COMPLETE, since=ledger.text_of_time(since), at_once=1)
    if any(map(_is_file, came)):
        files.notices.mark([met])
        return None
    return Notice(
        kind=Kind.MISSING,
        feed=feed,
        reason=f"no file of the feed became complete since {since:%Y-%m-%d %H:%M} UTC; expected: {expect}",
        settled_at=ledger.text_of_time(until),
        expected_since=ledger.text_of_time(since),
        expected_until=ledger.text_of_time(until),
    )


def _is_file(record: ledger.FileRecord) -> bool:
    """Whether somebody's file has come.

    One that is being reloaded has; so has one that was forgotten since the time was met, which is marked.
    """
    return record.erasing != ledger.FORGET and VERIFY_FOLDER not in record.object_key
