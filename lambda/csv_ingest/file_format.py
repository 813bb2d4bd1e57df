"""How a file is read."""

import re
from dataclasses import dataclass
from typing import NamedTuple

LINE_AS_ID = "@line"
"""The id column's name for files without one: the number of the record's first line is the id."""


class Column(NamedTuple):
    """A declared column: its cells have a type, and the destination has them beside `data`."""

    name: str
    """In the header of the file."""
    type: str
    """`csvfile.cells` has the types."""
    required: bool
    """Whether an empty cell rejects the row."""
    stored_as: str
    """Its name in the destination."""

    @classmethod
    def parse(cls, name: str, declaration: str) -> "Column":
        """The column that is declared as `TYPE`, `TYPE required`, `TYPE as NAME` or `TYPE required as NAME`."""
        found = re.fullmatch(r"(\w+)( required)?(?: as (\w+))?", declaration)
        if not found:
            raise ValueError(f"column {name}: {declaration!r} is not TYPE [required] [as NAME]")
        return cls(name, found[1], bool(found[2]), found[3] or name)

    @property
    def declaration(self) -> str:
        """The text that `parse` reads."""
        renamed = "" if self.stored_as == self.name else f" as {self.stored_as}"
        return f"{self.type}{' required' if self.required else ''}{renamed}"


@dataclass(frozen=True)
class FileFormat:
    """How a file is read."""

    id_column: str
    delimiter: str
    encoding: str
    decimal_separator: str = "."
    """Between the whole digits and the others, in a column of decimals."""
    columns: tuple[Column, ...] = ()
    """The declared ones. The other columns of a file are text."""
