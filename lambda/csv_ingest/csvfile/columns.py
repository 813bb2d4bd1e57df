"""From the cells of a record to a row. Pure."""

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from itertools import compress
from json.encoder import encode_basestring

from csv_ingest.csvfile import cells, header
from csv_ingest.model import LINE_AS_ID, NO_VALUES, Column, FileFormat, RejectedRow, Row, Value

MAX_CHARACTERS = 250
"""In a cell that is not text. No value needs as many, unless it has zeros that say nothing."""

REMEMBERED_CELLS = 1_000
"""Per column that is not text. Dates, quantities and prices repeat; to find a value costs a fifth of converting it."""


def row_maker(names: Sequence[str], format_: FileFormat) -> Callable[[int, list[str]], Row | RejectedRow]:
    """Check the header, and return a function that makes a row of a line number and the cells of the record there.

    The function rejects a record that has another number of cells than the header, no id, or a cell that is not of the
    type of its column. Raises UnreadableFile if no row can be read under these names.
    """
    numbers = header.places(names)
    index = None if format_.id_column == LINE_AS_ID else header.find(format_.id_column, numbers, format_, "id_column")
    width = len(names)
    declared = {column: header.find(column.name, numbers, format_, "columns") for column in format_.columns}
    typed = [(column.stored_as, number, _cell_reader(column, format_)) for column, number in declared.items()]
    data_of = _data_maker(names, set(declared.values()))

    def make(line: int, record: list[str]) -> Row | RejectedRow:
        if len(record) != width:
            return RejectedRow(line, f"{len(record)} fields, expected {width}")
        id_ = str(line) if index is None else record[index]
        if not id_.strip():
            return RejectedRow(line, "no id")
        if not typed:
            return Row(line, id_, data_of(record), NO_VALUES)
        try:
            values = {name: read(record[number]) for name, number, read in typed}
        except BadCell as error:
            return RejectedRow(line, str(error))
        return Row(line, id_, data_of(record), values)

    return make


class BadCell(ValueError):
    """A cell is not of the type of its column. The message names the column, and never holds the cell."""


def _cell_reader(column: Column, format_: FileFormat) -> Callable[[str], Value | None]:
    """The function that reads the cells of a declared column: the value, or None if the cell is empty.

    The function raises BadCell.
    """
    convert = cells.converter(column.type, format_)
    is_text = column.type == "text"
    spelling = cells.spelling(column.type, format_)

    def read(text: str) -> Value | None:
        cell = text if is_text else text.strip(" ")
        if not cell:
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


def _data_maker(names: Sequence[str], left_out: Collection[int]) -> Callable[[Sequence[str]], str]:
    """The function that writes the cells of a record, but for some columns, as a JSON object."""
    kept = [index not in left_out for index in range(len(names))]
    # As json.dumps writes a dict, in a fifth of its time: the names are the same in each row.
    template = (
        "{" + ",".join(f"{encode_basestring(name)}:".replace("%", "%%") + "%s" for name in compress(names, kept)) + "}"
    )
    if not left_out:
        return lambda record: template % tuple(map(encode_basestring, record))
    return lambda record: template % tuple(map(encode_basestring, compress(record, kept)))
