"""The files table: what became of each upload, of its parts and of its rejected rows.

This package is the only owner of the table's keys and attributes. Other code asks it through these names.
"""

from csv_ingest.ledger.file import FileLedger
from csv_ingest.ledger.items import text_of_time
from csv_ingest.ledger.names import COMPLETE, FORGET, PROCESSING, REJECTED, RELOAD, SETTLED
from csv_ingest.ledger.records import MAX_ATTEMPTS, Acknowledgement, FileRecord
from csv_ingest.ledger.table import FilesTable, Listed
