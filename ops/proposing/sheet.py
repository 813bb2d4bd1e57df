"""A file that was read with the characters and the header that were found: its columns, and its end."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from csv_ingest import csvfile
from csv_ingest.csvfile.ending import CTRL_Z
from csv_ingest.csvfile.records import Record
from csv_ingest.model import FileFormat, PipelineError

from . import foot, head
from .cells import Cells, Place

MAX_ROWS = 200_000
MAX_CHARACTERS = 100_000_000
"""Of the cells that are kept, of each file: memory is bounded, however wide the rows are."""

_MANY = 0.05


class NothingToRead(PipelineError):
    """A file has no record, so that nothing can be proposed. The message names it."""


@dataclass
class Sheet:
    """A file, to its end. Of its rows, the first are kept."""

    name: str
    open_: csvfile.Open
    format: FileFormat
    head: head.Head
    tail: list[Record] = field(default_factory=list)
    """The last records, which the profile and the columns do not have."""
    rows: int = 0
    kept: int = 0
    short: int = 0
    """Records that have fewer cells than the header, without those of the tail."""
    footers: int = 0
    profile: foot.Profile = field(default_factory=lambda: foot.Profile(0))

    @property
    def width(self) -> int:
        return len(self.head.names)

    @property
    def has_many_short(self) -> bool:
        rows = self.tail[: len(self.tail) - foot.of_other_width(self.tail, self.width, fills=False)]
        short = self.short + sum(len(cells) < self.width for _, cells in rows)
        return short > 1 and short >= (self.rows + len(rows)) * _MANY

    def records(self) -> Iterator[Record]:
        """Each record below the header. Raises UnreadableFile."""
        with self.open_(0) as stream:
            for line, cells in csvfile.read_records(stream, self.format):
                if line >= self.head.first and cells != CTRL_Z:
                    yield line, cells

    def filled(self, cells: list[str]) -> list[str] | None:
        """The cells of a row, with empty ones for those that are missing; None for a record that is too long."""
        return cells + [""] * (self.width - len(cells)) if len(cells) <= self.width else None


def open_sheet(name: str, open_: csvfile.Open, format_: FileFormat) -> Sheet:
    """A file of which the head is read. Raises UnreadableFile, and NothingToRead."""
    with open_(0) as stream:
        first = list(islice(csvfile.read_records(stream, format_), head.SEARCHED))
    if not first:
        raise NothingToRead(f"{name} has no record: nothing can be proposed from it")
    found = head.find(first)
    return Sheet(name, open_, format_, found, profile=foot.Profile(len(found.names)))


def gather(sheet: Sheet, columns: Mapping[str, Cells]) -> None:
    """Read a file to its end; adds what its first rows have to the columns of their names."""
    tail: deque[Record] = deque()
    kept = 0
    for record in sheet.records():
        tail.append(record)
        if len(tail) > foot.MAX_TAIL:
            line, cells = tail.popleft()
            if sheet.rows < MAX_ROWS and kept < MAX_CHARACTERS:
                kept += sum(map(len, cells))
                _keep(sheet, columns, line, cells)
            sheet.rows += 1
    sheet.tail = list(tail)


def finish(sheet: Sheet, columns: Mapping[str, Cells], *, footers: int) -> None:
    """Add the records at the end of the file to its rows, but for the footers."""
    sheet.footers = min(footers, len(sheet.tail))
    for line, cells in sheet.tail[: len(sheet.tail) - sheet.footers]:
        _keep(sheet, columns, line, cells)
        sheet.rows += 1


def count_footers(sheet: Sheet, *, fills: bool) -> int:
    """How many records at the end of a file are no rows."""
    count = foot.of_other_width(sheet.tail, sheet.width, fills=fills)
    if count > sheet.rows + len(sheet.tail) - count:
        return 0  # more than there are rows: it is another table, and whoever sees the rows rejected will look
    rest = [(line, filled) for line, cells in sheet.tail[: len(sheet.tail) - count] if (filled := sheet.filled(cells))]
    return count + foot.of_same_width(rest, sheet.profile)


def _keep(sheet: Sheet, columns: Mapping[str, Cells], line: int, cells: list[str]) -> None:
    sheet.kept += 1
    sheet.short += len(cells) < sheet.width
    filled = sheet.filled(cells)
    if filled is None or cells == sheet.head.names:
        return
    sheet.profile.add(filled)
    place = Place(sheet.name, line)
    for name, cell in zip(sheet.head.names, filled, strict=True):
        if name in columns:
            columns[name].add(cell, place)
