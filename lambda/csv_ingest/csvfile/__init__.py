"""CSV files: from bytes to records, from records to rows, and where a large file can be split. Knows no AWS."""

from csv_ingest.csvfile import cells
from csv_ingest.csvfile.ending import MAX_HELD, Ending
from csv_ingest.csvfile.packing import unpacked
from csv_ingest.csvfile.records import Records, read_records
from csv_ingest.csvfile.splitter import AmbiguousCsv, is_splittable, split_points
from csv_ingest.csvfile.streams import ByteRange, ByteStream, ContentHash, CountingStream, OnRead, Open, ReplayStream
from csv_ingest.csvfile.table import Table, read_header, read_part, read_part_records, read_rows, read_table
from csv_ingest.csvfile.text import MAX_RECORD, TooManyLines
