"""The infrastructure: the pipeline as a construct, and a stack that has one, with its settings."""

from csv_ingest.feed import Feed
from csv_ingest.model import FileFormat

from .csv_ingest import CsvIngest

__all__ = ["CsvIngest", "Feed", "FileFormat"]
