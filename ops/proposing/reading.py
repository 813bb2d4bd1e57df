"""Files of one feed, as they are read with what was found out about them so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from csv_ingest import csvfile
from csv_ingest.model import FileFormat

from .. import local_files, wording
from . import dialect, encoding, ids, sheet, types
from .cells import Cells
from .dialect import Dialect
from .encoding import Encoding
from .ids import NO_IDS, Ids
from .sheet import Sheet
from .types import Types

_MANY_PADDED = 0.1
"""The share of text cells with spaces around them from which on spaces are left out."""


class Source(NamedTuple):
    """A file that is given."""

    name: str
    """In the evidence."""
    open_: csvfile.Open


@dataclass(frozen=True)
class Found:
    """All that was found out about the files of a feed."""

    encodings: Sequence[Encoding]
    dialect: Dialect
    format: FileFormat
    """The encoding, the characters, and whether spaces are left out."""
    sheets: Sequence[Sheet] = ()
    columns: Mapping[str, Cells] = field(default_factory=dict)
    """Those that every file has, once and with a name, in the order of the first file."""
    fills: bool = False
    """Whether cells that are missing at the end of a record are empty."""
    footers: int = 0
    types: Types = field(default_factory=Types)
    ids: Ids = NO_IDS


def find(files: Sequence[Path], *, timezone: str, progress: wording.Progress) -> Found:
    """Read all of the files. Raises UnreadableFile, and NothingToRead."""
    names = [file.name for file in files]
    sources = [
        Source(file.name if names.count(file.name) == 1 else str(file), local_files.Reading(file, progress).open)
        for file in dict.fromkeys(files)
    ]
    encodings = [encoding.find(source.open_) for source in sources]
    chosen = next((each.name for each in encodings if not each.is_ascii), encodings[0].name)
    samples = [dialect.sample(source.open_, each.name) for source, each in zip(sources, encodings, strict=True)]
    characters = dialect.find(samples)
    format_ = replace(characters.format, encoding=chosen)
    found = _read(sources, Found(encodings, characters, format_), timezone)
    if found.format.trim or not _is_padded(found):
        return found
    return _read(sources, replace(found, format=replace(format_, trim=True)), timezone)


def _read(sources: Sequence[Source], found: Found, timezone: str) -> Found:
    sheets = [sheet.open_sheet(source.name, source.open_, found.format) for source in sources]
    columns = {name: Cells() for name in _declarable(sheets)}
    for each in sheets:
        sheet.gather(each, columns)
    fills = any(each.has_many_short for each in sheets)
    # The fewest that a file has: with more, rows of this file would be lost, and nobody would be told.
    footers = min(sheet.count_footers(each, fills=fills) for each in sheets)
    for each in sheets:
        sheet.finish(each, columns, footers=footers)
    typed = types.choose(columns, timezone)
    return replace(
        found,
        sheets=sheets,
        columns=columns,
        fills=fills,
        footers=footers,
        types=typed,
        ids=ids.find(sheets, columns, typed.types),
    )


def _declarable(sheets: Sequence[Sheet]) -> list[str]:
    names = sheets[0].head.names
    return [name for name in names if name and all(each.head.names.count(name) == 1 for each in sheets)]


def _is_padded(found: Found) -> bool:
    """Whether spaces stand around a name, an id, or many texts."""
    if any(name != name.strip(" ") for each in found.sheets for name in each.head.names):
        return True
    if any(found.columns[name].padded for name in found.ids.columns):
        return True
    texts = [cells for name, cells in found.columns.items() if name not in found.types.types]
    return sum(each.padded for each in texts) > sum(each.filled for each in texts) * _MANY_PADDED
