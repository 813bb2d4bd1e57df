"""What one delivery works with: the upload, the configuration, the ledger, the destination, the deadline."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from csv_ingest import clients, configuration, csvfile, events, ledger, source
from csv_ingest.acceptance import Acceptance, MaxRejected
from csv_ingest.csvfile.streams import ByteStream
from csv_ingest.deadline import Deadline
from csv_ingest.destinations.base import Destination, RowStore
from csv_ingest.destinations.opening import open_destination, owner_of
from csv_ingest.dynamodb_table import DynamoDbTable
from csv_ingest.errors import MalformedEvent
from csv_ingest.plan import PartJob
from csv_ingest.target import Owner
from csv_ingest.tuning import Tuning
from csv_ingest.uploads import ObjectVersion, Origin


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One attempt of Lambda to ingest an upload, or a part of it."""

    version: ObjectVersion
    config: configuration.IngestConfig
    function: str
    """The name of this function, to which parts are dispatched."""
    ledger: ledger.FileLedger
    destination: Destination
    deadline: Deadline
    tuning: Tuning
    time: tuple[str, str] | None
    """When the upload ended, as `events.time_of_upload` says it; None if the event does not."""

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
            ledger=ledger.FileLedger(files, version, config.feed, merges=config.merges),
            destination=open_destination(config, clients.dynamodb(), deadline=deadline),
            deadline=deadline,
            tuning=tuning,
            time=time,
        )

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

    def uploaded(self) -> str:
        """When the upload was made, as the rows of a feed that merges say it; empty in another feed.

        The time is S3's, and never this machine's. The version keeps apart what S3's times do not. Raises
        MalformedEvent if the event has a time at which the object was not there.
        """
        if not self.config.merges:
            return ""
        modified = source.last_modified(self.version, clients.s3())
        if self.time and self.time[0] < events.as_text(modified - events.CLOCKS):
            raise MalformedEvent("a record's eventTime is before the upload, as S3 has it: backfill the key instead")
        time, sequencer = self.time or (events.as_text(modified), events.NO_SEQUENCER)
        return "~".join((time, sequencer, self.version.own_name))

    @property
    def acceptance(self) -> Acceptance:
        """What a file has to be to be accepted, by the settings of the feed."""
        refusal = partial(self.destination.refusal, Origin(self.version.etag))
        return Acceptance(self.config.max_file_bytes, MaxRejected.parse(self.config.max_rejected), refusal)

    def row_store(self, uploaded: str) -> RowStore:
        """The store for the rows of the upload. `uploaded` is as the ledger has recorded it."""
        on_duplicate_id = self.ledger.parts.mark_duplicate_ids
        origin = Origin(self.version.etag, uploaded)
        return RowStore(self.destination, origin=origin, on_duplicate_id=on_duplicate_id)

    def dispatcher(self) -> Callable[[PartJob], None]:
        """A function that puts a part into Lambda's queue, as an event for this function; threads may share it."""
        client = clients.lambda_()  # here, because threads must not create clients: boto3's session is not thread-safe

        def dispatch(job: PartJob) -> None:
            event = json.dumps(events.upload_event(self.version, job)).encode()
            client.invoke(FunctionName=self.function, InvocationType="Event", Payload=event)

        return dispatch

    def _check_time(self, position: int, _piece: bytes) -> None:
        self.deadline.check(f"at byte {position:,} of the file")
