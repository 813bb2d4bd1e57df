"""Ingests one uploaded file, from the first read of the ledger to the settled record."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime

from csv_ingest import csvfile, fanout, ledger, loader, planning, settle
from csv_ingest.delivery import Delivery
from csv_ingest.model import NOTHING_YET, Content, OtherContent, Outcome, Plan, RejectedRow, Row, UnreadableFile

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
    file, rows = delivery.read_ledger(), None
    if not file.record.status:
        file.clear_expired()
    if _begins_planned(delivery, file):
        file, rows = _begin_planned(delivery, file)
    else:
        file = _begin(delivery, file)
    if file.record.status != ledger.COMPLETE and not file.record.is_planned:
        file, rows = _record_plan(delivery, file, *_plan(delivery, file))
    record = file.record
    if record.status == ledger.COMPLETE:  # by another delivery, or because an operator takes it back
        return Outcome(counts=record.counts or NOTHING_YET, already_complete=True)
    if record.part_count:
        return fanout.settle_or_dispatch(delivery, file.again(), after=None)
    return _load(delivery, file, rows)


def _begins_planned(delivery: Delivery, file: ledger.FileLedger) -> bool:
    """Whether a file is recorded as begun only with its plan: a small one, of which nothing is recorded.

    Nothing in so few bytes ends a delivery before it can tell; and if it is killed all the same, nothing is stored yet.
    """
    return not file.record.status and delivery.version.size <= delivery.tuning.begun_planned_bytes


def _begin_planned(delivery: Delivery, file: ledger.FileLedger) -> tuple[ledger.FileLedger, Rows]:
    """Read a file, and record in one write that it is begun and how it is ingested; returns what `_record_plan` does.

    If the upload has a record by then, or the file has parts, the file is only begun, and may have no plan yet.
    """
    try:
        owner = delivery.owner  # a feed whose table is not there claims no content
        plan, rows = _plan(delivery, file)
    except Exception:
        # Whatever has ended this delivery: it counts as an attempt, and the record can say why.
        _begin(delivery, file.again())
        raise
    if not plan.parts and (record := file.begin_planned(plan, owner)):
        return replace(file, record=record), rows
    return _begin(delivery, file.again()), None


def _begin(delivery: Delivery, file: ledger.FileLedger) -> ledger.FileLedger:
    """Record that a delivery has started; returns what the ledger had before, complete or not."""
    while not (_is_done(delivery, file) or file.begin(attempt=file.record.attempts + 1)):
        # Since the record was read, another delivery has planned the file, or completed it.
        delivery.deadline.check("before the file was begun")
        file = file.again()
    return file


def _is_done(delivery: Delivery, file: ledger.FileLedger) -> bool:
    """Whether a file is complete. Raises if this delivery must not begin it, or if no delivery would be of use."""
    record = file.record
    is_complete = record.status == ledger.COMPLETE
    is_this_version = record.version_id == delivery.version.version_id
    if is_complete and is_this_version:
        return True
    record.require_owner(delivery.owner)
    if record.is_planned and not is_this_version:
        if not file.knows_version():
            _require_same_content(delivery, file)
        elif not is_complete:
            file.adopt_version()  # again: another version of the content was delivered since, and did not end
    if not is_complete and not record.is_planned:
        _require_progress(file)
    return is_complete


def _require_progress(file: ledger.FileLedger) -> None:
    """Raise UnreadableFile if many deliveries of a file made no progress, or BeingErased."""
    record = file.record
    if record.attempts:
        file.content()  # raises BeingErased before the attempt counts: it says nothing of the file
    if record.is_stuck(datetime.now(UTC)):
        last = record.last_error or "it was throttled, paused or killed before it could tell"
        raise UnreadableFile(f"{record.attempts:,} deliveries in a row made no progress; the last one: {last}")


def _require_same_content(delivery: Delivery, file: ledger.FileLedger) -> None:
    """Read the file, and record that it is what was planned under its key and ETag; raises OtherContent if not."""
    found = csvfile.ContentHash()
    try:
        with delivery.open() as stream:
            found.add_all(stream)
    except UnreadableFile as error:  # what was planned can be unpacked
        raise OtherContent(str(error)) from error
    _claim(delivery, file, Content(found.hexdigest(), file.record.format or delivery.config.feed.format))
    file.adopt_version()


def _plan(delivery: Delivery, file: ledger.FileLedger) -> tuple[Plan, Rows]:
    """Read the file to its end; returns how it is ingested, and its rows if they were kept.

    What its content is, and how it is read, is recorded: the first delivery of the content says it for all.
    """
    try:
        planned = _read_to_plan(delivery, None, file.record)
    except UnreadableFile:
        # Before, its content may have been read otherwise than the settings say today.
        if not (recorded := file.content()):
            raise
        planned = _read_to_plan(delivery, recorded, file.record)
    rows_expire_at = delivery.rows_expire_at()
    # Recorded before the first row is stored, so that every delivery of the upload says the same of it.
    claimed = _claim(delivery, file, planned.content._replace(upload_order=delivery.upload_order()))
    if claimed.format != planned.plan.format:  # another delivery, under other settings, was first
        planned = _read_to_plan(delivery, claimed, file.record)
    plan = planned.plan._replace(
        upload_order=claimed.upload_order, uploaded_at=delivery.uploaded_at, rows_expire_at=rows_expire_at
    )
    return plan, planned.rows


def _record_plan(delivery: Delivery, file: ledger.FileLedger, plan: Plan, rows: Rows) -> tuple[ledger.FileLedger, Rows]:
    """Record how a file is ingested that was begun; returns the record of the delivery that did so first.

    And the rows, if they were read as that record says.
    """
    record_plan = file.parts.record_plan if plan.parts else file.record_readable
    first = record_plan(plan, delivery.owner)
    first.require_owner(delivery.owner)
    return replace(file, record=first), rows if first.format == plan.format else None


def _read_to_plan(delivery: Delivery, recorded: Content | None, record: ledger.FileRecord) -> planning.Planned:
    """Read the file as its content was read before, under any key; otherwise as the settings say."""
    before = recorded.format if recorded else record.format
    return planning.plan_file(
        delivery.version,
        before or delivery.config.feed.format,
        delivery.open,
        # Content that was accepted once stays accepted, whatever the settings say today.
        acceptance=None if before else delivery.acceptance,
        tuning=delivery.tuning,
    )


def _claim(delivery: Delivery, file: ledger.FileLedger, content: Content) -> Content:
    """Record what the ETag stands for, if it is not recorded; returns what is. Raises OtherContent if that is not it.

    All rows are stored under the ETag, so that rows of other content would be taken for rows of the first one.
    """
    recorded = file.claim(content)
    if recorded.sha256 != content.sha256:
        raise OtherContent(
            f"other content was ingested under the same ETag, {delivery.version.etag}, which can be an MD5: "
            "change a byte of the file, such as a blank line at its end, and upload it again"
        )
    return recorded


def _load(delivery: Delivery, file: ledger.FileLedger, rows: Rows) -> Outcome:
    """Load the rows that are not counted yet, in the order of the file, and settle the file.

    The file is read, unless its rows are given.
    """
    record = file.record
    with nullcontext() if rows is not None else delivery.open() as stream:
        loaded = loader.load_rows(
            csvfile.read_rows(stream, record.format or delivery.config.feed.format) if stream else iter(rows or ()),
            record.counts or NOTHING_YET,
            write=delivery.row_store(file, record).store,
            batch_rows=min(delivery.destination.max_insert, delivery.tuning.batch_rows),
            reject=file.record_rejects,
            max_rejects=delivery.tuning.max_rejects,
            rejected_lines=file.rejected_lines,
            checkpoint=file.checkpoint,
            deadline=delivery.deadline,
            tuning=delivery.tuning,
        )
    return replace(
        settle.complete(delivery, file, loaded.counts), counts=loaded.counts, already_present=loaded.already_present
    )
