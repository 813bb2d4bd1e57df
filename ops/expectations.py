"""The rows that an audit expects, in a temporary database on disk: memory does not grow with the files."""

import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from csv_ingest.destinations import Destination
from csv_ingest.model import (
    ROW_EXPIRES_AT,
    FileFormat,
    ForeignItem,
    Origin,
    RejectedRow,
    Row,
    RowKey,
    StoredRow,
    fingerprint,
)
from csv_ingest.modes import WriteMode, duplicate

_NEVER = "~"
"""After every time, as a text."""


class Expected(NamedTuple):
    """A row that a file leads one to expect."""

    object_key: str
    etag: str
    key: RowKey
    line: int
    digest: bytes
    """Of its data, and of the values of its declared columns."""
    names: Sequence[str] = ()
    """Of its declared columns, in the destination."""
    required: bool = True
    """Whether the destination has to have it already."""
    expires_at: datetime | None = None
    """When the last upload expires that has it; None: never; 1970: nobody knows, since none is complete."""
    rows_expire: bool = False
    """Whether rows of the feed do, so that it must not expire earlier."""

    def allows(self, found: StoredRow | ForeignItem) -> bool:
        """Whether the destination may have this: the row; or a later line, if parts of the file are not stored yet."""
        if not isinstance(found, StoredRow):
            return False
        is_later = found.key.upload == self.key.upload and found.line > self.line
        stored = found.key, found.etag, found.line, digest(found, self.names)
        is_row = stored == (self.key, self.etag, self.line, self.digest)
        # In files of before, a column can have that name.
        is_too_early = self.rows_expire and ROW_EXPIRES_AT not in self.names and found.expires_before(self.expires_at)
        return (is_later and not self.required) or (is_row and not is_too_early)


class Expectations:
    """Rows that are expected, and rows that were met without having been expected.

    Per key, rows of several uploads can be expected: the newest complete upload's row, or that of a newer unfinished
    one.
    """

    def __init__(self, database: sqlite3.Connection, mode: WriteMode, *, rows_expire: bool) -> None:
        self._database = database
        self._mode = mode
        self._rows_expire = rows_expire

    @classmethod
    @contextmanager
    def on_disk(cls, mode: WriteMode, *, rows_expire: bool = False) -> Iterator["Expectations"]:
        """Expectations that are gone after the block. `rows_expire` says whether rows of the feed do."""
        with tempfile.NamedTemporaryFile(suffix=".sqlite") as file, closing(sqlite3.connect(file.name)) as database:
            database.executescript(
                """
                PRAGMA journal_mode = OFF;
                PRAGMA synchronous = OFF;
                CREATE TABLE row (row_key TEXT, upload TEXT, id TEXT, object_key TEXT, line INTEGER, digest BLOB,
                                  required INTEGER, seen INTEGER DEFAULT 0, PRIMARY KEY (row_key, upload))
                                  WITHOUT ROWID;
                CREATE TABLE stray (row_key TEXT PRIMARY KEY, upload TEXT) WITHOUT ROWID;
                CREATE TABLE upload (upload TEXT PRIMARY KEY, etag TEXT, object_key TEXT, names TEXT, expires TEXT)
                                     WITHOUT ROWID;
                """
            )
            yield cls(database, mode, rows_expire=rows_expire)

    def add_upload(self, object_key: str, origin: Origin, format_: FileFormat, *, required: bool) -> None:
        """Note the object key of an origin, the columns that are declared of its rows, and when they expire.

        Uploads of the same bytes can have the same rows: the last expiry counts, of those whose rows have to be there.
        """
        names = json.dumps([column.stored_as for column in format_.columns])
        expires = "" if not required else origin.expires_at.isoformat() if origin.expires_at else _NEVER
        self._database.execute(
            """INSERT INTO upload VALUES (?, ?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET expires = max(expires, excluded.expires)""",
            (origin.upload, origin.etag, object_key, names, expires),
        )

    def object_key(self, upload: str) -> str | None:
        """The key of an upload that was noted; None if it was not."""
        found = self._database.execute("SELECT object_key FROM upload WHERE upload = ?", (upload,)).fetchone()
        return found and str(found[0])

    def expect(
        self,
        destination: Destination,
        object_key: str,
        origin: Origin,
        row: Row | RejectedRow | None,
        *,
        required: bool,
    ) -> RejectedRow | None:
        """Expect a row in a destination; if it cannot be stored there, returns it as it has to be recorded.

        The rows of a file come in the order of its lines: of each id, the first line is expected.
        """
        if not isinstance(row, Row):
            return row
        if reason := destination.refusal(origin, row):
            return RejectedRow(row.line, reason)
        first = self.add_row(object_key, origin, row, required=required)
        if first.line >= row.line or first.digest == digest(row, row.values):
            return None
        return duplicate(row, first.line)

    def add_row(self, object_key: str, origin: Origin, row: Row, *, required: bool) -> Expected:
        """Expect a row, unless one of its upload and id is expected; returns what is expected of these."""
        key = RowKey(origin.upload, row.id)
        about = (self._mode.row_key(key), key.upload, row.id, object_key, row.line, digest(row, row.values), required)
        [(first_object_key, line, noted)] = self._database.execute(
            """INSERT INTO row (row_key, upload, id, object_key, line, digest, required) VALUES (?, ?, ?, ?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET required = max(required, excluded.required)
               RETURNING object_key, line, digest""",
            about,
        )
        return Expected(first_object_key, origin.etag, key, line, noted)

    def count(self) -> int:
        """How many rows of the destination are expected at most."""
        [[number]] = self._database.execute("SELECT count(DISTINCT row_key) FROM row")
        return int(number)

    def meet(self, found: StoredRow | ForeignItem) -> Expected | None:
        """Note that something is in the destination; returns what is expected there, None if nothing is.

        That is the row of the same upload, unless a newer one has to be there; where the item is no row, that of the
        newest upload. A row of a newer upload that was not noted may have come in the meantime: nothing is expected in
        its place.
        """
        row_key, met = self._mode.row_key(found.key), found.key.upload
        self._database.execute("UPDATE row SET seen = 1 WHERE row_key = ?", (row_key,))
        newest_first = self._database.execute(
            """SELECT row.object_key, etag, upload, row.id, line, digest, names, required, expires FROM row JOIN upload
               USING (upload) WHERE row_key = ? ORDER BY upload DESC""",
            (row_key,),
        )
        for object_key, etag, upload, id_, line, noted, names, required, expires in newest_first:
            if required and met > upload and isinstance(found, StoredRow) and self.object_key(met) is None:
                return None
            # A row of an upload that is not complete cannot be stored either where there is an item that is no row.
            if required or met == upload or isinstance(found, ForeignItem):
                key = RowKey(upload, id_)
                about = json.loads(names), bool(required), _time(expires), self._rows_expire
                return Expected(object_key, etag, key, line, noted, *about)
        return None

    def add_stray(self, key: RowKey) -> None:
        """Note a key that is in the destination and belongs to no upload that was noted."""
        self._database.execute("INSERT OR IGNORE INTO stray VALUES (?, ?)", (self._mode.row_key(key), key.upload))

    def forget_strays(self, upload: str) -> int:
        """Forget the strays of an upload; returns how many there were."""
        return self._database.execute("DELETE FROM stray WHERE upload = ?", (upload,)).rowcount

    def strays(self) -> Iterator[str]:
        """The keys in the destination that belong to no upload."""
        for (row_key,) in self._database.execute("SELECT row_key FROM stray ORDER BY row_key"):
            yield row_key

    def missing(self) -> Iterator[Expected]:
        """The rows that have to be in the destination and were not met there; none that has expired."""
        rows = self._database.execute(
            """SELECT row.object_key, etag, upload, row.id, line, digest, expires FROM row JOIN upload USING (upload)
               WHERE required AND NOT seen AND expires > ? AND NOT EXISTS (
                   SELECT 1 FROM row AS newer WHERE newer.row_key = row.row_key AND newer.upload > row.upload
                   AND newer.required)
               ORDER BY row.object_key, line""",
            (datetime.now(UTC).isoformat(),),
        )
        for object_key, etag, upload, id_, line, noted, expires in rows:
            yield Expected(object_key, etag, RowKey(upload, id_), line, noted, expires_at=_time(expires))


def _time(expires: str) -> datetime | None:
    if not expires:
        return datetime.fromtimestamp(0, UTC)
    return None if expires == _NEVER else datetime.fromisoformat(expires)


def digest(row: Row | StoredRow, names: Iterable[str]) -> bytes:
    """The same for rows with the same data, and the same values under these names."""
    return hashlib.blake2b(fingerprint(row, names).encode(), digest_size=16).digest()
