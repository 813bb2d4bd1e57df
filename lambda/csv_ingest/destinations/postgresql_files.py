"""The table of complete files in PostgreSQL, beside the rows table: its columns, its key, its statements. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from csv_ingest.destinations.postgresql_table import quoted
from csv_ingest.model import OF_FILES, CompleteFile, RowCounts

KEY = ("upload", "object_key")
"""Files with the same bytes are one upload in `append`, and share its rows: each of their keys is marked."""

_COUNTS = ("rows_read", "rows_stored", "rows_rejected", "rows_superseded")
"""In the order of RowCounts."""

_WRITTEN = (*KEY, "etag", "version_id", "uploaded_at", *_COUNTS)

COLUMNS: Mapping[str, str] = {
    **dict.fromkeys((*KEY, "etag", "version_id"), "text"),
    "uploaded_at": "timestamp with time zone",
    "completed_at": "timestamp with time zone",
    **dict.fromkeys(_COUNTS, "bigint"),
}
"""The columns with their types. `completed_at` is the server's time of the first mark, and its default."""

OPTIONAL = ("uploaded_at",)
"""The columns that can be NULL: of a file that an earlier release began, nobody may know when it was uploaded."""


def name_of(table: str) -> str:
    """The name of the table of complete files, of the name of the rows table."""
    return f"{table}{OF_FILES}"


def marking(table: str) -> str:
    """The statement that marks a file, with the parameters of `to_parameters`; to repeat it changes nothing.

    `table` is the name of the rows table. A time that is known stays known, and a mark that of the newest upload: where
    rows expire, each version of an object is one, and those with the same bytes share their mark.
    """
    values = ", ".join(f":{name}" if name != "uploaded_at" else _UPLOADED_AT for name in _WRITTEN)
    sets = [f"{name} = excluded.{name}" for name in _WRITTEN if name not in (*KEY, "uploaded_at")]
    sets.append("uploaded_at = coalesce(excluded.uploaded_at, f.uploaded_at)")
    return f"""INSERT INTO {_quoted(table)} AS f ({", ".join(_WRITTEN)}) VALUES ({values})
        ON CONFLICT ({", ".join(KEY)}) DO UPDATE SET {", ".join(sets)}
        WHERE coalesce(excluded.uploaded_at >= f.uploaded_at, true)"""


_UPLOADED_AT = "nullif(:uploaded_at ::text, '')::timestamptz"


def unmarking(table: str) -> str:
    """The statement that deletes the mark of a file, with its key as parameters."""
    return f"DELETE FROM {_quoted(table)} WHERE upload = :upload AND object_key = :object_key"


def listing(table: str, most: int) -> str:
    """The statement that finds the marks after a key, which are its parameters, in the order of the keys."""
    key = ", ".join(KEY)
    time = "to_char(uploaded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
    return f"""SELECT {key}, etag, version_id, coalesce({time}, ''), {", ".join(_COUNTS)} FROM {_quoted(table)}
        WHERE ({key}) > (:upload, :object_key) ORDER BY {key} LIMIT {most}"""


def to_parameters(file: CompleteFile) -> dict[str, str | int]:
    upload, object_key, etag, version_id, uploaded_at, counts = file
    return dict(zip(_WRITTEN, (upload, object_key, etag, version_id, uploaded_at, *counts), strict=False))


def from_listing(found: Sequence[Any]) -> CompleteFile:
    """The file of what `listing` has found."""
    upload, object_key, etag, version_id, uploaded_at, *counts = found
    return CompleteFile(upload, object_key, etag, version_id, uploaded_at, RowCounts(*counts))


def _quoted(table: str) -> str:
    return quoted(name_of(table))
