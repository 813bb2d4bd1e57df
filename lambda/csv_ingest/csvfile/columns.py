"""From the cells of a record to a row. Pure."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from csv_ingest.csvfile import cells
from csv_ingest.csvfile.data import data_maker
from csv_ingest.csvfile.header import Header
from csv_ingest.csvfile.ids import id_maker
from csv_ingest.csvfile.text import BOM
from csv_ingest.csvfile.tokens import BadEscape
from csv_ingest.csvfile.unfit import BadCell
from csv_ingest.model import NO_VALUES, Column, FileFormat, RejectedRow, Row, UnreadableFile, Value

MAX_CHARACTERS = 250
"""In a cell that is not text. No value needs as many, unless it has zeros that say nothing."""

REMEMBERED_CELLS = 1_000
"""Per column that is not text. Dates, quantities and prices repeat; to find a value costs a fifth of converting it."""

MAX_FILLED = 1_000
"""Columns without a name that are filled. A record of two bytes would otherwise take the time of thousands of cells."""

Make = Callable[[int, list[str]], Row | RejectedRow]
"""Makes a row of the line on which a record begins, and its cells."""


def row_maker(names: Sequence[str], format_: FileFormat) -> Make:
    """Check the names in the header, and return the function that makes rows. Raises UnreadableFile.

    The function rejects a record with another number of cells than the header, the header itself, and a record without
    an id, or with a cell that is not of the type of its column.
    """
    header = Header(names, format_)
    id_of, first = id_maker(header, format_)
    places = {column: header.place(column.name, "columns") for column in format_.columns}
    width, fills = len(names), format_.short_rows == "fill"
    missing = [""] * header.last_named
    if fills and header.last_named - (width - len(header.nameless)) > MAX_FILLED:
        raise UnreadableFile(f"header: {len(header.nameless):,} columns have no name, too many for short_rows=fill")
    typed = [(column.stored_as, place, _cell_reader(column, format_)) for column, place in places.items()]
    data_of = data_maker(header, left_out=set(places.values()))
    repeated, beginnings = _as_repeated(list(names), first, format_)

    def make(line: int, record: list[str]) -> Row | RejectedRow:
        given = len(record)
        if given != width:
            if given > width or not fills:
                return RejectedRow(line, f"{given} fields, expected {width}")
            record = record + missing[given:]
        if record[first] in beginnings and record in repeated:
            return RejectedRow(line, "it repeats the header")
        try:
            id_ = id_of(line, record)
            if not typed:
                return Row(line, id_, data_of(record, given), NO_VALUES)
            return Row(line, id_, data_of(record, given), {name: read(record[place]) for name, place, read in typed})
        except BadCell as error:
            return RejectedRow(line, str(error))

    return _without_bad_escapes(make) if format_.escape else make


def _without_bad_escapes(make: Make) -> Make:
    def make_or_reject(line: int, record: list[str]) -> Row | RejectedRow:
        if isinstance(record, BadEscape):
            return RejectedRow(line, f"field {record.column}: the escape character stands before another character")
        return make(line, record)

    return make_or_reject


def _as_repeated(names: list[str], first: int, format_: FileFormat) -> tuple[list[list[str]], frozenset[str]]:
    """How a header looks within a file, and what such a record has in one place.

    Files that were put one after the other have marks of UTF-8 in the middle.
    """
    if format_.rules == 1:
        return [], frozenset()
    quote = format_.quote
    quoted = quote + names[0].replace(quote, quote * 2) + quote if quote else names[0]
    repeated = [names, [BOM + names[0], *names[1:]], [BOM + quoted, *names[1:]]]
    return repeated, frozenset(each[first] for each in repeated)


def _cell_reader(column: Column, format_: FileFormat) -> Callable[[str], Value | None]:
    """The function that reads the cells of a declared column: the value, or None if the cell is empty.

    The function raises BadCell.
    """
    convert = cells.converter(column, format_)
    is_text = column.type == "text"
    spelling = cells.spelling(column, format_)
    nulls = frozenset(format_.null_values)

    def read(text: str) -> Value | None:
        cell = text if is_text else text.strip(cells.SPACES)
        if not cell or cell in nulls:
            if column.required:
                raise BadCell(f"column {column.name}: empty, but required")
            return None
        try:
            if len(cell) > MAX_CHARACTERS and not is_text:
                raise cells.Unfit(f"more than {MAX_CHARACTERS} characters")
            return convert(cell)
        except ValueError as error:
            why = str(error) if isinstance(error, cells.Unfit) else f"write it as {spelling}"
            raise BadCell(f"column {column.name}: not {cells.KINDS[column.type]}: {why}") from None

    return read if is_text else lru_cache(REMEMBERED_CELLS)(read)
