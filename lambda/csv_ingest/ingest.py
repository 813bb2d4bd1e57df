"""One delivery of one uploaded file: check it, store it, settle it."""

import gzip
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, cast

from csv_ingest.batches import MAX_STATEMENTS
from csv_ingest.errors import ItemsNotRead, OutOfTime, RowsNotWritten, UnreadableFile
from csv_ingest.events import ObjectVersion
from csv_ingest.ledger import COMPLETE, Ledger, Tally
from csv_ingest.rows import Reject, Row, Source, read_rows
from csv_ingest.settings import Settings
from csv_ingest.store import RowStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

CHECKPOINT_EVERY = 1_000
"""Records. A process that is killed costs its successor at most these, in requests; a checkpoint costs one."""


class Outcome(NamedTuple):
    """What one delivery came to."""

    tally: Tally
    """Of the whole file."""
    already_present: int
    """How many of its rows this delivery found in the table."""
    settled_before: bool = False


def ingest(
    version: ObjectVersion,
    *,
    settings: Settings,
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    time_left: Callable[[], float],
) -> Outcome:
    """Bring every row of the file into the rows table, or into the ledger's rejects, and settle the file.

    Returns after one read if an earlier delivery had completed it. Repeating a delivery, at any time, any number of
    times, also after one that was killed, leads to the same tables, and goes on where confirmed work ended.

    Raises UnreadableFile if it can never be ingested; no row of it is stored then. Raises RowsNotWritten, OutOfTime
    (when `time_left()`, in seconds, is used up) or botocore's errors if it can be tried again; what was stored stays.
    """
    ledger = Ledger(dynamodb, settings.files_table, version, time_left=time_left)
    record = ledger.read()
    if record.status == COMPLETE:
        return Outcome(record.tally or Tally(), 0, settled_before=True)
    ledger.begin()
    format_ = record.format or settings.format
    if record.tally is None:
        # The whole file is read before the first row is written: what is wrong at its end must not leave its beginning.
        with opened(version, s3) as source:
            _exhaust(read_rows(source, format_), time_left)
        record = ledger.found_readable(format_)
        format_ = record.format or format_
    tally = record.tally or Tally()
    store = RowStore(dynamodb, settings.rows_table, etag=version.etag, time_left=time_left)
    checkpoint, present = tally, 0
    try:
        with opened(version, s3) as source:
            for batch in _batches(islice(read_rows(source, format_), tally.read, None)):
                _check_time(time_left, f"after {tally.read:,} rows")
                stored = store.store([each for each in batch if isinstance(each, Row)])
                rejects = [each for each in batch if isinstance(each, Reject)] + stored.rejects
                ledger.reject_rows(rejects)
                # Only now is it known that nothing of the batch is lost.
                tally = tally.plus(read=len(batch), rejected=len(rejects))
                present += stored.already_present
                if tally.read >= checkpoint.read + CHECKPOINT_EVERY:
                    ledger.checkpoint(tally)
                    checkpoint = tally
    except (OutOfTime, RowsNotWritten, ItemsNotRead):
        ledger.checkpoint(tally)
        raise
    ledger.complete(tally)
    return Outcome(tally, present)


@contextmanager
def opened(version: ObjectVersion, s3: "S3Client") -> Iterator[Source]:
    """The bytes of exactly this version, since the key may hold others by now; unpacked if the key ends with .gz.

    Raises UnreadableFile if the block finds out that they are no whole gzip file.
    """
    body = s3.get_object(
        Bucket=version.bucket, Key=version.key, VersionId=version.version_id, IfMatch=f'"{version.etag}"'
    )["Body"]
    try:
        yield cast("Source", gzip.GzipFile(fileobj=body) if version.key.lower().endswith(".gz") else body)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UnreadableFile(f"not a whole gzip file: {error}") from error
    finally:
        body.close()


def _exhaust(records: Iterator[Row | Reject], time_left: Callable[[], float]) -> None:
    """Read to the end, for the errors on the way."""
    while deque(islice(records, CHECKPOINT_EVERY), maxlen=1):
        _check_time(time_left, "while the file was checked, before its first row")


def _check_time(time_left: Callable[[], float], where: str) -> None:
    if time_left() <= 0:
        raise OutOfTime(where)


def _batches(records: Iterable[Row | Reject]) -> Iterator[list[Row | Reject]]:
    """Cut the file into pieces that fit one request: at most 25 records, no id twice.

    A repeated id opens a new batch. DynamoDB would refuse both together; and the first one is confirmed before the
    second is sent, so that which of them is stored does not depend on chance.
    """
    batch: list[Row | Reject] = []
    ids: set[str] = set()
    for record in records:
        repeated = isinstance(record, Row) and record.id in ids
        if repeated or len(batch) == MAX_STATEMENTS:
            yield batch
            batch, ids = [], set()
        batch.append(record)
        if isinstance(record, Row):
            ids.add(record.id)
    if batch:
        yield batch
