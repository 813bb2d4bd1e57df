"""One delivery, Lambda's attempt to ingest an upload or a part of it: what it is about, and what it works with."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from csv_ingest import clients, configuration, events, ledger, source
from csv_ingest.deadline import Deadline
from csv_ingest.destinations.base import Destination, RowStore
from csv_ingest.destinations.dynamodb import DynamoDbDestination
from csv_ingest.dynamodb_table import DynamoDbTable
from csv_ingest.model import ByteStream, FileFormat, ObjectVersion, PartJob, Tuning


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What a delivery works with. `of` connects it to AWS."""

    version: ObjectVersion
    config: configuration.IngestConfig
    function: str
    """The name of this function, to which parts are dispatched."""
    ledger: ledger.FileLedger
    destination: Destination
    deadline: Deadline
    tuning: Tuning

    @classmethod
    def of(
        cls,
        version: ObjectVersion,
        *,
        config: configuration.IngestConfig,
        function: str,
        seconds_left: Callable[[], float],
        tuning: Tuning,
    ) -> "Delivery":
        """A delivery of an object version, which has to end when no seconds are left. Makes no request."""
        deadline = Deadline(seconds_left)
        files = DynamoDbTable(clients.dynamodb(), config.files_table, deadline=deadline)
        rows = DynamoDbTable(clients.dynamodb(), config.rows_table, deadline=deadline)
        return cls(
            version=version,
            config=config,
            function=function,
            ledger=ledger.FileLedger(files, version),
            destination=DynamoDbDestination(rows),
            deadline=deadline,
            tuning=tuning,
        )

    @contextmanager
    def open(self, start: int = 0, end: int | None = None) -> Iterator[ByteStream]:
        """The bytes of the upload, from `start` to before `end`; see source.open_object."""
        with source.open_object(self.version, clients.s3(), start=start, end=end) as stream:
            yield stream

    def row_store(self, format_: FileFormat) -> RowStore:
        """Where the rows go that are read under a format."""
        return RowStore(
            self.destination,
            etag=self.version.etag,
            id_column=format_.id_column,
            on_duplicate_id=self.ledger.parts.mark_duplicate_ids,
        )

    def dispatch(self, job: PartJob) -> None:
        """Put a part into Lambda's queue, for this function."""
        event = json.dumps(events.upload_event(self.version, job)).encode()
        clients.lambda_().invoke(FunctionName=self.function, InvocationType="Event", Payload=event)
