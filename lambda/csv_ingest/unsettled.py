"""Which uploads of a feed should be settled and are not, and for which of them no delivery helps."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from csv_ingest import ledger
from csv_ingest.model import Deadline, ObjectVersion, Upload

PARTS_GRACE = timedelta(hours=5)
"""How much longer a file may take that is ingested in parts: Lambda keeps an event for at most six hours."""


def find_unsettled(
    uploads: Iterator[Upload], table: ledger.FilesTable, before: datetime, deadline: Deadline, *, each_version: bool
) -> tuple[int, list[tuple[ObjectVersion, ledger.FileRecord]]]:
    """How many uploads from before a time there are, and those of them that should be settled and are not."""
    seen = 0
    unsettled: dict[tuple[str, str], tuple[ObjectVersion, ledger.FileRecord]] = {}
    for upload, record in table.records(upload for upload in uploads if upload.modified < before):
        seen += 1
        deadline.check(f"after {seen:,} uploads, {len(unsettled):,} of them unsettled")
        version = upload.version
        if record.is_settled or _is_under_way(record, before):
            continue
        # Of the versions that are one upload, the one whose delivery has begun: others can have other content.
        name = version.key, version.version_id if each_version else version.etag
        if name not in unsettled or version.version_id == record.version_id:
            unsettled[name] = version, record
    return seen, list(unsettled.values())


def _is_under_way(record: ledger.FileRecord, before: datetime) -> bool:
    """Whether parts of a file may still be in Lambda's queue. More of them would only delay each other."""
    return bool(record.part_count and record.started_at and record.started_at > before - PARTS_GRACE)


def needs_a_person(record: ledger.FileRecord, before: datetime) -> bool:
    """Whether no delivery helps. A file without a plan is delivered all the same: that delivery rejects it."""
    return bool(record.erasing) or (record.is_stuck(before) and record.is_planned)
