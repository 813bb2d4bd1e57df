"""What a write mode says. Pure."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from csv_ingest.model import FileFormat, ObjectVersion, Origin, RejectedRow, Row, RowKey, StoredRow
from csv_ingest.modes.verdicts import Verdict
from csv_ingest.settings import InvalidSetting


class WriteMode(Protocol):
    """What identifies an upload, how uploads are ordered, the key of a row, and which of two rows under one key wins.

    Modes are stateless. Their names, and the texts that they make, are stored: they can never change.
    """

    name: str
    each_version: bool
    """Whether each version of an object is an upload of its own; otherwise, those with the same ETag are one."""
    supersedes: bool
    """Whether rows of newer uploads take the places of those of older ones."""
    own_columns: tuple[str, ...]
    """The names of the texts that each row has in its destination, beside those that every row has."""

    def problems(self, format_: FileFormat) -> Iterator[InvalidSetting]:
        """Each reason why files of a format cannot be written in this mode."""

    def content_key(self, version: ObjectVersion) -> str:
        """For what the ledger records a content and how it is read: an ETag, or a version."""

    def event_time(self, record: Mapping[str, Any], now: datetime) -> tuple[str, str] | None:
        """The time and the sequencer of an S3 event's record, if uploads are ordered by them and it has them.

        Raises MalformedEvent, as `events.time_of_upload`.
        """

    def upload_order(
        self, version: ObjectVersion, time: tuple[str, str] | None, last_modified: Callable[[], datetime]
    ) -> str:
        """The sort key `<time>~<sequencer>~<version>` of an upload: the newer upload has the greater one.

        Empty if uploads have no order. `time` is the result of `event_time`; S3's LastModified is asked for only where
        uploads have an order. Raises MalformedEvent if the event is from before the upload.
        """

    def origin(self, etag: str, upload_order: str) -> Origin | None:
        """What the rows of an upload say of it; None as long as none can be stored, since its order is not known."""

    def row_key(self, key: RowKey) -> str:
        """The key of a row in its destination, as one text."""

    def parse_row_key(self, text: str, upload: str) -> RowKey:
        """The key that `row_key` wrote. `upload` is the upload that the row itself says it is of."""

    def resolve(self, row: Row, upload: str, stored: StoredRow, *, earlier_lines_stored: bool) -> Verdict | RejectedRow:
        """Decide between a row of an upload and what the destination has under its key.

        `earlier_lines_stored` says whether every earlier line of the file was stored before this row: then an earlier
        line under the key has won. Otherwise it may yet be replaced itself.
        """

    def compare(self, row: Row, upload: str, stored: StoredRow) -> Verdict | RejectedRow:
        """Compare a row with what is stored under its key, once all lines of the upload are stored.

        The result is SAME, SUPERSEDED, ALTERED or the rejected row.
        """
