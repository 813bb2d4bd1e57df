"""From a stream of bytes to rows. Pure: memory is bounded by the longest record, whatever the size of the file."""

import csv
import io
from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring
from typing import NamedTuple, Protocol, TextIO

from csv_ingest.errors import UnreadableFile

LINE_AS_ID = "@line"
"""The id column's name for files without one: the number of the record's first line is the id."""

MAX_RECORD = 1 << 20
"""Characters in one record. DynamoDB stores 400 KB an item, so a longer one is a quote that was never closed."""

MAX_NAMES = 1_000
"""Characters of column names in an error. A header can be as long as a record."""


class Source(Protocol):
    """What is read: an open file, or the body of an S3 object."""

    def read(self, size: int, /) -> bytes: ...


class Format(NamedTuple):
    """How a file is read."""

    id_column: str
    delimiter: str
    encoding: str


class Row(NamedTuple):
    """One record of the file that can be stored."""

    line: int
    """The first physical line of the record; the header is on line 1."""
    id: str
    data: str
    """JSON object: columns in file order, values as the strings in the file."""


class Reject(NamedTuple):
    """One record that is not stored, and why."""

    line: int
    reason: str


def read_header(source: Source, format_: Format) -> tuple[int, list[str]]:
    """The line and the columns of the header, none if there is none.

    Raises UnreadableFile if no row could be read under them.
    """
    line, columns = next(read_records(source, format_), (1, []))
    if columns:
        _id_index(columns, format_.id_column)
    return line, columns


def read_rows(
    source: Source, format_: Format, *, columns: Sequence[str] | None = None, first_line: int = 1
) -> Iterator[Row | Reject]:
    """Yield each record after the header, in file order; raises UnreadableFile with the place.

    Of a part of a file that begins later than with the header, say which `columns` it has and what its first line is.
    """
    records = read_records(source, format_, first_line=first_line)
    if columns is None:
        columns = next((record for _, record in records), [])
    if not columns:
        return
    index = _id_index(columns, format_.id_column)
    # As json.dumps writes a dict, in a fifth of its time: the names are the same in each row.
    template = "{" + ",".join(f"{encode_basestring(name)}:".replace("%", "%%") + "%s" for name in columns) + "}"
    for line, record in records:
        yield _row(record, len(columns), index, line, template)


def read_records(source: Source, format_: Format, *, first_line: int = 1) -> Iterator[tuple[int, list[str]]]:
    """Yield each record, the header too, with its first line. Blank lines are no records; a UTF-8 BOM is no character.

    Cells are what Python's csv module reads, in its strict mode: quoted delimiters, quotes and newlines are part of
    the cell, and text after a closing quote is an error rather than a guess. Raises UnreadableFile with the place.
    """
    counted = _CountedBytes(source)
    # Only at the beginning of a file is U+FEFF no character of its first cell.
    codec = "utf-8-sig" if format_.encoding == "utf-8" and first_line == 1 else format_.encoding
    # newline="" leaves line ends to the csv module, or a quoted CRLF would not survive.
    lines = _Lines(io.TextIOWrapper(counted, encoding=codec, newline=""), first_line)
    csv.field_size_limit(MAX_RECORD)  # the module's default is lower than what an item can hold
    try:
        for record in csv.reader(lines, delimiter=format_.delimiter, strict=True):
            if record:
                yield lines.first, record
            lines.begin_record()
    except UnicodeDecodeError as error:
        # The decoder sees the stream in pieces, and each piece ends where reading has got to.
        offset = counted.position - len(error.object) + error.start
        raise UnreadableFile(f"byte {offset:,} (0x{error.object[error.start]:02x}) is not {format_.encoding}") from None
    except UnicodeError as error:  # without a place: a UTF-16 file that does not begin with a byte order mark
        raise UnreadableFile(f"not {format_.encoding}: {error}") from None
    except csv.Error as error:
        raise UnreadableFile(f"the record that starts on line {lines.first:,}: {error}") from error


def _id_index(columns: Sequence[str], id_column: str) -> int | None:
    """Check the header: the place of the id column, or None if the line number is the id.

    Raises UnreadableFile.
    """
    for number, name in enumerate(columns, start=1):
        if not name:
            raise UnreadableFile(f"header: column {number} has no name")
        if (first := columns.index(name) + 1) < number:
            raise UnreadableFile(f"header: columns {first} and {number} have the same name")
    if id_column == LINE_AS_ID:
        return None
    if id_column not in columns:
        found = ", ".join(repr(name) for name in columns)[:MAX_NAMES]
        raise UnreadableFile(f"header: no column is named {id_column!r}; the columns are {found}")
    return columns.index(id_column)


def _row(record: list[str], width: int, index: int | None, line: int, template: str) -> Row | Reject:
    if len(record) != width:
        return Reject(line, f"{len(record)} fields, expected {width}")
    id_ = str(line) if index is None else record[index]
    if not id_.strip():
        return Reject(line, "no id")
    return Row(line, id_, template % tuple(map(encode_basestring, record)))


class _CountedBytes(io.RawIOBase):
    """The source as Python's text layer wants it, counting what was read."""

    name = "source"

    def __init__(self, source: Source) -> None:
        self._source = source
        self.position = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        piece = self._source.read(size)
        self.position += len(piece)
        return piece


class _Lines:
    """The physical lines of the text; knows on which one the current record began and how long it has become."""

    def __init__(self, text: TextIO, first_line: int) -> None:
        self._text = text
        self._count = first_line - 1
        self._record_size = 0
        self.first = first_line

    def begin_record(self) -> None:
        self.first = self._count + 1
        self._record_size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_RECORD + 1)
        if not line:
            raise StopIteration
        self._count += 1
        self._record_size += len(line)
        if self._record_size > MAX_RECORD:
            raise UnreadableFile(
                f"the record that starts on line {self.first:,} has more than {MAX_RECORD:,} characters: "
                "is a quote left open?"
            )
        if "\0" in line:
            raise UnreadableFile(f"line {self._count:,} has a NUL byte")
        return line
