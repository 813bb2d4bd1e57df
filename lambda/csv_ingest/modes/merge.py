"""`merge`: one row per id, that of the newest upload. Each version of an object is an upload of its own."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from csv_ingest import events, settings
from csv_ingest.model import (
    LINE_AS_ID,
    VERSION_MARK,
    FileFormat,
    MalformedEvent,
    ObjectVersion,
    Origin,
    RejectedRow,
    Row,
    RowKey,
    StoredRow,
)
from csv_ingest.modes.base import WriteMode
from csv_ingest.modes.verdicts import Verdict


class Merge(WriteMode):
    """Uploads have an order, and rows of newer uploads win."""

    name = "merge"
    each_version = True
    supersedes = True
    own_columns = ("uploaded",)

    def problems(self, format_: FileFormat) -> Iterator[settings.InvalidSetting]:
        if format_.id_column == LINE_AS_ID:
            yield settings.InvalidSetting(
                ["id_column"],
                f"={LINE_AS_ID}: in a feed that merges, line 2 of every file would replace line 2 of the others: name "
                "a column that identifies a row in all files, or set write_mode=append",
            )
        for column in format_.columns:
            if column.stored_as in self.own_columns:
                yield settings.InvalidSetting(["columns"], f": {column.reserved('every row of a feed that merges')}")

    def content_key(self, version: ObjectVersion) -> str:
        return f"{version.etag}{VERSION_MARK}{version.own_name}"

    def event_time(self, record: Mapping[str, Any], now: datetime) -> tuple[str, str] | None:
        return events.time_of_upload(record, now=now)

    def upload_order(self, version: ObjectVersion, time: tuple[str, str] | None, modified: datetime) -> str:
        # The time is S3's, and never this machine's. The version keeps apart what S3's times do not.
        if time and time[0] < events.as_text(modified - events.CLOCKS):
            raise MalformedEvent("a record's eventTime is before the upload, as S3 has it: backfill the key instead")
        return VERSION_MARK.join((*(time or (events.as_text(modified), events.NO_SEQUENCER)), version.own_name))

    def origin(self, etag: str, upload_order: str, expires_at: datetime | None) -> Origin | None:
        return Origin(etag, upload_order, expires_at) if upload_order else None

    def row_key(self, key: RowKey) -> str:
        return str(key.id)

    def parse_row_key(self, text: str, upload: str) -> RowKey:
        return RowKey(upload, text)

    def resolve(self, row: Row, upload: str, stored: StoredRow, *, earlier_lines_stored: bool) -> Verdict | RejectedRow:
        if stored.key.upload != upload:
            return Verdict.SUPERSEDED if stored.key.upload > upload else Verdict.NEWER
        return super().resolve(row, upload, stored, earlier_lines_stored=earlier_lines_stored)

    def compare(self, row: Row, upload: str, stored: StoredRow) -> Verdict | RejectedRow:
        if stored.key.upload != upload:
            return Verdict.SUPERSEDED if stored.key.upload > upload else Verdict.ALTERED
        return super().compare(row, upload, stored)
