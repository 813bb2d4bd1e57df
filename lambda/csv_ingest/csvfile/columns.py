"""From the cells of a record to a row. Pure."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from operator import itemgetter

from csv_ingest.csvfile import cells
from csv_ingest.csvfile.header import Header
from csv_ingest.csvfile.text import BOM
from csv_ingest.csvfile.tokens import BadEscape
from csv_ingest.model import NO_VALUES, Column, FileFormat, RejectedRow, Row, Value

MAX_CHARACTERS = 250
"""In a cell that is not text. No value needs as many, unless it has zeros that say nothing."""

REMEMBERED_CELLS = 1_000
"""Per column that is not text. Dates, quantities and prices repeat; to find a value costs a fifth of converting it."""

REMEMBERED_TEMPLATES = 100

SEPARATOR, ESCAPE = "|", "\\"
"""Between the cells of an id of several columns; and what stands before either of these characters within a cell."""


class BadCell(ValueError):
    """A cell is not of the type of its column. The message names the column, and never holds the cell."""


Make = Callable[[int, list[str]], Row | RejectedRow]
"""Makes a row of the line on which a record begins, and its cells."""


def row_maker(names: Sequence[str], format_: FileFormat) -> Make:
    """Check the names in the header, and return the function that makes rows. Raises UnreadableFile.

    The function rejects a record with another number of cells than the header, the header itself, and a record without
    an id, or with a cell that is not of the type of its column.
    """
    header = Header(names, format_)
    id_of, first = _id_maker(header, format_)
    places = {column: header.place(column.name, "columns") for column in format_.columns}
    width, fills = len(names), format_.short_rows == "fill"
    missing = [""] * width
    typed = [(column.stored_as, place, _cell_reader(column, format_)) for column, place in places.items()]
    data_of = _data_maker(header, left_out=set(places.values()))
    is_plain = len(format_.id_columns) == 1 and not format_.null_values
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
            id_ = record[first] if is_plain else id_of(line, record)
            if is_plain and not id_.strip():
                return RejectedRow(line, "no id")
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


def _id_maker(header: Header, format_: FileFormat) -> tuple[Callable[[int, Sequence[str]], str], int]:
    """The function that makes the id of a record, and a place in it on which the id depends.

    The function raises BadCell if the record has no id.
    """
    places = [(name, header.place(name, "id_column")) for name in format_.id_columns]
    if not places:
        return lambda line, _record: str(line), 0
    first = places[0][1]
    nulls = _nulls_of_ids(header, format_)

    def cell(_line: int, record: Sequence[str]) -> str:
        id_ = record[first]
        if not id_.strip() or (nulls and id_.strip(nulls[first]) in format_.null_values):
            raise BadCell("no id")
        return id_

    def joined(_line: int, record: Sequence[str]) -> str:
        parts = []
        for name, place in places:
            part = record[place]
            if not part.strip() or (place in nulls and part.strip(nulls[place]) in format_.null_values):
                raise BadCell(f"no id: column {name} is empty, and is a part of it")
            parts.append(part.replace(ESCAPE, ESCAPE * 2).replace(SEPARATOR, ESCAPE + SEPARATOR))
        return SEPARATOR.join(parts)

    return (cell if len(places) == 1 else joined), first


def _nulls_of_ids(header: Header, format_: FileFormat) -> dict[int, str]:
    """The places of the id that are declared, if cells can be null; and which spaces around a cell the type ignores."""
    if not format_.null_values:
        return {}
    declared = {header.place(column.name, "columns"): column for column in format_.columns}
    ids = [header.place(name, "id_column") for name in format_.id_columns]
    return {place: "" if declared[place].type == "text" else cells.SPACES for place in ids if place in declared}


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


WriteData = Callable[[Sequence[str], int], str]
"""Writes the cells of a record as a JSON object. Gets the record, and how many of its cells the file has."""


def _data_maker(header: Header, *, left_out: set[int]) -> WriteData:
    """The function that writes the cells of a record, but for some columns.

    A column without a name is in the object only if its cell is not empty.
    """
    names = header.unique
    nameless = [place for place in header.nameless if place not in left_out]
    usual = _writer(names, left_out.union(nameless))
    if not nameless:
        return usual

    @lru_cache(REMEMBERED_TEMPLATES)
    def writer(filled: tuple[int, ...]) -> WriteData:
        return _writer(names, left_out.union(nameless).difference(filled))

    def write(record: Sequence[str], given: int) -> str:
        # A record of two cells can be one of thousands of columns, of which those that are missing are not looked at.
        some = nameless if given == len(record) == len(names) else nameless[: bisect_left(nameless, given)]
        filled = tuple(place for place in some if record[place])
        return writer(filled)(record, given) if filled else usual(record, given)

    return write


def _writer(names: Sequence[str], left_out: Collection[int]) -> WriteData:
    kept = [place for place in range(len(names)) if place not in left_out]
    # As json.dumps writes a dict, in a fifth of its time: the names are the same in each row.
    written = (encode_basestring(names[place]) for place in kept)
    template = "{" + ",".join(f"{name}:".replace("%", "%%") + "%s" for name in written) + "}"
    if len(kept) == len(names):
        return lambda record, _given: template % tuple(map(encode_basestring, record))
    cells_of = _getter(kept)
    return lambda record, _given: template % tuple(map(encode_basestring, cells_of(record)))


def _getter(places: Sequence[int]) -> Callable[[Sequence[str]], Iterable[str]]:
    """The function that takes the cells in some places of a record; a wide record can have few of them."""
    return itemgetter(*places) if len(places) > 1 else lambda record: [record[place] for place in places]
