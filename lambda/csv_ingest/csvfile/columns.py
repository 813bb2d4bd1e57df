"""From the cells of a record to a row. Pure."""

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from itertools import compress
from json.encoder import encode_basestring

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
    typed = [(column.stored_as, place, _cell_reader(column, format_)) for column, place in places.items()]
    data_of = _data_maker(header, left_out=set(places.values()))
    repeated, beginnings = _as_repeated(list(names), first, format_)

    def make(line: int, record: list[str]) -> Row | RejectedRow:
        if len(record) != width:
            if len(record) > width or not fills:
                return RejectedRow(line, f"{len(record)} fields, expected {width}")
            record = record + [""] * (width - len(record))
        if record[first] in beginnings and record in repeated:
            return RejectedRow(line, "it repeats the header")
        try:
            id_ = id_of(line, record)
            if not typed:
                return Row(line, id_, data_of(record), NO_VALUES)
            return Row(line, id_, data_of(record), {name: read(record[place]) for name, place, read in typed})
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
    declared = {header.place(column.name, "columns") for column in format_.columns} if format_.null_values else set()
    nulls = {place: frozenset(format_.null_values) for _, place in places if place in declared}
    first = places[0][1]

    def cell(_line: int, record: Sequence[str]) -> str:
        id_ = record[first]
        if not id_.strip() or (nulls and id_ in nulls[first]):
            raise BadCell("no id")
        return id_

    def joined(_line: int, record: Sequence[str]) -> str:
        parts = []
        for name, place in places:
            part = record[place]
            if not part.strip() or part in nulls.get(place, ()):
                raise BadCell(f"no id: column {name} is empty, and is a part of it")
            parts.append(part.replace(ESCAPE, ESCAPE * 2).replace(SEPARATOR, ESCAPE + SEPARATOR))
        return SEPARATOR.join(parts)

    return (cell if len(places) == 1 else joined), first


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


def _data_maker(header: Header, *, left_out: set[int]) -> Callable[[Sequence[str]], str]:
    """The function that writes the cells of a record, but for some columns, as a JSON object.

    A column without a name is in the object only if its cell is not empty.
    """
    names = header.unique
    nameless = [place for place in header.nameless if place not in left_out]
    usual = _writer(names, left_out.union(nameless))
    if not nameless:
        return usual

    @lru_cache(REMEMBERED_TEMPLATES)
    def writer(filled: tuple[int, ...]) -> Callable[[Sequence[str]], str]:
        return _writer(names, left_out.union(nameless).difference(filled))

    return lambda record: writer(tuple(place for place in nameless if record[place]))(record)


def _writer(names: Sequence[str], left_out: Collection[int]) -> Callable[[Sequence[str]], str]:
    kept = [place not in left_out for place in range(len(names))]
    # As json.dumps writes a dict, in a fifth of its time: the names are the same in each row.
    written = (encode_basestring(name) for name in compress(names, kept))
    template = "{" + ",".join(f"{name}:".replace("%", "%%") + "%s" for name in written) + "}"
    if all(kept):
        return lambda record: template % tuple(map(encode_basestring, record))
    return lambda record: template % tuple(map(encode_basestring, compress(record, kept)))
