"""`append`: the rows of each upload are beside those of others, under `<etag>#<id>`. Equal files are one upload."""

from datetime import datetime

from csv_ingest.model import ObjectVersion, Origin, RowKey
from csv_ingest.modes.base import WriteMode


class Append(WriteMode):
    """The default."""

    name = "append"

    def content_key(self, version: ObjectVersion) -> str:
        return version.etag

    def origin(self, etag: str, upload_order: str, expires_at: datetime | None) -> Origin:
        return Origin(etag, expires_at=expires_at)

    def row_key(self, key: RowKey) -> str:
        """`<etag>#<id>`: no ETag has the character #. What is under the key of no row can have no id."""
        return key.upload if key.id is None else f"{key.upload}#{key.id}"

    def parse_row_key(self, text: str, upload: str) -> RowKey:
        etag, mark, id_ = text.partition("#")
        return RowKey(etag, id_ if mark else None)
