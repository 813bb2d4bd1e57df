"""What became of uploads."""

from collections.abc import Iterable, Iterator

from csv_ingest.ledger import COMPLETE, FileRecord
from csv_ingest.model import ObjectVersion, Upload
from ops.pipeline import Pipeline


def is_good(record: FileRecord) -> bool:
    """Whether a file is complete and no row of it was rejected."""
    return record.status == COMPLETE and not (record.counts and record.counts.rejected)


def not_good(pipeline: Pipeline) -> list[tuple[ObjectVersion, FileRecord]]:
    """Every upload that is not complete or has rejected rows, with its record, the newest first."""
    found = [(upload, record) for upload, record in distinct(pipeline.records()) if not is_good(record)]
    found.sort(key=lambda pair: pair[0].modified, reverse=True)
    return [(upload.version, record) for upload, record in found]


def distinct(found: Iterable[tuple[Upload, FileRecord]]) -> Iterator[tuple[Upload, FileRecord]]:
    """The uploads with their records; versions that share a record only once: they are the same upload."""
    seen: set[tuple[str, str]] = set()
    for upload, record in found:
        name = upload.version.key, str(record.attributes.get("entry", upload.version.etag))
        if name not in seen:
            seen.add(name)
            yield upload, record


def progress_in_parts(record: FileRecord) -> str:
    """How far a file is that is ingested in parts; empty for other files and complete ones."""
    if not record.part_count or record.status == COMPLETE:
        return ""
    if record.parts_checked is not None:
        return f"{record.parts_checked:,} of {record.part_count:,} parts checked for duplicate ids"
    return f"{record.parts_done:,} of {record.part_count:,} parts done"
