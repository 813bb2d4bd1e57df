"""Where the rows of a feed are."""

from typing import NamedTuple

DEFAULT_FEED = "default"
"""The feed of a deployment that names none."""


MERGE = "merge"
"""The write mode of a feed with one row an id: that of the newest upload."""


DYNAMODB = "DynamoDB"
"""How the name of a place in DynamoDB begins."""


_MERGES = f" ({MERGE})"
"""How the name of a place ends, in a feed that merges."""


class Owner(NamedTuple):
    """Which feed a file belongs to, and where its rows are."""

    feed: str = DEFAULT_FEED
    place: str = ""
    """`DynamoDB:TABLE`, of an existing table that the settings name `DynamoDB:TABLE:ID`, or `DATABASE/TABLE` in
    PostgreSQL; in a feed that merges followed by ` (merge)`. Releases before 1.1 named no table of DynamoDB: empty."""

    @classmethod
    def of_dynamodb(cls, feed: str, table: str, table_id: str = "", *, merges: bool) -> "Owner":
        """The owner of files whose rows are in a table of DynamoDB.

        A table that is restored under the name of another one has another id.
        """
        return cls(feed, ":".join(filter(None, (DYNAMODB, table, table_id))) + merges * _MERGES)

    @classmethod
    def of_postgresql(cls, feed: str, database: str, table: str, *, merges: bool) -> "Owner":
        """The owner of files whose rows are in a table of PostgreSQL."""
        return cls(feed, f"{database}/{table}" + merges * _MERGES)

    @property
    def place_as_text(self) -> str:
        """The place, for people."""
        system, _, table = self.place.removesuffix(_MERGES).partition(":")
        name, _, table_id = table.partition(":")
        if not name:
            return self.place or DYNAMODB
        about_id = f" with the id {table_id}" if table_id else ""
        return f"the {system} table {name}{about_id}{_MERGES if self.merges else ''}"

    @property
    def merges(self) -> bool:
        """Whether the feed merged when it read the file."""
        return self.place.endswith(_MERGES)

    def stores_where(self, today: "Owner") -> bool:
        """Whether the rows of the file are where those of the feed go to today."""
        if self.place in ("", DYNAMODB + _MERGES):  # recorded by a release that named no table
            return today.place.startswith(DYNAMODB + ":") and self.merges == today.merges
        return self.place == today.place

    def can_move_to(self, today: "Owner") -> bool:
        """Whether the table that the feed has today takes the same rows, such as a table that was restored."""
        return self.is_in_dynamodb and today.is_in_dynamodb and self.merges == today.merges

    def way_back_from(self, today: "Owner") -> str:
        """What to set so that the feed has the table again to which the rows of the file went."""
        if not self.is_in_dynamodb:
            return "set the destination and the write mode back"
        if today.is_in_dynamodb:
            return "set the write mode back"
        # Without its name, the deployment would make a new table.
        table = self.place.removesuffix(_MERGES).split(":")[1:2] or ["(the name of that table)"]
        return f"set destination=dynamodb, rows_table={table[0]} and the write mode back"

    @property
    def is_in_dynamodb(self) -> bool:
        """Whether the rows are in a table of DynamoDB."""
        return not self.place or self.place.startswith((DYNAMODB + ":", DYNAMODB + " ("))
