"""What a write mode says. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from csv_ingest.model import FileFormat, ObjectVersion, Origin, RejectedRow, Row, RowKey, StoredRow
from csv_ingest.modes import verdicts
from csv_ingest.settings import InvalidSetting


class WriteMode(ABC):
    """What identifies an upload, how uploads are ordered, the key of a row, and which of two rows under one key wins.

    Modes are stateless. Their names, and the texts that they make, are stored: they can never change. What a mode does
    not say itself is said here: that uploads have no order, and that each key is of one upload.
    """

    name: str
    each_version = False
    """Whether each version of an object is an upload of its own; otherwise, those with the same ETag are one."""
    supersedes = False
    """Whether rows of newer uploads take the places of those of older ones."""
    own_columns: tuple[str, ...] = ()
    """The names of the texts that each row has in its destination, beside those that every row has."""

    def problems(self, format_: FileFormat) -> Iterable[InvalidSetting]:
        """Each reason why files of a format cannot be written in this mode."""
        return ()

    @abstractmethod
    def content_key(self, version: ObjectVersion) -> str:
        """For what the ledger records a content and how it is read: an ETag, or a version."""

    def event_time(self, record: Mapping[str, Any], now: datetime) -> tuple[str, str] | None:
        """The time and the sequencer of an S3 event's record, if uploads are ordered by them and it has them.

        Raises MalformedEvent, as `events.time_of_upload`.
        """
        return None

    def upload_order(self, version: ObjectVersion, time: tuple[str, str] | None, modified: datetime) -> str:
        """The sort key `<time>~<sequencer>~<version>` of an upload: the newer upload has the greater one.

        Empty if uploads have no order. `time` is the result of `event_time`, and `modified` S3's LastModified. Raises
        MalformedEvent if the event is from before the upload.
        """
        return ""

    @abstractmethod
    def origin(self, etag: str, upload_order: str, expires_at: datetime | None) -> Origin | None:
        """What the rows of an upload say of it; None as long as none can be stored, since its order is not known."""

    @abstractmethod
    def row_key(self, key: RowKey) -> str:
        """The key of a row in its destination, as one text."""

    @abstractmethod
    def parse_row_key(self, text: str, upload: str) -> RowKey:
        """The key that `row_key` wrote. `upload` is the upload that the row itself says it is of."""

    def resolve(
        self, row: Row, upload: str, stored: StoredRow, *, earlier_lines_stored: bool
    ) -> verdicts.Verdict | RejectedRow:
        """Decide between a row of an upload and what the destination has under its key.

        `earlier_lines_stored` says whether every earlier line of the file was stored before this row: then an earlier
        line under the key has won. Otherwise it may yet be replaced itself.
        """
        return verdicts.resolve_lines(row, stored, earlier_lines_stored=earlier_lines_stored)

    def compare(self, row: Row, upload: str, stored: StoredRow) -> verdicts.Verdict | RejectedRow:
        """Compare a row with what is stored under its key, once all lines of the upload are stored.

        The result is SAME, SUPERSEDED, ALTERED or the rejected row.
        """
        return verdicts.compare_lines(row, stored)
