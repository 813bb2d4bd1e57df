"""Reads what a report is made of: the index of the ledger, records, some rejected rows, the failure queue."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice

from csv_ingest import ledger

from .. import failures, history
from ..pipeline import DeployedFeed, Pipeline
from ..wording import Progress, counted
from . import reasons
from .facts import Fact, Material, Outcome, Sample, fact_of

SAMPLED_ROWS = 200
"""Rejected rows that are read of a file."""

SAMPLED_FILES = 500
"""Files whose rejected rows are read, the latest ones."""

EVERY = 500
"""Uploads after which the progress is told."""


def gather(
    pipeline: Pipeline, feeds: Sequence[DeployedFeed], *, since: datetime, until: datetime, progress: Progress
) -> Material:
    """Read the uploads of some feeds: those that were settled since a time, and all that are PROCESSING.

    Of 100,000 uploads, it holds some 70 MB.
    """
    progress("reading what is under way")
    begun = history.uploads(pipeline, feeds, since=None, statuses=[ledger.PROCESSING])
    waiting = {fact.name: fact for fact in _facts(begun, until) if fact.outcome is Outcome.UNDER_WAY}
    settled: list[Fact] = []
    with_rejects: list[ledger.FileRecord] = []
    for record in history.uploads(pipeline, feeds, since=since, statuses=[ledger.COMPLETE, ledger.REJECTED]):
        fact = fact_of(record, until)
        waiting.pop(fact.name, None)  # it was settled meanwhile
        settled.append(fact)
        if fact.outcome is Outcome.WITH_REJECTS and len(with_rejects) < SAMPLED_FILES:
            with_rejects.append(record)
        if len(settled) % EVERY == 0:
            progress(f"{counted(len(settled), 'upload')} read")
    progress(f"reading rejected rows of {counted(len(with_rejects), 'file')}")
    return Material(
        stack=pipeline.stack,
        feeds=[feed.name for feed in feeds],
        since=since,
        until=until,
        settled=settled,
        waiting=list(waiting.values()),
        sample=_sample(pipeline.files, with_rejects),
        failures=sum(failures.count(pipeline)),
        units_per_row={feed.name: _units_per_row(feed) for feed in feeds},
    )


def _facts(records: Iterator[ledger.FileRecord], now: datetime) -> Iterator[Fact]:
    return (fact_of(record, now) for record in records)


def _sample(files: ledger.FilesTable, records: Sequence[ledger.FileRecord]) -> Sample:
    """The reasons of at most 200 rejected rows of each file."""

    def some(record: ledger.FileRecord) -> list[str]:
        return [row.reason for row in islice(files.rejected_rows(record, at_once=SAMPLED_ROWS), SAMPLED_ROWS)]

    found, columns = Counter[str](), Counter[str]()
    with ThreadPoolExecutor(history.AT_ONCE) as pool:
        for said in pool.map(some, records):
            for what, column in map(reasons.of_row, said):
                found[what] += 1
                if column:
                    columns[column] += 1
    return Sample(found, columns, rows=found.total(), files=len(records))


def _units_per_row(feed: DeployedFeed) -> int:
    """How many write units a row of up to 1 KB costs: one in the table, and one in its index."""
    return 0 if feed.settings.is_postgresql else 1 + feed.settings.file_index
