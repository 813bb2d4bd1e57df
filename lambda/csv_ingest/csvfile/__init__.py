"""CSV files: from bytes to records, from records to rows, and where a large file can be split. Knows no AWS.

Other code uses the package through these names.
"""

from csv_ingest.csvfile.content_hash import ContentHash
from csv_ingest.csvfile.lines import TooManyLines
from csv_ingest.csvfile.reader import read_header, read_records, read_rows, read_table
from csv_ingest.csvfile.splitter import AmbiguousCsv, is_splittable, split_points
from csv_ingest.csvfile.streams import ByteRange, ByteStream, CountingStream, OnRead, Open, ReplayStream

__all__ = [
    "AmbiguousCsv",
    "ByteRange",
    "ByteStream",
    "ContentHash",
    "CountingStream",
    "OnRead",
    "Open",
    "ReplayStream",
    "TooManyLines",
    "is_splittable",
    "read_header",
    "read_records",
    "read_rows",
    "read_table",
    "split_points",
]
