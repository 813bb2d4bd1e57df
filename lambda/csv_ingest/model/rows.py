"""Rows: as a file has them, as a destination has them, and what identifies them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class Integer(Decimal):
    """What a column holds that is declared as an integer: a destination can have less room for it than for decimals."""


Value = str | Decimal | bool
"""What a cell of a declared column holds: text (also for dates and timestamps, in ISO 8601), a number, or a truth."""


ROW_EXPIRES_AT = "row_expires_at"
"""Under which name a row has the time from which on its destination may delete it, if its feed keeps rows for some
days. No name that a file is likely to have: DynamoDB would delete the rows that it was stored with before."""

NO_VALUES: Mapping[str, Value | None] = {}
"""Of a row without declared columns."""


class Row(NamedTuple):
    """One record of a file that can be stored."""

    line: int
    """The first physical line of the record; the header is on line 1."""
    id: str
    data: str
    """JSON object of the columns that are not declared, in file order, values as the strings in the file."""
    values: Mapping[str, Value | None] = NO_VALUES
    """Of every declared column, by its name in the destination; None for an empty cell."""

    @property
    def characters(self) -> int:
        """How many characters of text the row has."""
        count = len(self.data)
        for value in self.values.values():
            if isinstance(value, str):
                count += len(value)
        return count


class RejectedRow(NamedTuple):
    """One record of a file that is not stored, and why."""

    line: int
    reason: str


class RowKey(NamedTuple):
    """What identifies a row among those of all uploads: the upload it came from, and its id there."""

    upload: str
    """As in Origin. For an item that is no row: its stored text, possibly empty."""
    id: str | None
    """None only in the key of an item that is no row."""


class StoredRow(NamedTuple):
    """A row that a destination holds."""

    key: RowKey
    etag: str | None
    """As it is stored beside the key."""
    line: int
    data: str
    values: Mapping[str, Value | None] = NO_VALUES
    """Whatever is stored beside these, by name: declared columns, and what others may have added."""
    expires_at: datetime | None = None
    """When the row expires, where rows do; None: never. It is among the values, too, as it is stored."""

    def expires_before(self, time: datetime | None) -> bool:
        """Whether the row expires before a time, where None is never."""
        return self.expires_at is not None and (time is None or self.expires_at < time)


class ForeignItem(NamedTuple):
    """An item that a destination holds and that is no row: somebody else wrote it."""

    key: RowKey


def fingerprint(row: Row | StoredRow, names: Iterable[str]) -> str:
    """A text that is the same for rows with the same contents: `data`, and the values under some names.

    The number 5.50 is 5.5, and the number 1 is neither the text 1 nor true.
    """
    values = [_as_text(row.values.get(name)) for name in names]
    return "\0".join([row.data, *values]) if values else row.data


def _as_text(value: Value | None) -> str:
    if isinstance(value, Decimal):
        return "{}/{}".format(*value.as_integer_ratio())
    return f"{type(value).__name__} {value}"
