"""One delivery of one uploaded file: read it, store it, settle it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from csv_ingest.errors import OutOfTime
from csv_ingest.events import ObjectVersion
from csv_ingest.inserts import MAX_STATEMENTS
from csv_ingest.ledger import Ledger
from csv_ingest.rows import Reject, Row, read_rows
from csv_ingest.settings import Settings
from csv_ingest.store import RowStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


class Tally(NamedTuple):
    """What one delivery did with the rows of a file: `read == stored + rejected`."""

    read: int = 0
    stored: int = 0
    """Confirmed by DynamoDB, now or earlier."""
    already_present: int = 0
    """Those of the stored ones that an earlier delivery, or an identical row, had written."""
    rejected: int = 0


def ingest(
    version: ObjectVersion,
    *,
    settings: Settings,
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    time_left: Callable[[], float],
) -> Tally | None:
    """Bring every row of the file into the rows table, or into the ledger's rejects, and settle the file.

    Returns None, after one read, if an earlier delivery had settled it. Repeating a delivery, at any time, any
    number of times, also after one that was killed, leads to the same tables.

    Raises UnreadableFile, RowsNotWritten, OutOfTime (when `time_left()`, in seconds, is used up) or botocore's errors;
    then the file is not settled, and what was stored stays stored.
    """
    ledger = Ledger(dynamodb, settings.files_table, version, time_left=time_left)
    if ledger.is_settled():
        return None
    ledger.begin()
    store = RowStore(dynamodb, settings.rows_table, etag=version.etag, time_left=time_left)
    tally = Tally()
    # Exactly the version of the event: the key may hold other bytes by now.
    answer = s3.get_object(Bucket=version.bucket, Key=version.key, VersionId=version.version_id)
    with closing(answer["Body"]) as body:
        records = read_rows(
            body, id_column=settings.id_column, delimiter=settings.delimiter, encoding=settings.encoding
        )
        for batch in _batches(records):
            if time_left() <= 0:
                raise OutOfTime(f"after {tally.read:,} rows")
            tally = _add(tally, batch, store, ledger)
    ledger.settle(rows_read=tally.read, rows_stored=tally.stored, rows_rejected=tally.rejected)
    return tally


def _add(tally: Tally, batch: list[Row | Reject], store: RowStore, ledger: Ledger) -> Tally:
    """Store what can be stored, record what cannot, and only then count it."""
    stored = store.store([record for record in batch if isinstance(record, Row)])
    rejects = [record for record in batch if isinstance(record, Reject)] + stored.rejects
    ledger.reject(rejects)
    return Tally(
        read=tally.read + len(batch),
        stored=tally.stored + len(batch) - len(rejects),
        already_present=tally.already_present + stored.already_present,
        rejected=tally.rejected + len(rejects),
    )


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
