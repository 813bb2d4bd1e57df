"""Ingests one uploaded file, from the first read of the ledger to the settled record."""

from contextlib import nullcontext
from datetime import UTC, datetime

from csv_ingest import csvfile, fanout, ledger, loader, planning
from csv_ingest.counts import NOTHING_YET, Outcome
from csv_ingest.delivery import Delivery
from csv_ingest.errors import OtherContent, UnreadableFile
from csv_ingest.plan import Content
from csv_ingest.rows import RejectedRow, Row

Rows = list[Row | RejectedRow] | None
"""The records of a small file, which its planning pass keeps in memory; None if the file has to be read again."""


def ingest_file(delivery: Delivery) -> Outcome:
    """Store every row of a file in the destination, or record it as rejected in the ledger; then settle the file.

    Returns after one read if an earlier delivery of this version completed the file. A large file is only read and
    split here; its parts are dispatched, and the delivery of the last part settles the file.

    Can be repeated at any time and any number of times, also after a delivery that was killed: it continues after the
    last checkpoint, and leads to the same tables.

    Raises UnreadableFile if the file can never be ingested; no row of it is stored then. Raises RowsNotWritten,
    ItemsNotRead, TableAltered, OtherTable, OutOfTime or botocore's errors if the delivery should be retried; stored
    rows stay stored.
    """
    record = _begin(delivery)
    if record.status == ledger.COMPLETE:
        return Outcome(counts=record.counts or NOTHING_YET, already_complete=True)
    rows: Rows = None
    if not record.is_planned:
        record, rows = _plan(delivery, record)
        if record.status == ledger.COMPLETE:  # by another delivery, or because an operator takes it back
            return Outcome(counts=record.counts or NOTHING_YET, already_complete=True)
    if record.part_count:
        return fanout.settle_or_dispatch(delivery, after=None)
    return _load(delivery, record, rows)


def _begin(delivery: Delivery) -> ledger.FileRecord:
    """Record that a delivery has started; returns the record as it was before, complete or not."""
    while True:
        record = delivery.ledger.read()
        is_complete = record.status == ledger.COMPLETE
        is_this_version = record.version_id == delivery.version.version_id
        if is_complete and is_this_version:
            return record
        record.require_owner(delivery.owner)
        if record.is_planned and not is_this_version and not delivery.ledger.knows_version():
            _require_same_content(delivery, record)
        if is_complete:
            return record
        if record.attempts and not record.is_planned:
            delivery.ledger.content()  # raises BeingErased before the attempt counts: it says nothing of the file
        if record.is_stuck(datetime.now(UTC)) and not record.is_planned:
            last = record.last_error or "it was throttled, paused or killed before it could tell"
            raise UnreadableFile(f"{record.attempts:,} deliveries in a row made no progress; the last one: {last}")
        if delivery.ledger.begin(attempt=record.attempts + 1):
            return record
        # Since the record was read, another delivery has planned the file, or completed it.
        delivery.deadline.check("before the file was begun")


def _require_same_content(delivery: Delivery, record: ledger.FileRecord) -> None:
    """Read the file, and record that it is what was planned under its key and ETag; raises OtherContent if not."""
    found = csvfile.ContentHash()
    try:
        with delivery.open() as stream:
            found.add_all(stream)
    except UnreadableFile as error:  # what was planned can be unpacked
        raise OtherContent(str(error)) from error
    _claim(delivery, Content(found.hexdigest(), record.format or delivery.config.format))
    delivery.ledger.adopt_version(record)


def _plan(delivery: Delivery, record: ledger.FileRecord) -> tuple[ledger.FileRecord, Rows]:
    """Read the file to its end and record how it is ingested; returns the record of the delivery that did so first.

    And the rows, if they were kept, read as that record says.
    """
    recorded = delivery.ledger.content()
    planned = _read_to_plan(delivery, recorded, record)
    uploaded = recorded.uploaded if recorded else delivery.uploaded()
    # Recorded before the first row is stored, so that every delivery of the upload says the same of it.
    claimed = _claim(delivery, planned.content._replace(uploaded=uploaded))
    if claimed.format != planned.plan.format:  # another delivery, under other settings, was first
        planned = _read_to_plan(delivery, claimed, record)
    plan = planned.plan._replace(uploaded=claimed.uploaded)
    record_plan = delivery.ledger.parts.record_plan if plan.parts else delivery.ledger.record_readable
    first = record_plan(plan, delivery.owner)
    first.require_owner(delivery.owner)
    return first, planned.rows if first.format == plan.format else None


def _read_to_plan(delivery: Delivery, recorded: Content | None, record: ledger.FileRecord) -> planning.Planned:
    """Read the file as its content was read before, under any key; otherwise as the settings say."""
    before = recorded.format if recorded else record.format
    return planning.plan_file(
        delivery.version,
        before or delivery.config.format,
        delivery.open,
        # Content that was accepted once stays accepted, whatever the settings say today.
        acceptance=None if before else delivery.acceptance,
        tuning=delivery.tuning,
    )


def _claim(delivery: Delivery, content: Content) -> Content:
    """Record what the ETag stands for, if it is not recorded; returns what is. Raises OtherContent if that is not it.

    All rows are stored under the ETag, so that rows of other content would be taken for rows of the first one.
    """
    recorded = delivery.ledger.claim_content(content)
    if recorded.sha256 != content.sha256:
        raise OtherContent(
            f"other content was ingested under the same ETag, {delivery.version.etag}, which can be an MD5: "
            "change a byte of the file, such as a blank line at its end, and upload it again"
        )
    return recorded


def _load(delivery: Delivery, record: ledger.FileRecord, rows: Rows) -> Outcome:
    """Load the rows that are not counted yet, in the order of the file, and settle the file.

    The file is read, unless its rows are given.
    """
    with nullcontext() if rows is not None else delivery.open() as stream:
        loaded = loader.load_rows(
            csvfile.read_rows(stream, record.format or delivery.config.format) if stream else iter(rows or ()),
            record.counts or NOTHING_YET,
            write=delivery.row_store(record.uploaded).store,
            batch_rows=min(delivery.destination.max_insert, delivery.tuning.batch_rows),
            reject=delivery.ledger.reject_rows,
            max_rejects=delivery.tuning.max_rejects,
            rejected_lines=delivery.ledger.rejected_lines,
            checkpoint=delivery.ledger.checkpoint,
            deadline=delivery.deadline,
            tuning=delivery.tuning,
        )
    delivery.ledger.complete(loaded.counts)
    return Outcome(counts=loaded.counts, already_present=loaded.already_present, settled=loaded.counts)
