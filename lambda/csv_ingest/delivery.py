"""What one delivery works with: the upload, the configuration, the ledger, the destination, the deadline."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from csv_ingest import clients, configuration, csvfile, dynamodb, events, ledger, queues, source
from csv_ingest.acceptance import Acceptance, MaxRejected
from csv_ingest.destinations import open_destination, owner_of
from csv_ingest.model import (
    CompleteFile,
    Deadline,
    ObjectVersion,
    Origin,
    Owner,
    PartJob,
    RowCounts,
    Tuning,
    UnreadableFile,
)
from csv_ingest.row_store import RowStore


class Delivery:
    """One attempt of Lambda to ingest an upload, or a part of it. To be closed at its end."""

    def __init__(
        self,
        version: ObjectVersion,
        *,
        config: configuration.IngestConfig,
        function: str,
        seconds_left: Callable[[], float],
        tuning: Tuning,
        time: tuple[str, str] | None = None,
    ) -> None:
        """Connect the delivery to the tables; makes no request.

        `function` is the name of this function, to which parts are dispatched; `time` is that of the upload, as
        `WriteMode.event_time` says it. The delivery ends with OutOfTime when `seconds_left()` is 0 or less.
        """
        self.version, self.config, self.tuning = version, config, tuning
        self.deadline = Deadline(seconds_left)
        self._files = dynamodb.DynamoDbTable(clients.dynamodb(), config.files_table, deadline=self.deadline)
        self.destination = open_destination(config, clients.dynamodb(), deadline=self.deadline)
        self._function, self._time = function, time
        self.uploaded_at = ""
        """When the upload was made: UTC, in ISO 8601; empty until its bytes were asked for."""

    def read_ledger(self) -> ledger.FileLedger:
        """What the ledger has of the upload."""
        feed = self.config.feed
        return ledger.FileLedger.read(
            self._files,
            self.version,
            feed.name,
            feed.mode,
            rows_expire=feed.rows_expire,
            keep_days=self.config.keep_files_days,
        )

    @property
    def owner(self) -> Owner:
        """The feed, and where its rows are. Of an existing table, one request per process; raises as `owner_of`."""
        return owner_of(self.config, clients.dynamodb())

    def close(self) -> None:
        """Let go of what must not outlive the delivery: Lambda freezes the process, and may never wake it."""
        self.destination.close()

    @contextmanager
    def open(self, start: int = 0, end: int | None = None) -> Iterator[csvfile.CountingStream]:
        """Open the uploaded file, from byte `start` to before byte `end`, as `source.open_object` does.

        Reading raises OutOfTime when no time is left, also where nothing in the bytes is a record.
        """
        with source.open_object(
            self.version, clients.s3(), start=start, end=end, on_read=self._check_time, on_answer=self._note_time
        ) as stream:
            # Also of what is unpacked: a packed file of a few bytes can have many.
            on_read = self._check_time if stream.is_packed else None
            yield csvfile.CountingStream(stream, start=start, on_read=on_read, is_packed=stream.is_packed)

    def upload_order(self) -> str:
        """The sort key of an upload whose bytes were asked for, as the write mode makes it. Raises MalformedEvent."""
        return self.config.feed.mode.upload_order(self.version, self._time, datetime.fromisoformat(self.uploaded_at))

    @property
    def acceptance(self) -> Acceptance:
        """What a file has to be to be accepted, by the settings of the feed."""
        feed = self.config.feed
        # Whenever the rows expire, that takes as many bytes.
        expires_at = datetime.now(UTC) if feed.rows_expire else None
        refusal = partial(self.destination.refusal, Origin(self.version.etag, expires_at=expires_at))
        return Acceptance(feed.max_file_bytes, MaxRejected.parse(feed.max_rejected), refusal)

    def rows_expire_at(self) -> str:
        """When the rows of an upload expire whose bytes were asked for; empty if never.

        Raises UnreadableFile if that time is over: stored, the rows would be deleted within days.
        """
        if (days := self.config.feed.keep_rows_days) is None:
            return ""
        expires_at = datetime.fromisoformat(self.uploaded_at) + timedelta(days=days)
        if expires_at <= datetime.now(UTC):
            raise UnreadableFile(
                f"it was uploaded on {self.uploaded_at[:10]}, and keep_rows_days={days} keeps its rows until "
                f"{expires_at:%Y-%m-%d}: no row is stored; upload it again if you need them"
            )
        return ledger.text_of_time(expires_at)

    def row_store(self, file: ledger.FileLedger, record: ledger.FileRecord) -> RowStore:
        """The store for the rows of the upload, as the ledger has recorded it."""
        feed = self.config.feed
        return RowStore(
            self.destination,
            feed.mode,
            origin=record.origin_of(self.version.etag),
            rows_expire=feed.rows_expire,
            on_duplicate_id=file.mark_duplicate_ids,
        )

    def complete_file(self, record: ledger.FileRecord, counts: RowCounts) -> CompleteFile:
        """The upload as a complete file. What the ledger has recorded of it is the same in every delivery."""
        version, upload = self.version, record.origin_of(self.version.etag).upload
        uploaded_at = record.uploaded_at or self.uploaded_at
        return CompleteFile(upload, version.key, version.etag, version.version_id, uploaded_at, counts)

    def dispatcher(self) -> Callable[[PartJob], None]:
        """A function that puts a part into Lambda's queue, as an event for this function; threads may share it."""
        client = clients.lambda_()  # here, because threads must not create clients: boto3's session is not thread-safe

        def dispatch(job: PartJob) -> None:
            queues.dispatch(client, self._function, events.upload_event(self.version, job))

        return dispatch

    def _note_time(self, modified: datetime) -> None:
        self.uploaded_at = ledger.text_of_time(modified)

    def _check_time(self, position: int, _piece: bytes) -> None:
        self.deadline.check(f"at byte {position:,} of the file")
