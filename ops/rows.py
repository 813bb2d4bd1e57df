"""The rows of an upload, as its destination has them, and those that were rejected."""

from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from csv_ingest import ledger, sending_back
from csv_ingest.model import RejectedRow, Row, RowKey, StoredRow

from .expectations import Expectations
from .pipeline import DeployedFeed, NoFeed, ObjectGone, Pipeline


class Missing(NamedTuple):
    """A row that the file has and the destination has not."""

    line: int
    id: str
    why: str


class Superseded(NamedTuple):
    """A row of the file in whose place the destination has the row of a newer upload."""

    line: int
    id: str
    uploaded: str
    """By which upload, as the stored row says it."""


Shown = StoredRow | Missing | Superseded


def feed_with_rows(pipeline: Pipeline, key: str, record: ledger.FileRecord) -> DeployedFeed:
    """The feed whose destination has the rows of an upload; raises NoFeed if they are in no table of today's feeds."""
    feed = pipeline.owner_of(key, record)
    before, today = record.owner.target, feed.owner.target
    if record.is_planned and not before.is_same(today):
        raise NoFeed(f"{key}: {before.moved(today)}")
    return feed


def rows_of(pipeline: Pipeline, feed: DeployedFeed, record: ledger.FileRecord) -> Generator[Shown]:
    """Yield the rows of an upload by line, as they are stored; in their places, the rows that are not there.

    If the destination finds as many rows by their ETag as the ledger has counted, those are the rows. Otherwise the ids
    are read in the file: the ledger counts a row that is on two lines twice, so that only the file can tell what is
    missing. Of an upload that is not complete, or whose rows have expired, no row is missing. Raises ObjectGone, after
    the rows that can be found without the file, if the file is needed and gone.
    """
    if feed.mode.origin(record.etag, record.upload_order, record.expires_at) is None:
        return  # it was not read to its end: no row of it is stored
    with closing(feed.destination) as destination:
        # Where rows are superseded, only the file has the ids whose rows are those of newer uploads by now.
        number = None if feed.mode.supersedes else destination.count(record.origin)
        counted = record.counts.stored if record.counts else 0
        has_to_be_there = record.is_complete and not record.is_expired(datetime.now(UTC))
        if number is not None and (not has_to_be_there or number >= counted):
            yield from destination.rows_of(record.origin)
            return
        try:
            yield from _by_file(pipeline, feed, record)
        except ObjectGone as gone:
            gone.by_etag = destination.count(record.origin) is not None
            if gone.by_etag:
                yield from destination.rows_of(record.origin)
            raise


def _by_file(pipeline: Pipeline, feed: DeployedFeed, record: ledger.FileRecord) -> Iterator[Shown]:
    """Yield what the destination has under the ids that are in the file, in the order of its lines."""
    rows, upload = _rows_to_store(pipeline, feed, record), record.origin.upload
    has_to_be_there = record.is_complete and not record.is_expired(datetime.now(UTC))
    while some := list(islice(rows, feed.destination.max_fetch)):
        found = {each.key.id: each for each in feed.destination.find([RowKey(upload, row.id) for row in some])}
        for row in some:
            stored = found.get(row.id)
            if isinstance(stored, StoredRow) and stored.key.upload == upload:
                yield stored
            elif isinstance(stored, StoredRow) and stored.key.upload > upload:
                yield Superseded(row.line, row.id, stored.key.upload)
            elif has_to_be_there:
                older = "an older upload's row is in its place"
                other = older if isinstance(stored, StoredRow) else "what is under its key is no row"
                yield Missing(row.line, row.id, "not in the table" if stored is None else other)


def _rows_to_store(pipeline: Pipeline, feed: DeployedFeed, record: ledger.FileRecord) -> Iterator[Row]:
    """The rows of the file that have to be in the destination: of each id, the first line. Ids are kept on disk."""
    version = record.object_version(pipeline.upload_bucket)
    with Expectations.on_disk(feed.mode) as expected:
        for row in pipeline.read_rows(version, record):
            if not isinstance(row, Row) or feed.destination.refusal(record.origin, row):
                continue
            if expected.add_row(version.key, record.origin, row, required=True).line == row.line:
                yield row


def rejected_rows(pipeline: Pipeline, record: ledger.FileRecord) -> Iterator[RejectedRow]:
    """Yield the rejected rows of an upload, by line: as the ledger has them or, if it lacks some, as the file does.

    Where rows are superseded, the file says of each line whose id an earlier line has that it is rejected, also if it
    was counted as superseded. Raises UnreadableFile if the file is not what it was.
    """
    if record.counts and record.counts.unrecorded:
        return _rejected_in_file(pipeline, record)
    return pipeline.files.rejected_rows(record)


def _rejected_in_file(pipeline: Pipeline, record: ledger.FileRecord) -> Iterator[RejectedRow]:
    version = record.object_version(pipeline.upload_bucket)
    feed = pipeline.owner_of(version.key, record)
    with Expectations.on_disk(feed.mode) as expected:
        for row in pipeline.read_rows(version, record):
            if rejected := expected.expect(feed.destination, version.key, record.origin, row, required=True):
                yield rejected


def rows_to_send_back(pipeline: Pipeline, record: ledger.FileRecord) -> Iterator[tuple[RejectedRow | None, list[str]]]:
    """Yield the header's cells with None, if it has one; then each rejected row by line, with its cells in the file.

    The file is read as it was when it was ingested. Raises UnreadableFile if it is not what it was, and ObjectGone.
    """
    version = record.object_version(pipeline.upload_bucket)
    with pipeline.open(version) as stream:
        rejects = rejected_rows(pipeline, record)
        yield from sending_back.rows_to_send_back(stream, pipeline.format_of(version, record), rejects)
