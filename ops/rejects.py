"""The rejected rows of an upload, with what the file has there."""

from collections.abc import Iterator
from itertools import islice

from csv_ingest import csvfile, source
from csv_ingest.ledger import FileRecord
from ops.pipeline import Pipeline


def rows_to_send_back(pipeline: Pipeline, key: str, record: FileRecord) -> Iterator[list[str | int]]:
    """Yield a header, then each rejected row by line: its line, the reason, and its cells as they are in the file.

    The file is read as it was when it was ingested. Raises UnreadableFile if it is not what it was.
    """
    with source.open_object(record.object_version(pipeline.upload_bucket), pipeline.s3) as stream:
        records = csvfile.read_records(stream, record.format or pipeline.config.format)
        for _, names in islice(records, 1):
            yield ["line", "reason", *names]
        for rejected in pipeline.files.rejected_rows(key, record.etag):
            for line, cells in records:  # both are in the order of the file
                if line == rejected.line:
                    yield [line, rejected.reason, *cells]
                    break
