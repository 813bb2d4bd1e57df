"""The cells of a column, each different one once, with the places where they are."""

import heapq
from collections import Counter
from collections.abc import Callable, Collection
from typing import NamedTuple

from csv_ingest.model import Value

SHOWN = 5
"""Places that are named of what does not fit."""

SAMPLED = 100


class Place(NamedTuple):
    """Where a cell is."""

    file: str
    line: int


class Misfits(NamedTuple):
    """The cells of a column that a type does not take."""

    number: int
    places: list[Place]
    """The first ones."""


class Cells:
    """What a column has in all files of a feed. Spaces around cells make no difference."""

    def __init__(self) -> None:
        self.first: dict[str, Place] = {}
        """The filled cells, each with the first place where it is."""
        self._again: Counter[str] = Counter()
        self._more: dict[str, list[Place]] = {}
        self.empty = self.filled = self.padded = 0
        self.is_unique = True
        """Whether no file has a cell twice."""
        self._of_files: dict[str, set[str]] = {}

    def add(self, text: str, place: Place) -> None:
        cell = text.strip(" ")
        if not cell:
            self.empty += 1
            return
        self.filled += 1
        self.padded += cell != text
        if cell in self.first:
            self._again[cell] += 1
            if self._again[cell] < SHOWN:
                self._more.setdefault(cell, []).append(place)
        else:
            self.first[cell] = place
        if self.is_unique:
            self._add_to_file(cell, place.file)

    def _add_to_file(self, cell: str, file: str) -> None:
        of_file = self._of_files.setdefault(file, set())
        self.is_unique = cell not in of_file
        of_file.add(cell)
        if not self.is_unique:
            self._of_files.clear()  # a file of many rows takes memory for each

    def count(self, cells: Collection[str]) -> int:
        """How many cells are one of these."""
        return sum(1 + self._again[cell] for cell in cells if cell in self.first)

    def sampled(self, without: Collection[str] = ()) -> list[str]:
        """A few of the different cells, from all of the files."""
        cells = [cell for cell in self.first if cell not in without]
        return cells[:: -(-len(cells) // SAMPLED) or 1]

    def misfits(self, convert: Callable[[str], Value], without: Collection[str] = ()) -> Misfits:
        """The cells, without some, for which a conversion raises ValueError."""
        unfit = [cell for cell in self.first if cell not in without and not fits(convert, cell)]
        places = (each for cell in unfit for each in (self.first[cell], *self._more.get(cell, ())))
        return Misfits(self.count(unfit), heapq.nsmallest(SHOWN, places))


def fits(convert: Callable[[str], Value], cell: str) -> bool:
    """Whether a conversion takes a cell."""
    try:
        convert(cell)
    except ValueError:
        return False
    return True
