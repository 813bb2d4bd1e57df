"""A declaration of columns that fits a file: the narrowest type that all cells of a column have."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import count, islice
from pathlib import Path

from csv_ingest import csvfile
from csv_ingest.model import Column, FileFormat
from ops import local_files, wording

TYPES = ("boolean", "integer", "decimal", "date", "timestamp")
"""In the order in which they are preferred. Text need not be declared."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")  # a name that a column can have in the destination
MAX_INTEGER = 2**63 - 1  # a larger number is proposed as a decimal: not every destination has larger integers

_CODE = re.compile(r"\+|-?0[0-9]")
"""How a cell begins that has digits and is no number, such as an article number or a telephone number."""


def propose(
    format_: FileFormat, file: Path, *, reserved: Collection[str], progress: wording.Progress
) -> tuple[dict[str, str], list[str]]:
    """The declaration of each column of a local file whose cells all have a type other than text; the other names.

    A column without a cell that is filled has no declaration, nor has the id column. No column gets one of the names
    that are reserved in the destination. Raises UnreadableFile.
    """
    undeclared = replace(format_, columns=())
    reading = local_files.Reading(file, progress)
    with reading.open(0) as stream:
        _, names = csvfile.read_header(stream, undeclared)
    with reading.open(0) as stream:
        records = islice(csvfile.read_records(stream, undeclared), 1, None)
        whole = (cells for _, cells in records if len(cells) == len(names))
        proposed = declarations(names, whole, format_, reserved=reserved)
    return proposed, [name for name in names if name not in proposed]


def declarations(
    names: Sequence[str], records: Iterable[Sequence[str]], format_: FileFormat, *, reserved: Collection[str]
) -> dict[str, str]:
    """The declaration of each column, by its name, from the records below the header."""
    candidates = [_Candidates(format_) for _ in names]
    for record in records:
        for candidate, cell in zip(candidates, record, strict=True):
            candidate.look_at(cell)
    taken = set(reserved)
    proposed = {}
    for name, candidate in zip(names, candidates, strict=True):
        if name != format_.id_column and (type_ := candidate.type):
            stored_as = next(each for each in _possible_names(name) if each not in taken)
            taken.add(stored_as)
            proposed[name] = type_ if stored_as == name else f"{type_} as {stored_as}"
    return proposed


class _Candidates:
    """The types that a column can still have, after some of its cells."""

    def __init__(self, format_: FileFormat) -> None:
        self._converters = {
            type_: csvfile.cells.converter(Column(type_, type_, required=False, stored_as=type_), format_)
            for type_ in TYPES
        }
        self._is_filled = False

    @property
    def type(self) -> str | None:
        """The first type that is possible; None for text, or if every cell is empty."""
        return next(iter(self._converters), None) if self._is_filled else None

    def look_at(self, cell: str) -> None:
        cell = cell.strip(" ")
        if not cell:
            return
        self._is_filled = True
        for type_, convert in list(self._converters.items()):
            if not _is_of_type(type_, convert, cell):
                del self._converters[type_]


def _is_of_type(type_: str, convert: csvfile.cells.Convert, cell: str) -> bool:
    if (type_ == "boolean" and cell in "01") or (type_ in ("integer", "decimal") and _CODE.match(cell)):
        return False
    try:
        value = convert(cell)
    except ValueError:
        return False
    return type_ != "integer" or (isinstance(value, Decimal) and -MAX_INTEGER <= value <= MAX_INTEGER)


def _possible_names(name: str) -> Iterator[str]:
    """Names that a column can have in the destination, the best name first."""
    if NAME.fullmatch(name):
        yield name
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    word = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:50] or "column"
    word = f"_{word}" if word[0].isdigit() else word
    yield word
    yield from (f"{word}_{number}" for number in count(2))
