"""What an audit expects of the rows table, in a temporary database on disk: memory does not grow with the files."""

import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

from csv_ingest.destinations.base import Destination
from csv_ingest.destinations.duplicates import duplicate
from csv_ingest.model import (
    FileFormat,
    ForeignItem,
    ObjectVersion,
    RejectedRow,
    Row,
    RowKey,
    StoredRow,
    fingerprint,
)


class Expected(NamedTuple):
    """A row that a file leads one to expect."""

    object_key: str
    key: RowKey
    line: int
    digest: bytes
    """Of its data, and of the values of its declared columns."""
    names: Sequence[str] = ()
    """Of its declared columns, in the destination."""
    required: bool = True
    """Whether the destination has to have it already."""

    def may_yet_replace(self, found: StoredRow | ForeignItem) -> bool:
        """Whether what the destination has is a later line, of a file whose parts are not all stored yet."""
        return not self.required and isinstance(found, StoredRow) and found.line > self.line

    def is_stored_as(self, found: StoredRow | ForeignItem) -> bool:
        """Whether what the destination has is this row."""
        return isinstance(found, StoredRow) and (found.etag, found.line, digest(found, self.names)) == (
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
                CREATE TABLE upload (etag TEXT PRIMARY KEY, object_key TEXT, names TEXT) WITHOUT ROWID;
                """
            )
            yield cls(database)

    def add_upload(self, version: ObjectVersion, format_: FileFormat) -> None:
        """Note whose rows an ETag stands for, and which columns are declared of them."""
        names = json.dumps([column.stored_as for column in format_.columns])
        self._database.execute("INSERT OR IGNORE INTO upload VALUES (?, ?, ?)", (version.etag, version.key, names))

    def object_key(self, etag: str) -> str | None:
        """The key of an upload with an ETag; None if no upload with it was noted."""
        found = self._database.execute("SELECT object_key FROM upload WHERE etag = ?", (etag,)).fetchone()
        return found and str(found[0])

    def expect(
        self, destination: Destination, version: ObjectVersion, row: Row | RejectedRow | None, *, required: bool
    ) -> RejectedRow | None:
        """Expect a row in a destination; if it cannot be stored there, returns it as it has to be recorded.

        The rows of a file come in the order of its lines: of each id, the first line is expected.
        """
        if not isinstance(row, Row):
            return row
        if reason := destination.refusal(version.etag, row):
            return RejectedRow(row.line, reason)
        first = self.add_row(version, row, required=required)
        if first.line >= row.line or first.digest == digest(row, row.values):
            return None
        return duplicate(row, first.line)

    def add_row(self, version: ObjectVersion, row: Row, *, required: bool) -> Expected:
        """Expect a row, unless one with its key is expected; returns what is expected under its key."""
        key, digested = str(RowKey(version.etag, row.id)), digest(row, row.values)
        added = self._database.execute(
            "INSERT OR IGNORE INTO row (key, object_key, line, digest, required) VALUES (?, ?, ?, ?, ?)",
            (key, version.key, row.line, digested, required),
        ).rowcount
        if added:
            return Expected(version.key, RowKey(version.etag, row.id), row.line, digested)
        if required:
            self._database.execute("UPDATE row SET required = 1 WHERE key = ?", (key,))
        [found] = self._database.execute("SELECT object_key, line, digest FROM row WHERE key = ?", (key,))
        object_key, line, noted = found
        return Expected(object_key, RowKey(version.etag, row.id), line, noted)

    def meet(self, key: RowKey) -> Expected | None:
        """Note that a key is in the destination; returns what is expected there, None if nothing is."""
        select = """SELECT object_key, line, digest, required, (SELECT names FROM upload WHERE etag = ?) FROM row
                    WHERE key = ?"""
        if not (found := self._database.execute(select, (key.etag, str(key))).fetchone()):
            return None
        self._database.execute("UPDATE row SET seen = 1 WHERE key = ?", (str(key),))
        object_key, line, noted, required, names = found
        return Expected(object_key, key, line, noted, json.loads(names), bool(required))

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


def digest(row: Row | StoredRow, names: Iterable[str]) -> bytes:
    """The same for rows with the same data, and the same values under these names."""
    return hashlib.blake2b(fingerprint(row, names).encode(), digest_size=16).digest()
