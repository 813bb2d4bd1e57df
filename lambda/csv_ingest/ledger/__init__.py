"""The files table: what became of each upload, of its parts and of its rejected rows.

This package is the only owner of the table's keys and attributes. Other code asks it through these names.
"""

from csv_ingest.ledger.file import FileLedger
from csv_ingest.ledger.items import (
    COMPLETE,
    FORGET,
    KEY,
    MAX_ATTEMPTS,
    PROCESSING,
    REJECTED,
    RELOAD,
    SETTLED,
    Acknowledgement,
    FileRecord,
)
from csv_ingest.ledger.parts import PartLedger
from csv_ingest.ledger.table import FilesTable

__all__ = [
    "COMPLETE",
    "FORGET",
    "KEY",
    "MAX_ATTEMPTS",
    "PROCESSING",
    "REJECTED",
    "RELOAD",
    "SETTLED",
    "Acknowledgement",
    "FileLedger",
    "FileRecord",
    "FilesTable",
    "PartLedger",
]
