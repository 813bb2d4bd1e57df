"""From the cells of a record to a row. Pure."""

from collections.abc import Callable, Sequence
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


class RowMaker:
    """Makes rows of records."""

    def __init__(self, names: Sequence[str], format_: FileFormat) -> None:
        """Check the names in the header. Raises UnreadableFile if no row can be read under them."""
        header = Header(names, format_)
        self._ids = _Ids(header, format_)
        places = {column: header.place(column.name, "columns") for column in format_.columns}
        self._width = len(names)
        self._fills = format_.short_rows == "fill"
        self._typed = [(column.stored_as, place, _cell_reader(column, format_)) for column, place in places.items()]
        self._repeated = _as_repeated(list(names), format_)
        self._data_of = _Data(header, left_out=set(places.values())).of

    def make(self, line: int, record: list[str]) -> Row | RejectedRow:
        """The row of a record that begins on a line.

        Rejected are a record with another number of cells than the header, the header itself, and one without an id, or
        with a cell that is not of the type of its column.
        """
        if len(record) != self._width:
            if len(record) > self._width or not self._fills:
                return RejectedRow(line, f"{len(record)} fields, expected {self._width}")
            record = record + [""] * (self._width - len(record))
        if record in self._repeated:
            return RejectedRow(line, "it repeats the header")
        if type(record) is BadEscape:
            return RejectedRow(line, f"field {record.column}: the escape character stands before another character")
        try:
            id_ = self._ids.of(line, record)
            values = {name: read(record[place]) for name, place, read in self._typed} if self._typed else NO_VALUES
        except BadCell as error:
            return RejectedRow(line, str(error))
        return Row(line, id_, self._data_of(record), values)


class _Ids:
    """What identifies rows."""

    def __init__(self, header: Header, format_: FileFormat) -> None:
        self._places = [(name, header.place(name, "id_column")) for name in format_.id_columns]
        self._only = self._places[0][1] if len(self._places) == 1 else None
        declared = (
            {header.place(column.name, "columns") for column in format_.columns} if format_.null_values else set()
        )
        self._nulls = {place: frozenset(format_.null_values) for _, place in self._places if place in declared}

    def of(self, line: int, record: Sequence[str]) -> str:
        """The id of a record. Raises BadCell if it has none."""
        if self._only is not None:
            id_ = record[self._only]
            if not id_.strip() or (self._nulls and id_ in self._nulls[self._only]):
                raise BadCell("no id")
            return id_
        if not self._places:
            return str(line)
        parts = []
        for name, place in self._places:
            part = record[place]
            if not part.strip() or part in self._nulls.get(place, ()):
                raise BadCell(f"no id: column {name} is empty, and is a part of it")
            parts.append(part.replace(ESCAPE, ESCAPE * 2).replace(SEPARATOR, ESCAPE + SEPARATOR))
        return SEPARATOR.join(parts)


def _as_repeated(names: list[str], format_: FileFormat) -> tuple[list[str], ...]:
    """How a header looks within a file: files that were put one after the other have marks of UTF-8 in the middle."""
    if format_.rules == 1:
        return ()
    quote = format_.quote
    quoted = quote + names[0].replace(quote, quote * 2) + quote if quote else names[0]
    return names, [BOM + names[0], *names[1:]], [BOM + quoted, *names[1:]]


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


class _Data:
    """Writes the cells of records, but for some columns, as JSON objects."""

    def __init__(self, header: Header, *, left_out: set[int]) -> None:
        self._names = header.unique
        self._nameless = [place for place in header.nameless if place not in left_out]
        kept = [place not in left_out for place in range(len(self._names))]
        self._usual = self._writer(kept, set(self._nameless))
        self._kept = kept
        self._filled = lru_cache(REMEMBERED_TEMPLATES)(lambda empty: self._writer(kept, empty))

    def of(self, record: Sequence[str]) -> str:
        """The object of a record. A column without a name is in it if its cell is not empty."""
        if self._nameless and (empty := frozenset(each for each in self._nameless if not record[each])) != frozenset(
            self._nameless
        ):
            return self._filled(empty)(record)
        return self._usual(record)

    def _writer(self, kept: Sequence[bool], left_out: set[int] | frozenset[int]) -> Callable[[Sequence[str]], str]:
        chosen = [is_kept and place not in left_out for place, is_kept in enumerate(kept)]
        # As json.dumps writes a dict, in a fifth of its time: the names are the same in each row.
        names = (encode_basestring(name) for name in compress(self._names, chosen))
        template = "{" + ",".join(f"{name}:".replace("%", "%%") + "%s" for name in names) + "}"
        if all(chosen):
            return lambda record: template % tuple(map(encode_basestring, record))
        return lambda record: template % tuple(map(encode_basestring, compress(record, chosen)))
