"""Uploads, each a kind of file, until every row is where it has to be, or is said to be not."""

import gzip
from collections.abc import Iterator
from contextlib import closing
from itertools import islice

from csv_ingest import ledger
from csv_ingest.acceptance import MaxRejected
from csv_ingest.destinations import Destination
from csv_ingest.failure import REJECTION, Failure
from csv_ingest.model import ForeignItem, ObjectVersion, Row, RowCounts, RowKey, StoredRow

from .. import differences, redrive
from ..wording import counted
from .report import Failed, Skipped
from .sample import FILLER, Sample
from .trial import Trial

LARGE_ROWS = 8_000


def small(trial: Trial) -> str:
    """A small file is complete, and each row is stored once."""
    sample = Sample(trial)
    return _complete(trial, "small", sample.file(sample.records(50, "small")), RowCounts(50, 50))


def again(trial: Trial) -> str:
    """The same file again under another key is complete, and stores no row twice."""
    sample = Sample(trial)
    return _complete(trial, "again", sample.file(sample.records(50, "small")), RowCounts(50, 50))


def packed(trial: Trial) -> str:
    """A packed file is unpacked."""
    sample = Sample(trial)
    suffix = next((each for each in trial.feed.settings.key_suffixes if each.endswith(".gz")), None)
    if not suffix:
        raise Skipped(f"the feed {trial.feed.name} takes no key that ends in .gz")
    content = gzip.compress(sample.file(sample.records(50, "packed")))
    return _complete(trial, "packed", content, RowCounts(50, 50), suffix=suffix)


def bad_rows(trial: Trial) -> str:
    """A row without an id, and one with a field too many, are rejected by their lines; the others are stored."""
    sample = Sample(trial)
    records = sample.records(50, "bad")
    if trial.feed.settings.rejects_to:
        raise Skipped(f"with rejects_to, the sender of the feed {trial.feed.name} would get the rejected rows")
    if sample.has_ids:
        records[10] = ["", *records[10][1:-1], "a row without an id"]
    records[20].append("one field too many")
    rejected = 1 + sample.has_ids
    _require_allowed(trial, rejected, 50)
    return _complete(trial, "bad-rows", sample.file(records), RowCounts(50, 50 - rejected, rejected))


def large(trial: Trial) -> str:
    """A file that is uploaded and ingested in parts, with an id that is there twice, is complete."""
    sample = Sample(trial)
    records = sample.records(LARGE_ROWS, "large", FILLER)
    rejected = 0
    if sample.has_ids and not trial.feed.settings.rejects_to:
        records[-1] = sample.record("large-0", "another value")
        rejected = 1
    _require_allowed(trial, rejected, LARGE_ROWS)
    content, most = sample.file(records), trial.feed.settings.max_file_bytes
    if len(content) > most:
        raise Skipped(f"max_file_mb of the feed {trial.feed.name} allows {counted(most, 'byte')}, of {len(content):,}")
    return _complete(trial, "large", content, RowCounts(LARGE_ROWS, LARGE_ROWS - rejected, rejected))


def unreadable(trial: Trial) -> str:
    """A file that is no CSV is rejected, somebody is told why, and its event can be redriven."""
    key, begun = trial.key("unreadable"), trial.now()
    found = trial.settled(trial.upload(key, b"\0"), begun)
    if found.record.status != ledger.REJECTED:
        raise Failed(f"{key}, which is no CSV, is {found.record.status}: report it")

    def is_rejection(failure: Failure) -> bool:
        return failure.condition == REJECTION and key in failure.keys

    trial.failure(is_rejection, key)
    done = redrive.redrive_all(trial.pipeline, wanted=is_rejection)
    if {each.action for each in done} != {"delivered"}:
        raise Failed(f"redriving {key} ended with {', '.join(each.action for each in done) or 'no message'}: report it")
    trial.failure(is_rejection, f"{key}, which was redriven")
    return found.record.reason


def as_uploaded(trial: Trial) -> str:
    """Each row of the files that are complete is stored as it is in the file. Only these rows are read."""
    compared = 0
    with closing(trial.feed.destination) as destination:
        for version in trial.uploaded:
            record = trial.pipeline.files.record(version)
            # Where rows of newer uploads win, a later file of this run has taken the places of some.
            if record.is_complete and record.upload_order >= max(_orders(trial, version.etag)):
                for row, stored in _pairs(trial, destination, version, record):
                    where = f"line {row.line:,} of {version.key}"
                    if stored is None:
                        raise Failed(f"{where} is not in the table, and the file is complete: run audit, and report it")
                    if differences.differences(row, record.origin, stored):
                        raise Failed(f"{where} is stored with other values: run audit, and report it")
                    compared += 1
    return counted(compared, "row")


def _orders(trial: Trial, etag: str) -> Iterator[str]:
    """When each upload of a content was made, where uploads have an order."""
    for version in trial.uploaded:
        if version.etag == etag:
            yield trial.pipeline.files.record(version).upload_order


def _pairs(
    trial: Trial, destination: Destination, version: ObjectVersion, record: ledger.FileRecord
) -> Iterator[tuple[Row, StoredRow | ForeignItem | None]]:
    """The rows of a file, of each id the first one, with what is stored under their keys."""
    rows = {row.id: row for row in reversed(list(trial.pipeline.read_rows(version, record))) if isinstance(row, Row)}
    left = iter(rows.values())
    while some := list(islice(left, destination.max_fetch)):
        found = destination.find([RowKey(record.origin.upload, row.id) for row in some])
        stored = {each.key.id: each for each in found}
        yield from ((row, stored.get(row.id)) for row in some)


def _require_allowed(trial: Trial, rejected: int, read: int) -> None:
    """Raise Skipped if the feed would reject a whole file with so many rejected rows."""
    feed, most = trial.feed, trial.feed.settings.max_rejected
    if MaxRejected.parse(most).is_exceeded(rejected, read):
        raise Skipped(f"max_rejected={most} of the feed {feed.name} allows no such file")


def _complete(trial: Trial, name: str, content: bytes, expected: RowCounts, *, suffix: str = "") -> str:
    key, begun = trial.key(name, suffix), trial.now()
    found = trial.settled(trial.upload(key, content), begun)
    if found.record.status != ledger.COMPLETE:
        raise Failed(f"{key} is {found.record.status}: {found.record.reason}: see docs/runbook.md")
    if found.record.counts != expected:
        has = _words(found.record.counts)
        raise Failed(f"{key}: the ledger has {has}, and has to have {_words(expected)}: report it")
    trial.rows += expected.read
    since, settled = found.record.started_at, found.record.settled_at
    rows = counted(expected.read, "row")
    return f"{rows}, {(settled - since).total_seconds():.1f} s" if since and settled else rows


def _words(counts: RowCounts | None) -> str:
    found = counts or RowCounts()
    return f"{counted(found.read, 'row')}, of which {found.stored:,} stored and {found.rejected:,} rejected"
