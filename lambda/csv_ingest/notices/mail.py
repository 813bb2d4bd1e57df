"""The mail about what a person has to look at. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from csv_ingest.commands import command
from csv_ingest.escaping import escaped
from csv_ingest.notices.notice import Kind, Notice

MAX_SHOWN, MAX_BYTES = 50, 200_000
"""Notices of one mail, and bytes of them: SNS takes 256 KB. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""

MAX_LINE = 1_200
"""Characters of a line, after what cannot be seen was escaped: more than any key of visible characters has."""

_WORDS = {
    Kind.REJECTED: "rejected",
    Kind.FAILED: "failed",
    Kind.MISSING: "missing",
    Kind.COMPLETE: "complete with rejected rows",
}
"""In the order of the mail: the worst first."""


class Mail(NamedTuple):
    """A mail, as SNS sends it."""

    subject: str
    """ASCII, at most 100 characters, as SNS wants it."""
    text: str


def digest(notices: Sequence[Notice], *, pipeline: str) -> Mail:
    """One mail about some notices, at least one: each with the feed, the key, the reason and the next command."""
    order = list(_WORDS)
    ordered = sorted(notices, key=lambda each: (order.index(each.kind), each.settled_at or ""))
    counts = Counter(each.kind for each in ordered)
    sums = ", ".join(f"{counts[kind]:,} {words}" for kind, words in _WORDS.items() if counts[kind])
    paragraphs: list[str] = []
    for each in ordered[:MAX_SHOWN]:
        paragraph = "\n".join(map(_cut, _lines(each, pipeline)))
        if sum(len(every.encode()) for every in [*paragraphs, paragraph]) > MAX_BYTES:
            break
        paragraphs.append(paragraph)
    if left := len(ordered) - len(paragraphs):
        paragraphs.append(f"and {left:,} more: {command(pipeline, 'status')}")
    text = "\n\n".join([f"Pipeline {pipeline}: {sums}.", *paragraphs])
    return Mail(f"csv-ingest {pipeline}: {sums}"[:100], f"{text}\n")


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}..."


def _lines(told: Notice, pipeline: str) -> Iterator[str]:
    key = told.object_key or ""
    yield f"{_WORDS[told.kind].upper()}: {escaped(key) or f'a file of the feed {told.feed}'}"
    about = [f"feed {told.feed}" if told.feed and key else "", _when("uploaded", told.uploaded_at)]
    if told.rows_read is not None:
        about.append(f"{told.rows_read:,} rows read, {told.rows_rejected or 0:,} rejected")
    if said := ", ".join(filter(None, about)):
        yield f"  {said}"
    if told.reason:
        yield f"  {escaped(told.reason)}"
    for reject in told.first_rejects:
        yield f"  line {reject['line']:,}: {escaped(str(reject['reason']))}"
    if told.rejects_uri:
        yield f"  the rejected rows: {escaped(told.rejects_uri)}"
    yield f"  next: {_next(told, pipeline)}"


def _next(told: Notice, pipeline: str) -> str:
    key = told.object_key or ""
    if told.kind is Kind.MISSING:
        return f"ask the sender; {command(pipeline, 'history', '--feed', told.feed or '')}"
    if told.kind is Kind.FAILED:
        return command(pipeline, "redrive", "--dry-run", f"--prefix={key}")
    return command(pipeline, "rejects" if told.kind is Kind.COMPLETE else "status", key=key)


def _when(word: str, time: str | None) -> str:
    return f"{word} {datetime.fromisoformat(time):%Y-%m-%d %H:%M:%S} UTC" if time else ""
