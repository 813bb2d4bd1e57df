"""CSV files: from bytes to records, from records to rows, and where a large file can be split. Knows no AWS."""

from csv_ingest.csvfile import cells
from csv_ingest.csvfile.reader import MAX_RECORD, TooManyLines, read_header, read_records, read_rows, read_table
from csv_ingest.csvfile.splitter import AmbiguousCsv, is_splittable, split_points
from csv_ingest.csvfile.streams import ByteRange, ByteStream, ContentHash, CountingStream, OnRead, Open, ReplayStream
