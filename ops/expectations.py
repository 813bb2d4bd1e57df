"""What an audit expects of the rows table, in a temporary database on disk: memory does not grow with the files."""

import hashlib
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from csv_ingest.model import ForeignItem, ObjectVersion, Row, RowKey, StoredRow


class Expected(NamedTuple):
    """A row that a file leads one to expect."""

    object_key: str
    key: RowKey
    line: int
    digest: bytes
    """Of its data."""
    required: bool = True
    """Whether the destination has to have it already."""

    def may_yet_replace(self, found: StoredRow | ForeignItem) -> bool:
        """Whether what the destination has is a later line, of a file whose parts are not all stored yet."""
        return not self.required and isinstance(found, StoredRow) and found.line > self.line

    def is_stored_as(self, found: StoredRow | ForeignItem) -> bool:
        """Whether what the destination has is this row."""
        return isinstance(found, StoredRow) and (found.etag, found.line, digest(found.data)) == (
            self.key.etag,
            self.line,
            self.digest,
        )


class Expectations:
    """Rows that are expected, and rows that were met without having been expected."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @classmethod
    @contextmanager
    def on_disk(cls) -> Iterator["Expectations"]:
        """Expectations that are gone after the block."""
        with tempfile.NamedTemporaryFile(suffix=".sqlite") as file, closing(sqlite3.connect(file.name)) as database:
            database.executescript(
                """
                PRAGMA journal_mode = OFF;
                PRAGMA synchronous = OFF;
                CREATE TABLE row (key TEXT PRIMARY KEY, object_key TEXT, line INTEGER, digest BLOB, required INTEGER,
                                  seen INTEGER DEFAULT 0) WITHOUT ROWID;
                CREATE TABLE stray (key TEXT PRIMARY KEY, etag TEXT) WITHOUT ROWID;
                CREATE TABLE upload (etag TEXT PRIMARY KEY, object_key TEXT) WITHOUT ROWID;
                """
            )
            yield cls(database)

    def add_upload(self, version: ObjectVersion) -> None:
        """Note whose rows an ETag stands for."""
        self._database.execute("INSERT OR IGNORE INTO upload VALUES (?, ?)", (version.etag, version.key))

    def object_key(self, etag: str) -> str | None:
        """The key of an upload with an ETag; None if no upload with it was noted."""
        found = self._database.execute("SELECT object_key FROM upload WHERE etag = ?", (etag,)).fetchone()
        return found and str(found[0])

    def add_row(self, version: ObjectVersion, row: Row, *, required: bool) -> Expected:
        """Expect a row, unless one with its key is expected; returns what is expected under its key."""
        key = str(RowKey(version.etag, row.id))
        added = self._database.execute(
            "INSERT OR IGNORE INTO row (key, object_key, line, digest, required) VALUES (?, ?, ?, ?, ?)",
            (key, version.key, row.line, digest(row.data), required),
        ).rowcount
        if added:
            return Expected(version.key, RowKey(version.etag, row.id), row.line, digest(row.data))
        if required:
            self._database.execute("UPDATE row SET required = 1 WHERE key = ?", (key,))
        [found] = self._database.execute("SELECT object_key, line, digest FROM row WHERE key = ?", (key,))
        object_key, line, noted = found
        return Expected(object_key, RowKey(version.etag, row.id), line, noted)

    def meet(self, key: RowKey) -> Expected | None:
        """Note that a key is in the destination; returns what is expected there, None if nothing is."""
        select = "SELECT object_key, line, digest, required FROM row WHERE key = ?"
        if not (found := self._database.execute(select, (str(key),)).fetchone()):
            return None
        self._database.execute("UPDATE row SET seen = 1 WHERE key = ?", (str(key),))
        object_key, line, noted, required = found
        return Expected(object_key, key, line, noted, bool(required))

    def add_stray(self, key: RowKey) -> None:
        """Note a key that is in the destination and belongs to no upload that was noted."""
        self._database.execute("INSERT OR IGNORE INTO stray VALUES (?, ?)", (str(key), key.etag))

    def has_strays(self) -> bool:
        return self._database.execute("SELECT 1 FROM stray LIMIT 1").fetchone() is not None

    def forget_strays(self, etag: str) -> int:
        """Forget the strays of an ETag; returns how many there were."""
        return self._database.execute("DELETE FROM stray WHERE etag = ?", (etag,)).rowcount

    def strays(self) -> Iterator[RowKey]:
        """The keys that belong to no upload."""
        for (key,) in self._database.execute("SELECT key FROM stray ORDER BY key"):
            yield RowKey.parse(key)

    def missing(self) -> Iterator[Expected]:
        """The rows that have to be in the destination and were not met there."""
        rows = self._database.execute(
            "SELECT object_key, key, line, digest FROM row WHERE required AND NOT seen ORDER BY object_key, line"
        )
        return (Expected(object_key, RowKey.parse(key), line, noted) for object_key, key, line, noted in rows)


def digest(data: str) -> bytes:
    return hashlib.blake2b(data.encode(), digest_size=16).digest()
