"""One delivery of one uploaded file, or of a part of one: check it, store it, settle it."""

import json
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from csv_ingest.batches import MAX_KEYS, MAX_STATEMENTS
from csv_ingest.errors import ItemsNotRead, MalformedEvent, OutOfTime, RowsNotWritten
from csv_ingest.events import ObjectVersion, Task, upload_event
from csv_ingest.ledger import COMPLETE, Ledger, Tally
from csv_ingest.objects import opened
from csv_ingest.planning import in_steps, make_plan
from csv_ingest.rows import Format, Reject, Row, read_rows
from csv_ingest.settings import Settings
from csv_ingest.store import RowStore, Stored
from csv_ingest.writing import Batch, in_batches, overlapping

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

CHECKPOINT_EVERY = 1_000
"""Records. A process that is killed costs its successor at most these, and what was in flight; a checkpoint, one
request."""

INVOCATIONS = 8
"""Parts that are put into Lambda's queue at the same time."""


class Outcome(NamedTuple):
    """What one delivery came to."""

    tally: Tally
    """Of what was delivered: the file, or a part of it."""
    already_present: int = 0
    """How many of its rows this delivery found in the table."""
    settled_before: bool = False
    delivered: int = 0
    """How many parts of the file it put into Lambda's queue."""
    settled: Tally | None = None
    """Of the file, if this delivery settled it."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What a delivery is about, and what it works with.

    Repeating one, at any time, any number of times, also after one that was killed, leads to the same tables, and goes
    on where confirmed work ended. Both methods raise RowsNotWritten, ItemsNotRead, OutOfTime (when `time_left()`, in
    seconds, is used up) or botocore's errors if it can be tried again; what was stored stays.
    """

    version: ObjectVersion
    settings: Settings
    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    lambda_: "Callable[[], LambdaClient]"
    """Called only if there are parts to deliver."""
    function: str
    """That parts are delivered to: this one."""
    time_left: Callable[[], float]
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        ledger = Ledger(self.dynamodb, self.settings.files_table, self.version, time_left=self.time_left)
        object.__setattr__(self, "ledger", ledger)

    def of_file(self) -> Outcome:
        """Bring every row of the file into the rows table, or into the ledger's rejects, and settle the file.

        Returns after one read if an earlier delivery had completed it. A large file is only checked and divided here:
        its parts are delivered one by one, and the last of them settles it.

        Raises UnreadableFile if it can never be ingested; no row of it is stored then.
        """
        record = self.ledger.read()
        if record.status == COMPLETE:
            return Outcome(record.tally or Tally(), settled_before=True)
        self.ledger.begin()
        format_ = record.format or self.settings.format
        if record.tally is None:
            # A file that was begun once stays, whatever is allowed today.
            limit = sys.maxsize if record.format else self.settings.max_file_bytes
            plan = make_plan(self.version, format_, s3=self.s3, limit=limit, time_left=self.time_left)
            record = self.ledger.found_readable(format_) if plan.is_whole else self.ledger.split(plan)
        if record.parts:
            settled, delivered = self._go_on(None)
            return Outcome(Tally(), delivered=delivered, settled=settled)
        format_ = record.format or format_
        with opened(self.version, self.s3) as source:
            rows = read_rows(source, format_)
            write = partial(self._row_store(format_).store, repeated=self._repeated())
            tally, present = self._work_off(rows, record.tally or Tally(), write, self.ledger.checkpoint)
        self.ledger.complete(tally)
        return Outcome(tally, present, settled=tally)

    def of_part(self, task: Task) -> Outcome:
        """Do the same for one part of a file; whoever finishes the last one settles the file.

        Raises MalformedEvent if there is no such part to be done.
        """
        file = self.ledger.read()
        if file.status == COMPLETE:
            return Outcome(file.tally or Tally(), settled_before=True)
        if task.part >= file.parts or (task.check and file.parts_checked is None):
            raise MalformedEvent(f"{task}: this file has {file.parts} parts, and {file.parts_checked} of them checked")
        part = self.ledger.read(task)
        tally, present = part.tally or Tally(), 0
        if part.status != COMPLETE:
            tally, present = self._do(task, tally)
            self.ledger.finish(task, tally)
        settled, delivered = self._go_on(task)
        return Outcome(tally, present, part.status == COMPLETE, delivered, settled)

    def _do(self, task: Task, tally: Tally) -> tuple[Tally, int]:
        plan = self.ledger.plan()
        begins = plan.parts[task.part]
        end = plan.parts[task.part + 1].start if task.part + 1 < len(plan.parts) else None
        store = self._row_store(plan.format)
        write = store.check if task.check else partial(store.store_unordered, repeated=self._repeated())
        with opened(self.version, self.s3, start=begins.start, end=end) as source:
            columns = plan.columns if task.part else None  # the first part has them itself
            rows = read_rows(source, plan.format, columns=columns, first_line=begins.line)
            return self._work_off(
                rows,
                tally,
                write,
                partial(self.ledger.checkpoint, task=task),
                size=MAX_KEYS if task.check else MAX_STATEMENTS,
            )

    def _go_on(self, task: Task | None) -> tuple[Tally | None, int]:
        """After a part, or at a delivery of the whole file: settle it if all is done, or deliver what comes next.

        Returns the settled file's tally, and how many parts were delivered.
        """
        record = self.ledger.read()
        if record.status == COMPLETE:
            return None, 0
        stored = record.parts_done == record.parts
        if stored and (record.parts_checked == record.parts or not self.ledger.has_repeated_ids()):
            tally = record.tally or Tally()
            self.ledger.complete(tally)
            return tally, 0
        # A part starts others only as the one that begins the check: otherwise two copies of each event would start
        # all others for ever.
        if task and (task.check or not stored):
            return None, 0
        if stored and not self.ledger.begin_check(task) and task:
            return None, 0
        tasks = self.ledger.unfinished([Task(number, check=stored) for number in range(record.parts)])
        self._deliver(tasks)
        return None, len(tasks)

    def _deliver(self, tasks: Sequence[Task]) -> None:
        client = self.lambda_()

        def invoke(task: Task) -> None:
            _check_time(self.time_left, f"while {len(tasks):,} parts were delivered")
            event = json.dumps(upload_event(self.version, task)).encode()
            client.invoke(FunctionName=self.function, InvocationType="Event", Payload=event)

        with ThreadPoolExecutor(INVOCATIONS) as pool:
            deque(pool.map(invoke, tasks), maxlen=0)

    def _repeated(self) -> Callable[[], None]:
        """Notes that an id was met on two lines; only the first time, since one note is enough."""
        noted, one_at_a_time = False, Lock()

        def note() -> None:
            nonlocal noted
            with one_at_a_time:
                if not noted:
                    self.ledger.note_repeated_ids()
                    noted = True

        return note

    def _row_store(self, format_: Format) -> RowStore:
        return RowStore(
            self.dynamodb,
            self.settings.rows_table,
            etag=self.version.etag,
            id_column=format_.id_column,
            time_left=self.time_left,
        )

    def _work_off(
        self,
        records: Iterator[Row | Reject],
        tally: Tally,
        write: Callable[[Sequence[Row]], Stored],
        checkpoint: Callable[[Tally], None],
        *,
        size: int = MAX_STATEMENTS,
    ) -> tuple[Tally, int]:
        """Write what is not counted yet; returns what has become of all, and how many rows were there before."""
        saved, present = tally, 0
        for _ in in_steps(islice(records, tally.read), self.time_left, "before the checkpoint was reached"):
            pass
        batches = self._in_time(in_batches(records, size))
        try:
            for batch, stored in overlapping(batches, write):
                rejects = [each for each in batch.records if isinstance(each, Reject)] + stored.rejects
                self.ledger.reject_rows(rejects)
                # Only now is it known that nothing of the batch is lost.
                tally = tally.plus(read=len(batch.records), rejected=len(rejects))
                present += stored.already_present
                if tally.read >= saved.read + CHECKPOINT_EVERY:
                    checkpoint(tally)
                    saved = tally
        except (OutOfTime, RowsNotWritten, ItemsNotRead):
            checkpoint(tally)
            raise
        return tally, present

    def _in_time(self, batches: "Iterable[Batch]") -> "Iterator[Batch]":
        for number, batch in enumerate(batches):
            _check_time(self.time_left, f"after {number:,} requests for rows")
            yield batch


def _check_time(time_left: Callable[[], float], where: str) -> None:
    if time_left() <= 0:
        raise OutOfTime(where)
