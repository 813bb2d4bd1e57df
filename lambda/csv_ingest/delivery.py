"""What one delivery works with: the upload, the configuration, the ledger, the destination, the deadline."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from csv_ingest import clients, configuration, csvfile, events, source
from csv_ingest.acceptance import Acceptance, MaxRejected
from csv_ingest.csvfile.streams import ByteStream
from csv_ingest.destinations import Destination
from csv_ingest.destinations.opening import open_destination, owner_of
from csv_ingest.dynamodb import DynamoDbTable
from csv_ingest.ledger import FileLedger
from csv_ingest.model import Deadline, ObjectVersion, Origin, Owner, PartJob, Tuning
from csv_ingest.row_store import RowStore


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One attempt of Lambda to ingest an upload, or a part of it."""

    version: ObjectVersion
    config: configuration.IngestConfig
    function: str
    """The name of this function, to which parts are dispatched."""
    files: DynamoDbTable
    """The ledger's table."""
    destination: Destination
    deadline: Deadline
    tuning: Tuning
    time: tuple[str, str] | None
    """Of the upload, as `WriteMode.event_time` says it."""

    @classmethod
    def of(
        cls,
        version: ObjectVersion,
        *,
        config: configuration.IngestConfig,
        function: str,
        seconds_left: Callable[[], float],
        tuning: Tuning,
        time: tuple[str, str] | None = None,
    ) -> "Delivery":
        """Connect the delivery of an object version to its tables; makes no request. To be closed at its end.

        The delivery ends with OutOfTime when `seconds_left()` is 0 or less.
        """
        deadline = Deadline(seconds_left)
        files = DynamoDbTable(clients.dynamodb(), config.files_table, deadline=deadline)
        return cls(
            version=version,
            config=config,
            function=function,
            files=files,
            destination=open_destination(config, clients.dynamodb(), deadline=deadline),
            deadline=deadline,
            tuning=tuning,
            time=time,
        )

    def read_ledger(self) -> FileLedger:
        """What the ledger has of the upload."""
        return FileLedger.read(self.files, self.version, self.config.feed.name, self.config.feed.mode)

    @property
    def owner(self) -> Owner:
        """The feed, and where its rows are. Of an existing table, one request per process; raises as `owner_of`."""
        return owner_of(self.config, clients.dynamodb())

    def close(self) -> None:
        """Let go of what must not outlive the delivery: Lambda freezes the process, and may never wake it."""
        self.destination.close()

    @contextmanager
    def open(self, start: int = 0, end: int | None = None) -> Iterator[ByteStream]:
        """Open the uploaded file, from byte `start` to before byte `end`, as `source.open_object` does.

        Reading raises OutOfTime when no time is left, also where nothing in the bytes is a record.
        """
        with source.open_object(self.version, clients.s3(), start=start, end=end, on_read=self._check_time) as stream:
            yield csvfile.CountingStream(stream, start=start, on_read=self._check_time)

    def upload_order(self) -> str:
        """The sort key of the upload, as the write mode makes it. Raises MalformedEvent."""
        return self.config.feed.mode.upload_order(
            self.version, self.time, partial(source.last_modified, self.version, clients.s3())
        )

    @property
    def acceptance(self) -> Acceptance:
        """What a file has to be to be accepted, by the settings of the feed."""
        refusal = partial(self.destination.refusal, Origin(self.version.etag))
        feed = self.config.feed
        return Acceptance(feed.max_file_bytes, MaxRejected.parse(feed.max_rejected), refusal)

    def row_store(self, file: FileLedger, upload_order: str) -> RowStore:
        """The store for the rows of the upload. `upload_order` is as the ledger has recorded it."""
        return RowStore(
            self.destination,
            self.config.feed.mode,
            origin=Origin(self.version.etag, upload_order),
            on_duplicate_id=file.parts.mark_duplicate_ids,
        )

    def dispatcher(self) -> Callable[[PartJob], None]:
        """A function that puts a part into Lambda's queue, as an event for this function; threads may share it."""
        client = clients.lambda_()  # here, because threads must not create clients: boto3's session is not thread-safe

        def dispatch(job: PartJob) -> None:
            event = json.dumps(events.upload_event(self.version, job)).encode()
            client.invoke(FunctionName=self.function, InvocationType="Event", Payload=event)

        return dispatch

    def _check_time(self, position: int, _piece: bytes) -> None:
        self.deadline.check(f"at byte {position:,} of the file")
