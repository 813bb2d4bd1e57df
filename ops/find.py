"""The rows that have some ids, in all uploads of a feed."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

from csv_ingest import destinations, ledger
from csv_ingest.model import RowKey, StoredRow

from .pipeline import DeployedFeed, Pipeline
from .wording import Progress, counted


@dataclass(frozen=True)
class FoundRow:
    """A row, and the uploads that it came from."""

    row: StoredRow
    uploads: list[ledger.FileRecord]
    """One for each object key, the newest last. At least one, unless the ledger has forgotten it."""

    @property
    def time(self) -> float:
        """Of the newest upload."""
        return _time(self.uploads[-1]) if self.uploads else 0


@dataclass
class Looked:
    """The rows that were found, and how many uploads were looked at."""

    found: list[FoundRow] = field(default_factory=list)
    """By id, in the order in which the ids were given; of each id, the row of the newest upload last."""
    uploads: int = 0
    skipped: int = 0
    """How many uploads were not looked at: their rows are in another table, since the feed had another destination."""


def find(pipeline: Pipeline, feed: DeployedFeed, ids: Iterable[str], progress: Progress) -> Looked:
    """Find every row of a feed that has one of the ids.

    No index has the ids: the ETag of each upload comes from the ledger, which is read whole, and the destination is
    asked for each id under each ETag. Where rows are superseded, the destination is asked once per id, and the ledger
    says which upload the row is from.
    """
    wanted = list(dict.fromkeys(ids))
    looked = Looked()
    met: dict[RowKey, FoundRow] = {}
    records = _planned_here(pipeline, feed, looked)
    with closing(feed.destination) as destination:
        if feed.mode.supersedes:
            _ask(destination, (RowKey("", id_) for id_ in wanted), met)
        while some := list(islice(records, max(1, destination.max_fetch // len(wanted)))):
            if not feed.mode.supersedes:
                keys = dict.fromkeys(RowKey(record.etag, id_) for record in some for id_ in wanted)
                _ask(destination, keys, met)
            for row in met.values():
                row.uploads.extend(record for record in some if record.origin.upload == row.row.key.upload)
            looked.uploads += len(some)
            progress(f"{counted(looked.uploads, 'upload')}, {counted(len(met), 'row')} found")
    for row in met.values():
        row.uploads.sort(key=_time)
    looked.found = sorted(met.values(), key=lambda row: (wanted.index(str(row.row.key.id)), row.time))
    return looked


def _ask(destination: destinations.Destination, keys: Iterable[RowKey], met: dict[RowKey, FoundRow]) -> None:
    left = (key for key in keys if key.id)  # no row has an empty id, and DynamoDB refuses to look for one
    while asked := list(islice(left, destination.max_fetch)):
        for each in destination.find(asked):
            if isinstance(each, StoredRow):
                met.setdefault(each.key, FoundRow(each, []))


def _planned_here(pipeline: Pipeline, feed: DeployedFeed, looked: Looked) -> Iterator[ledger.FileRecord]:
    """The uploads that have rows in today's table of the feed; the others are counted."""
    for record in pipeline.files.uploads(feed.name):
        if record.is_planned and record.owner.target.is_same(feed.owner.target):
            yield record
        else:
            looked.skipped += record.is_planned


def _time(record: ledger.FileRecord) -> float:
    return record.changed_at.timestamp() if record.changed_at else 0
