"""One uploaded file, from its first byte to the ledger's sums."""

from csv_ingest import csvfile, fanout, ledger, loader, planning
from csv_ingest.delivery import Delivery
from csv_ingest.model import NOTHING_YET, Outcome


def ingest_file(delivery: Delivery) -> Outcome:
    """Bring every row of a file into the destination, or into the ledger as rejected, and settle the file.

    Returns after one read if an earlier delivery completed the file. A large file is only checked and split here: its
    parts are dispatched, and the last of them settles the file.

    Repeating it, at any time, any number of times, also after a delivery that was killed, leads to the same tables, and
    goes on where confirmed work ended.

    Raises UnreadableFile if the file can never be ingested; no row of it is stored then. Raises RowsNotWritten,
    ItemsNotRead, OutOfTime or botocore's errors if it can be tried again; what was stored stays stored.
    """
    record = delivery.ledger.read()
    if record.status == ledger.COMPLETE:
        return Outcome(counts=record.counts or NOTHING_YET, already_complete=True)
    delivery.ledger.begin()
    if record.counts is None:
        record = _plan(delivery, record)
    if record.parts:
        return fanout.settle_or_dispatch(delivery, after=None)
    return _load(delivery, record)


def _plan(delivery: Delivery, record: ledger.FileRecord) -> ledger.FileRecord:
    """Read the file once to its end and record how it is ingested; returns the record, of whoever came first."""
    plan = planning.plan_file(
        delivery.version,
        record.format or delivery.config.format,
        delivery.open,
        # A file that was begun once stays, whatever is allowed today.
        max_bytes=None if record.format else delivery.config.max_file_bytes,
        deadline=delivery.deadline,
        tuning=delivery.tuning,
    )
    return delivery.ledger.parts.split(plan) if plan.parts else delivery.ledger.found_readable(plan.format)


def _load(delivery: Delivery, record: ledger.FileRecord) -> Outcome:
    """Load the rows that are not counted yet, in the order of the file, and settle the file."""
    format_ = record.format or delivery.config.format
    with delivery.open() as stream:
        loaded = loader.load_rows(
            csvfile.read_rows(stream, format_),
            record.counts or NOTHING_YET,
            write=delivery.row_store(format_).store,
            batch_rows=delivery.destination.insert_rows,
            reject=delivery.ledger.reject_rows,
            checkpoint=delivery.ledger.checkpoint,
            deadline=delivery.deadline,
            tuning=delivery.tuning,
        )
    delivery.ledger.complete(loaded.counts)
    return Outcome(counts=loaded.counts, already_present=loaded.already_present, settled=loaded.counts)
