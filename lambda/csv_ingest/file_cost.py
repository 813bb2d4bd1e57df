"""What storing the rows of a file costs, which has to be in proportion to the file. Pure.

The names of the columns are stored with each row.
"""

import json
from collections.abc import Sequence

from csv_ingest.model import RejectedRow, Row, UnreadableFile

MAX_NAME = 255
"""Characters in the name of a column."""

MAX_NAMES = 100_000
"""Characters in the names of all columns, as JSON: one item of 400 KB takes them and the plan of a file in parts."""

KB = 1_024

ROW_OVERHEAD = 200
"""Characters of a row beside its `data` and its values: its key, and the names of its attributes."""

UNITS_PER_FILE, UNITS_PER_KB = 10_000, 16
"""Write units that the rows of a file may take beside one per row: per file, and per KB of the file, uncompressed.

A row takes one for each KB that it has begun. So a file of 150 columns with names of 15 characters is accepted though
nearly all cells are empty, and so are the answers to a form whose column names are whole questions.
"""

HOPELESS = 10_000
"""Units beyond that bound after which no more rows are read: what follows would have to make up for it."""


def require_names(names: Sequence[str]) -> None:
    """Raise UnreadableFile if the names of the columns are too long to be stored with each row."""
    if (characters := len(json.dumps(names))) > MAX_NAMES:
        raise UnreadableFile(
            f"header: the names of the {len(names):,} columns have {characters:,} characters, and {MAX_NAMES:,} are "
            "allowed: shorten the names, or leave out columns"
        )
    for number, name in enumerate(names, start=1):
        if len(name) > MAX_NAME:
            raise UnreadableFile(
                f"header: the name of column {number:,} has {len(name):,} characters, and {MAX_NAME} are allowed: "
                "shorten the name"
            )


class FileCost:
    """Counts the rows of a file, or of its beginning, and the write units that they would take."""

    def __init__(self) -> None:
        self.rows = 0
        """How many were read, with those that would be rejected."""
        self._units = 0

    def add(self, record: Row | RejectedRow, position: int) -> None:
        """Count a record of a file that was read up to `position`. Raises UnreadableFile if the file is hopeless."""
        self.rows += 1
        if isinstance(record, Row):
            self._units += -(-(record.characters + ROW_OVERHEAD) // KB)
            self.require_proportion(position, excess=HOPELESS)

    def require_proportion(self, position: int, *, excess: int = 0) -> None:
        """Raise UnreadableFile if the rows that were read up to `position` would take too many units."""
        if self._units > UNITS_PER_FILE + self.rows + position * UNITS_PER_KB // KB + excess:
            raise UnreadableFile(
                f"its first {self.rows:,} rows would take {self._units:,} KB, which is out of proportion to the file: "
                "the names of the columns are stored with each row: shorten the names, or leave out columns"
            )
