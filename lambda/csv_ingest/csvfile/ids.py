"""From the cells of a record to the id of its row. Pure."""

from collections.abc import Callable, Sequence

from csv_ingest.csvfile import cells
from csv_ingest.csvfile.header import Header
from csv_ingest.csvfile.unfit import BadCell
from csv_ingest.model import FileFormat

SEPARATOR, ESCAPE = "|", "\\"
"""Between the cells of an id of several columns; and what stands before either of these characters within a cell."""


def id_maker(header: Header, format_: FileFormat) -> tuple[Callable[[int, Sequence[str]], str], int]:
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
