"""Ingests one uploaded file, from the first read of the ledger to the settled record."""

from csv_ingest import csvfile, fanout, ledger, loader, planning
from csv_ingest.delivery import Delivery
from csv_ingest.model import NOTHING_YET, Outcome


def ingest_file(delivery: Delivery) -> Outcome:
    """Store every row of a file in the destination, or record it as rejected in the ledger; then settle the file.

    Returns after one read if an earlier delivery completed the file. A large file is only read and split here; its
    parts are dispatched, and the delivery of the last part settles the file.

    Can be repeated at any time and any number of times, also after a delivery that was killed: it continues after the
    last checkpoint, and leads to the same tables.

    Raises UnreadableFile if the file can never be ingested; no row of it is stored then. Raises RowsNotWritten,
    ItemsNotRead, OutOfTime or botocore's errors if the delivery should be retried; stored rows stay stored.
    """
    record = delivery.ledger.read()
    if record.status == ledger.COMPLETE:
        return Outcome(counts=record.counts or NOTHING_YET, already_complete=True)
    delivery.ledger.begin()
    if not record.is_planned:
        record = _plan(delivery, record)
    if record.part_count:
        return fanout.settle_or_dispatch(delivery, after=None)
    return _load(delivery, record)


def _plan(delivery: Delivery, record: ledger.FileRecord) -> ledger.FileRecord:
    """Read the file to its end and record how it is ingested; returns the record of the delivery that did so first."""
    plan = planning.plan_file(
        delivery.version,
        record.format or delivery.config.format,
        delivery.open,
        # A file that was accepted once stays accepted, whatever max_file_mb says today.
        max_bytes=None if record.format else delivery.config.max_file_bytes,
        deadline=delivery.deadline,
        tuning=delivery.tuning,
    )
    return delivery.ledger.parts.record_plan(plan) if plan.parts else delivery.ledger.record_readable(plan.format)


def _load(delivery: Delivery, record: ledger.FileRecord) -> Outcome:
    """Load the rows that are not counted yet, in the order of the file, and settle the file."""
    format_ = record.format or delivery.config.format
    with delivery.open() as stream:
        loaded = loader.load_rows(
            csvfile.read_rows(stream, format_),
            record.counts or NOTHING_YET,
            write=delivery.row_store(format_).store,
            batch_rows=delivery.destination.max_insert,
            reject=delivery.ledger.reject_rows,
            checkpoint=delivery.ledger.checkpoint,
            deadline=delivery.deadline,
            tuning=delivery.tuning,
        )
    delivery.ledger.complete(loaded.counts)
    return Outcome(counts=loaded.counts, already_present=loaded.already_present, settled=loaded.counts)
