"""From bytes to rows: as Python's csv module reads them, with the place of each error."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest.csvfile import MAX_RECORD, read_records, read_rows
from csv_ingest.model import LINE_AS_ID, FileFormat, PartStart, RejectedRow, Row, UnreadableFile


class Pieces(io.BytesIO):
    """Bytes that arrive in small pieces, as from a network."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._size if size is None or size < 0 else min(size, self._size))


def read(
    content: bytes | str, *, id_column: str = "id", delimiter: str = ",", encoding: str = "utf-8", pieces: int = 1 << 20
) -> list[Row | RejectedRow]:
    raw = content.encode(encoding) if isinstance(content, str) else content
    return list(read_rows(Pieces(raw, pieces), FileFormat(id_column, delimiter, encoding)))


def cells(record: Row | RejectedRow) -> dict[str, str]:
    assert isinstance(record, Row)
    parsed: dict[str, str] = json.loads(record.data)
    return parsed


@pytest.mark.parametrize(
    "content",
    [
        b"id,name\n1,a\n2,b\n",
        b"id,name\r\n1,a\r\n2,b\r\n",
        b"id,name\r1,a\r2,b\r",
        b"\xef\xbb\xbfid,name\n1,a\n2,b\n",
        b"id,name\n1,a\n2,b",
    ],
    ids=["LF", "CRLF", "CR", "BOM", "no last newline"],
)
def test_the_same_rows_whatever_wrote_the_file(content: bytes) -> None:
    assert read(content) == [Row(2, "1", '{"id":"1","name":"a"}'), Row(3, "2", '{"id":"2","name":"b"}')]


def test_a_row_keeps_column_order_and_cell_text() -> None:
    [row] = read("name,id,price\n é ,007,1.10\n")
    assert row == Row(2, "007", '{"name":" é ","id":"007","price":"1.10"}')


def test_quoted_newlines_commas_and_quotes_stay_in_their_cell() -> None:
    first, second = read('id,note\n1,"one\ntwo\r\nthree, ""four"""\n2,next\n')
    assert cells(first)["note"] == 'one\ntwo\r\nthree, "four"'
    assert second == Row(5, "2", '{"id":"2","note":"next"}')


def test_a_unicode_line_separator_is_no_line_end() -> None:
    [row] = read("id,note\n1,a\u2028b\x85c\x0bd\n")
    assert cells(row)["note"] == "a\u2028b\x85c\x0bd"


def test_blank_lines_are_no_records_but_count_as_lines() -> None:
    assert [record.line for record in read("\nid,name\n\n1,a\n\n\n2,b\n")] == [4, 7]


@pytest.mark.parametrize("content", ["", "id,name", "id,name\n", "\n\n"])
def test_a_file_without_records_has_no_rows(content: str) -> None:
    assert read(content) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [(",x", "no id"), (" \t,x", "no id"), ("1", "1 fields, expected 2"), ("1,x,y", "3 fields, expected 2")],
)
def test_a_bad_row_is_rejected_by_its_line(line: str, reason: str) -> None:
    assert read(f"id,name\n0,a\n{line}\n9,b\n") == [
        Row(2, "0", '{"id":"0","name":"a"}'),
        RejectedRow(3, reason),
        Row(4, "9", '{"id":"9","name":"b"}'),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"id,name\n1,M\xfcller\n",
            r"byte 11 \(0xfc\) on line 2 is not utf-8: in which encoding is the file\? Ask who makes it",
        ),
        (
            b"id,name\n1,M\xc3\xbcller\n2,abcdefg\n3,M\xfcller\n",
            r"byte 31 \(0xfc\) on line 4 is not utf-8: the rest is, so the byte is damaged: correct the file",
        ),
        (b"id,name\n1,\xe2\x82", r"byte 10 \(0xe2\) on line 2 is not utf-8"),
        (b"id,a,b,id\n", "columns 1 and 4 have the same name, 'id', which id_column names"),
        (
            b"key,name\n1,a\n",
            "no column is named 'id'; the columns are 'key', 'name': rename a column, or set id_column",
        ),
        (b"id;name\n1;a\n", r"the columns are 'id;name': is the delimiter a semicolon\? set delimiter=semicolon"),
        (
            b"no;article;remark, if any\n1;a;b\n",
            r"the columns are .*: it seems to be delimited by semicolons, without a column of that name: is it a file ",
        ),
        (b"nr,remark; more\n1,a\n", "the columns are 'nr', 'remark; more': rename a column, or set id_column"),
        (b'id,name\n1,a\n2,"b\nc', "record that starts on line 3: unexpected end of data"),
        (b'id,name\n1,"a"b\n', "record that starts on line 2"),
        (b"id,name\n1,a\n2,b\0c\n", "line 3 has a NUL byte"),
        (b'id,name\n1,"' + b"x\n" * MAX_RECORD, "starts on line 2 has more than 1,048,576 characters"),
        (b"id,name\n1," + b"x" * (MAX_RECORD + 1), "starts on line 2 has more than 1,048,576 characters"),
    ],
    ids=[
        "encoding",
        "damaged",
        "cut",
        "doubled",
        "no id",
        "delimiter",
        "another feed's delimiter",
        "its own delimiter",
        "open quote",
        "stray quote",
        "NUL",
        "endless",
        "long",
    ],
)
@pytest.mark.parametrize("pieces", [7, 1 << 20])
def test_an_unreadable_file_names_the_place(content: bytes, message: str, pieces: int) -> None:
    with pytest.raises(UnreadableFile, match=message):
        read(content, pieces=pieces)


def test_an_undecodable_byte_is_named_however_far_in() -> None:
    content = b"\xef\xbb\xbfid,name\n" + b"1,abcdefgh\n" * 50_000
    with pytest.raises(UnreadableFile, match=rf"byte {len(content):,} \(0xff\) on line 50,002 "):
        read(content + b"\xff", pieces=1_000)


def test_an_undecodable_byte_of_a_part_is_placed() -> None:
    part = PartStart(byte=1_000, line=70)
    with pytest.raises(UnreadableFile, match=r"byte 1,010 \(0xff\) on line 72 "):
        list(read_records(io.BytesIO(b"1,a\r\n2,b\r\n\xff"), FileFormat("id", ",", "utf-8"), start=part))


def test_a_header_of_many_columns_is_checked_at_once() -> None:
    """Each name is compared with all before it in one look; name by name, this test would take minutes."""
    names = ["id", *(f"c{number}" for number in range(100_000))]
    assert read(",".join(names)) == []


def test_the_line_number_can_be_the_id() -> None:
    assert [(r.line, r.id) for r in read('a\nx\n"y\nz"\nx\n', id_column=LINE_AS_ID) if isinstance(r, Row)] == [
        (2, "2"),
        (3, "3"),
        (5, "5"),
    ]


def test_a_utf_16_file_needs_its_byte_order_mark() -> None:
    [row] = read("id,name\n1,é\n", encoding="utf-16")
    assert cells(row) == {"id": "1", "name": "é"}
    with pytest.raises(UnreadableFile, match="does not begin with the mark of UTF-16"):
        read("id,name\n1,é\n".encode("utf-16-le"), encoding="utf-16")


def test_a_header_that_is_long_is_not_repeated_whole() -> None:
    with pytest.raises(UnreadableFile) as error:
        read(",".join(f"column{number}" for number in range(10_000)))
    assert len(str(error.value)) < 1_200


def test_another_delimiter_and_another_encoding() -> None:
    [row] = read("id;name\n1;Müller\n", delimiter=";", encoding="cp1252")
    assert cells(row) == {"id": "1", "name": "Müller"}


text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(
    rows=st.lists(st.tuples(text, text, text), max_size=20),
    # With a bare "\n" line end, the writer before Python 3.13 leaves a cell with a lone "\r" unquoted.
    style=st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\n", csv.QUOTE_ALL)]),
    bom=st.booleans(),
    pieces=st.integers(1, 64),
)
def test_what_the_csv_module_writes_comes_back(
    rows: list[tuple[str, str, str]], style: tuple[str, Literal[0, 1]], bom: bool, pieces: int
) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator=style[0], quoting=style[1])
    writer.writerow(["id", "b", "c"])
    writer.writerows((f"{number}{row[0]}", *row[1:]) for number, row in enumerate(rows))
    content = file.getvalue().encode("utf-8-sig" if bom else "utf-8")
    assert [list(cells(record).values()) for record in read(content, pieces=pieces)] == [
        [f"{number}{row[0]}", *row[1:]] for number, row in enumerate(rows)
    ]


@given(st.binary(max_size=200).map(lambda tail: b"id,name\n" + tail) | st.binary(max_size=200), st.integers(1, 9))
def test_any_bytes_are_rows_or_an_unreadable_file(content: bytes, pieces: int) -> None:
    try:
        records = read(content, pieces=pieces)
    except UnreadableFile:
        return
    assert all(isinstance(record, RejectedRow) or record.id.strip() for record in records)


def endless() -> Iterator[bytes]:
    yield b"id,name\n"
    while True:
        yield b'1,"two\nlines"\n' * 500


class Endless:
    """A file that never ends."""

    def __init__(self) -> None:
        self._pieces = endless()

    def read(self, _size: int, /) -> bytes:
        return next(self._pieces)


def test_memory_does_not_grow_with_the_rows() -> None:
    records = read_rows(Endless(), FileFormat("id", ",", "utf-8"))
    next(records)  # what Python loads for the first row does not count

    def peak_of(rows: int) -> int:
        tracemalloc.reset_peak()
        assert sum(1 for _ in islice(records, rows)) == rows
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        first = peak_of(1_000)
        assert peak_of(100_000) < first + 64 * 1024
    finally:
        tracemalloc.stop()
