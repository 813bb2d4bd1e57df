"""Where the rows of a file are: tables and databases. Standard library only."""

import re
from dataclasses import dataclass
from typing import NamedTuple

ROWS_KEY = ("pk",)
FILES_KEY = ("object_key", "entry")
"""The keys of the tables in DynamoDB, all of them texts."""


ROWS_INDEX = "etag-line"
"""Of a rows table, if its feed has `file_index`: the rows of a file, by their `etag` and `line`."""

FILES_INDEX, FILES_INDEX_KEY = "feed_status-status_at", ("feed_status", "status_at")
"""Of the files table: the uploads of a feed in one status, by the time since when they have it."""

FILE_EXPIRES_AT = "expires_at"
"""The attribute of the files table by which its items expire, if they do: seconds since 1970."""

DEFAULT_FEED = "default"
"""The feed of a deployment that names none."""

OF_FILES, OF_COMPLETE, OF_NEWEST = "_files", "_complete", "_newest"
"""How the names end of what is beside a rows table in PostgreSQL: of the table of complete files, of the view of their
rows and, where each upload has rows of its own, of the view of the newest row per id."""

DYNAMODB = "DynamoDB"

APPEND = "append"
"""The write mode of a feed that names none."""


@dataclass(frozen=True)
class Target:
    """A table, and the write mode in which rows were written to it: what the ledger records of a file.

    Its text is `DynamoDB:<table>`, for a table that the settings name `DynamoDB:<table>:<table id>`, or
    `<database>/<table>` in PostgreSQL; then ` (<write mode>)`, unless that is `append`.
    """

    table: str = ""
    """Empty only in what releases before 1.1 recorded of tables in DynamoDB."""
    table_id: str = ""
    """Of DynamoDB. A table that is restored under the name of another one has another id."""
    database: str = ""
    """Of PostgreSQL."""
    mode: str = APPEND

    @classmethod
    def parse(cls, text: str) -> "Target":
        where, mode = re.fullmatch(r"(.*?)(?: \((\w+)\))?", text, re.DOTALL).groups()  # type: ignore[union-attr]
        written_in = {"mode": mode} if mode else {}
        if where and where != DYNAMODB and not where.startswith(f"{DYNAMODB}:"):
            database, _, table = where.partition("/")
            return cls(table, database=database, **written_in)
        _, _, named = where.partition(":")
        table, _, table_id = named.partition(":")
        return cls(table, table_id, **written_in)

    def __str__(self) -> str:
        if self.database:
            return f"{self.database}/{self.table}{self._mode}"
        if not self.table and self.mode == APPEND:
            return ""
        return ":".join(filter(None, (DYNAMODB, self.table, self.table_id))) + self._mode

    @property
    def _mode(self) -> str:
        return "" if self.mode == APPEND else f" ({self.mode})"

    @property
    def description(self) -> str:
        """The target, for people."""
        if self.database or not self.table:
            return str(self) or DYNAMODB
        about_id = f" with the id {self.table_id}" if self.table_id else ""
        return f"the {DYNAMODB} table {self.table}{about_id}{self._mode}"

    def is_same(self, today: "Target") -> bool:
        """Whether rows that were written here are where those of a feed go to today."""
        if not self.table and not self.database:
            return not today.database and self.mode == today.mode
        return self == today

    def moved(self, today: "Target") -> str:
        """That the rows of a file are elsewhere than those of its feed go to today, as a part of a sentence."""
        return f"its rows went to {self.description}, and those of the feed go to {today.description} now"

    def can_move_to(self, today: "Target") -> bool:
        """Whether the table that a feed has today takes the same rows, such as a table that was restored."""
        return not self.database and not today.database and self.mode == today.mode

    def way_back_from(self, today: "Target") -> str:
        """What to set so that a feed has this target again."""
        if self.database:
            return "set the destination and the write mode back"
        if not today.database:
            return "set the write mode back"
        # Without its name, the deployment would make a new table.
        return (
            f"set destination=dynamodb, rows_table={self.table or '(the name of that table)'} and the write mode back"
        )


class Owner(NamedTuple):
    """Which feed a file belongs to, and where its rows are."""

    feed: str = DEFAULT_FEED
    target: Target = Target()


class Database(NamedTuple):
    """A PostgreSQL database, and how to log in."""

    host: str
    port: int
    name: str
    user: str
    secret: str
    """The ARN of the secret that has the password; empty for IAM authentication."""
    ca: str
    """The certificate, as PEM, of the authority that signed the server's; empty for those of RDS."""
