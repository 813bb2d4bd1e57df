"""From the cells of a record to a row. Pure: this is where a cell gets its type; today every cell is text."""

from collections.abc import Callable, Sequence
from json.encoder import encode_basestring

from csv_ingest.model import LINE_AS_ID, FileFormat, RejectedRow, Row, UnreadableFile

MAX_NAME_CHARACTERS = 1_000
"""Characters of column names in an error. A header can be as long as a record."""

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
"""What the setting calls the delimiters that files usually have."""


def row_maker(names: Sequence[str], format_: FileFormat) -> Callable[[int, list[str]], Row | RejectedRow]:
    """Check the header, and return a function that makes a row of a line number and the cells of the record there.

    The function rejects a record that has another number of cells than the header, or no id. Raises UnreadableFile if
    no row can be read under these names.
    """
    index = _id_index(names, format_.id_column)
    width = len(names)
    # As json.dumps writes a dict, in a fifth of its time: the names are the same in each row.
    template = "{" + ",".join(f"{encode_basestring(name)}:".replace("%", "%%") + "%s" for name in names) + "}"

    def make(line: int, cells: list[str]) -> Row | RejectedRow:
        if len(cells) != width:
            return RejectedRow(line, f"{len(cells)} fields, expected {width}")
        id_ = str(line) if index is None else cells[index]
        if not id_.strip():
            return RejectedRow(line, "no id")
        return Row(line, id_, template % tuple(map(encode_basestring, cells)))

    return make


def _id_index(names: Sequence[str], id_column: str) -> int | None:
    """The place of the id column, or None if the line number is the id. Raises UnreadableFile for a wrong header."""
    numbers: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name:
            raise UnreadableFile(f"header: column {number} has no name")
        if (first := numbers.setdefault(name, number)) < number:
            raise UnreadableFile(f"header: columns {first} and {number} have the same name")
    if id_column == LINE_AS_ID:
        return None
    if id_column not in numbers:
        found = ", ".join(repr(name) for name in names)[:MAX_NAME_CHARACTERS]
        advice = _other_delimiter(names, id_column) or "rename a column, or set id_column"
        raise UnreadableFile(f"header: no column is named {id_column!r}; the columns are {found}: {advice}")
    return numbers[id_column] - 1


def _other_delimiter(names: Sequence[str], id_column: str) -> str | None:
    """Which delimiter to set, if the id column is there under another delimiter; None if it is not."""
    for character, word in DELIMITERS.items():
        if any(id_column in name.split(character) for name in names):
            return f"is the delimiter a {word}? set delimiter={word}"
    return None
