"""The rejected rows of an upload, with what the file has there."""

from collections.abc import Iterator
from itertools import islice

from csv_ingest import csvfile, ledger
from csv_ingest.model import RejectedRow
from ops.expectations import Expectations
from ops.pipeline import Pipeline

FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the full-width ones are meant
"""With these, a spreadsheet takes a cell for a formula: https://owasp.org/www-community/attacks/CSV_Injection"""


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
    """Yield the header's cells with None, then each rejected row by line, with its cells as they are in the file.

    The file is read as it was when it was ingested. Raises UnreadableFile if it is not what it was, and ObjectGone.
    """
    version = record.object_version(pipeline.upload_bucket)
    with pipeline.open(version) as stream:
        records = csvfile.read_records(stream, pipeline.format_of(version, record))
        for _, names in islice(records, 1):
            yield None, names
        for rejected in rejected_rows(pipeline, record):
            for line, cells in records:  # both are in the order of the file
                if line == rejected.line:
                    yield rejected, cells
                    break


def as_text(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA_STARTS) else cell
