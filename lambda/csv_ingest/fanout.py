"""Ingests a large file in parts. Each part is an event of its own, which Lambda retries and limits as any other event.

First the rows of all parts are stored. If an id was found on two lines, all parts are then checked: their rows are
compared with the destination, to reject the lines that lost. The delivery of the last part settles the file.
docs/architecture.md draws the states.
"""

import sys
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from csv_ingest import csvfile, ledger, loader, settle
from csv_ingest.delivery import Delivery
from csv_ingest.model import NOTHING_YET, MalformedEvent, Outcome, PartJob, Phase, RowCounts

DISPATCHES = 8
"""Parts that are put into Lambda's queue at the same time."""


def ingest_part(delivery: Delivery, job: PartJob) -> Outcome:
    """Store or check the rows of one part of a file; settle the file after its last part.

    Can be repeated like `ingest.ingest_file`, and raises the same exceptions. Raises MalformedEvent if the file has no
    such part, or is not being checked.
    """
    file = delivery.read_ledger()
    record = file.record
    if record.status == ledger.COMPLETE:
        return Outcome(counts=record.counts or NOTHING_YET, already_complete=True)
    record.require_owner(delivery.owner)
    if job.number >= record.part_count or (job.is_check and record.parts_checked is None):
        checked = f"{record.parts_checked} of them checked"
        raise MalformedEvent(f"{job}: this file has {record.part_count} parts, and {checked}")
    part = file.parts.read(job)
    done = loader.Loaded(part.counts or NOTHING_YET, already_present=0)
    if part.status != ledger.COMPLETE:
        done = run_part(delivery, file, job, done.counts)
        file.parts.finish(job, done.counts)
    return replace(
        settle_or_dispatch(delivery, file.again(), after=job),
        counts=done.counts,
        already_present=done.already_present,
        already_complete=part.status == ledger.COMPLETE,
    )


def run_part(delivery: Delivery, file: ledger.FileLedger, job: PartJob, counted: RowCounts) -> loader.Loaded:
    """Store, or check, the rows of a part that are not counted yet."""
    plan = file.parts.plan()
    start = plan.parts[job.number]
    end = plan.parts[job.number + 1].byte if job.number + 1 < len(plan.parts) else None
    store = delivery.row_store(file, file.record)
    most = delivery.destination.max_fetch if job.is_check else delivery.destination.max_insert
    with delivery.open(start.byte, end) as stream:
        end_line = plan.end_line or sys.maxsize
        return loader.load_rows(
            csvfile.read_part(stream, plan.format_of_parts, plan.header, start=start, end_line=end_line),
            counted,
            write=store.check if job.is_check else store.store_unordered,
            batch_rows=min(most, delivery.tuning.batch_rows),
            reject=file.record_rejects,
            # The parts do not know of each other. During the check, each part counts anew.
            max_rejects=max(delivery.tuning.max_rejects // len(plan.parts), 1),
            rejected_lines=file.rejected_lines,
            checkpoint=partial(file.parts.checkpoint, job),
            deadline=delivery.deadline,
            tuning=delivery.tuning,
        )


def settle_or_dispatch(delivery: Delivery, file: ledger.FileLedger, *, after: PartJob | None) -> Outcome:
    """Settle the file if all its parts are complete; otherwise begin the next phase, and dispatch the parts of it.

    `after` is the part that this delivery completed; None if the whole file was delivered.
    """
    record = file.record
    if record.status == ledger.COMPLETE:
        return Outcome()
    stored = record.parts_done == record.part_count
    if stored and (record.parts_checked == record.part_count or not file.has_duplicate_ids()):
        return settle.complete(delivery, file, record.counts or NOTHING_YET)
    phase = Phase.CHECK if stored else Phase.STORE
    if not _begin_phase(file, phase, after):
        return Outcome()
    jobs = file.parts.unfinished(phase, record.part_count)
    dispatch_parts(delivery, jobs)
    return Outcome(parts_dispatched=len(jobs))


def dispatch_parts(delivery: Delivery, jobs: Sequence[PartJob]) -> None:
    """Put parts into Lambda's queue; raises OutOfTime, or botocore's error if Lambda does not accept a part."""
    dispatch = delivery.dispatcher()

    def dispatch_in_time(job: PartJob) -> None:
        delivery.deadline.check(f"while {len(jobs):,} parts were dispatched")
        dispatch(job)

    with ThreadPoolExecutor(DISPATCHES) as pool:
        deque(pool.map(dispatch_in_time, jobs), maxlen=0)


def _begin_phase(file: ledger.FileLedger, phase: Phase, after: PartJob | None) -> bool:
    """Begin a phase, if that is for this delivery to do; return whether this delivery dispatches the parts of it.

    A delivery of the whole file dispatches the parts of any phase. Of the parts, only the one that starts the check may
    dispatch others; otherwise duplicate events would multiply without end.
    """
    if phase is Phase.STORE:
        return after is None
    if after and after.is_check:
        return False
    started_here = file.parts.begin_check(after)
    return started_here or after is None
