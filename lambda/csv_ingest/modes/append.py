"""`append`: the rows of each upload are beside those of others, under `<etag>#<id>`. Equal files are one upload."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from csv_ingest.model import FileFormat, ObjectVersion, Origin, RejectedRow, Row, RowKey, StoredRow
from csv_ingest.modes.verdicts import Verdict, compare_lines, resolve_lines
from csv_ingest.settings import InvalidSetting


class Append:
    """Implements WriteMode."""

    name = "append"
    each_version = False
    supersedes = False
    own_columns: tuple[str, ...] = ()

    def problems(self, format_: FileFormat) -> Iterator[InvalidSetting]:
        return iter(())

    def content_key(self, version: ObjectVersion) -> str:
        return version.etag

    def event_time(self, record: Mapping[str, Any], now: datetime) -> tuple[str, str] | None:
        return None

    def upload_order(
        self,
        version: ObjectVersion,
        time: tuple[str, str] | None,
        last_modified: Callable[[], datetime],
    ) -> str:
        return ""

    def origin(self, etag: str, upload_order: str) -> Origin:
        return Origin(etag)

    def row_key(self, key: RowKey) -> str:
        """`<etag>#<id>`: no ETag has the character #. What is under the key of no row can have no id."""
        return key.upload if key.id is None else f"{key.upload}#{key.id}"

    def parse_row_key(self, text: str, upload: str) -> RowKey:
        etag, mark, id_ = text.partition("#")
        return RowKey(etag, id_ if mark else None)

    def resolve(
        self,
        row: Row,
        upload: str,
        stored: StoredRow,
        *,
        earlier_lines_stored: bool,
    ) -> Verdict | RejectedRow:
        return resolve_lines(row, stored, earlier_lines_stored=earlier_lines_stored)

    def compare(self, row: Row, upload: str, stored: StoredRow) -> Verdict | RejectedRow:
        return compare_lines(row, stored)
