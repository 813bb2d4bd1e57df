"""What a file becomes under the settings of its format: whole, and in parts of a line each. Pure."""

import bz2
import gzip
import io
import json
import lzma
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_ingest.acceptance import Acceptance, MaxRejected
from csv_ingest.csvfile import CountingStream, read_part, read_rows, unpacked
from csv_ingest.csvfile.packing import HEAD_BYTES
from csv_ingest.model import FileFormat, ObjectVersion, RejectedRow, Row, Tuning, UnreadableFile
from csv_ingest.planning import plan_file

IN_PARTS = Tuning(part_lines=1, part_bytes=1, block_bytes=5, whole_parts=0)

ACCEPTANCE = Acceptance(100_000_000, MaxRejected(), lambda _row: None)


class File:
    """A file in memory."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.version = ObjectVersion("b", "a.csv", "v", "e", len(content))

    @contextmanager
    def open(self, start: int) -> Iterator[CountingStream]:
        if start:
            yield CountingStream(io.BytesIO(self.content[start:]), start=start)
            return
        with unpacked(io.BytesIO(self.content), whole=lambda: io.BytesIO(self.content)) as stream:
            yield stream

    def read(self, format_: FileFormat) -> list[Row | RejectedRow]:
        with self.open(0) as stream:
            return list(read_rows(stream, format_))

    def read_in_parts(self, format_: FileFormat, tuning: Tuning = IN_PARTS) -> list[Row | RejectedRow]:
        """The rows of the parts in which a function would ingest the file."""
        plan = plan_file(self.version, format_, self.open, acceptance=ACCEPTANCE, tuning=tuning).plan
        if not plan.parts:
            return self.read(format_)
        ends = [part.byte for part in plan.parts[1:]] + [len(self.content)]
        rows: list[Row | RejectedRow] = []
        for start, end in zip(plan.parts, ends, strict=True):
            stream, last = io.BytesIO(self.content[start.byte : end]), plan.end_line or sys.maxsize
            rows += read_part(stream, plan.format_of_parts, plan.header, start=start, end_line=last)
        return rows


def outcome(content: str | bytes, settings: Mapping[str, Any]) -> list[tuple[object, ...]] | str:
    """The line of each row, with its id and its data, or with the reason why it is rejected; or why the file is."""
    format_ = FileFormat(**settings)
    file = File(content.encode(format_.encoding) if isinstance(content, str) else content)
    try:
        rows = file.read(format_)
    except UnreadableFile as error:
        with pytest.raises(UnreadableFile):
            file.read_in_parts(format_)
        return str(error)
    assert file.read_in_parts(format_) == rows
    return [shown(row) for row in rows]


def shown(row: Row | RejectedRow) -> tuple[object, ...]:
    return (row.line, row.id, *json.loads(row.data).items()) if isinstance(row, Row) else (row.line, row.reason)


A, B = (2, "1", ("id", "1"), ("n", "a")), (3, "2", ("id", "2"), ("n", "b"))
"""Two rows, of lines 2 and 3 of a file with the columns id and n."""

CASES: dict[str, tuple[dict[str, Any], str | bytes, Any]] = {
    # Names
    "nameless": ({}, "id,n,\n1,a,\n2,b,\n", [A, B]),
    "nameless filled": ({}, "id,n,\n1,a,\n2,b,x\n", [A, (*B, ("column_3", "x"))]),
    "nameless, name taken": (
        {},
        "id,column_2,\n,\n1,,x\n",
        [(3, "1", ("id", "1"), ("column_2", ""), ("column_3", "x"))],
    ),
    "made-up names meet none": (
        {},
        "id,,column_2\n1,x,\n",
        [(2, "1", ("id", "1"), ("column_2_2", "x"), ("column_2", ""))],
    ),
    "name twice": ({}, "id,n,n,n_2\n1,a,b,c\n", [(2, "1", ("id", "1"), ("n", "a"), ("n_3", "b"), ("n_2", "c"))]),
    "id twice": (
        {},
        "id,id\n1,2\n",
        "header: columns 1 and 2 have the same name, 'id', which id_column names: rename ",
    ),
    "declared twice": (
        {"columns": {"n": "text"}},
        "id,n,n\n1,2,3\n",
        "header: columns 2 and 3 have the same name, 'n'",
    ),
    "unknown": ({"known_columns": ["n"]}, "id,n,x,y\n1,a,,\n", "header: not among known_columns: 'x', 'y': leave the "),
    "known": ({"known_columns": ["n", "z"]}, "n,id,\na,1,\n", [(2, "1", ("n", "a"), ("id", "1"))]),
    "loose": ({"header_match": "loose"}, "\u00a0ID ,N\n1,a\n", [(2, "1", ("\u00a0ID ", "1"), ("N", "a"))]),
    "loose, ß": (
        {"header_match": "loose", "id_column": "Größe"},
        "GRO\u0308SSE\n1\n",
        [(2, "1", ("GRO\u0308SSE", "1"))],
    ),
    "loose, decomposed": (
        {"header_match": "loose", "id_column": "Läng"},
        "LA\u0308NG\n1\n",
        [(2, "1", ("LA\u0308NG", "1"))],
    ),
    "loose, id twice": ({"header_match": "loose"}, "id,ID\n1,2\n", "header: columns 1 and 2 have the same name, 'id'"),
    # Header
    "header on a line": ({"header": 3}, 'a\n"b\nid,n\n1,a\n', [(4, "1", ("id", "1"), ("n", "a"))]),
    "header on a line, old Mac": ({"header": 2}, "x\rid\r1\r", [(3, "1", ("id", "1"))]),
    "header of an empty file": ({"header": 5}, "", []),
    "header beyond the end": ({"header": 5}, "id\n1\n", "header: the file has no record from line 5 on"),
    "header searched": ({"header": "search"}, 'x\n"a\nb",c\nn,id\na,1\n', [(5, "1", ("n", "a"), ("id", "1"))]),
    "header not found": (
        {"header": "search"},
        "x\ny\n",
        "header: none of the first 2 records has all of the columns 'id'",
    ),
    "no header": (
        {"header": "none", "header_names": ["id", "n"]},
        "\ufeff1,a\n\n2,b\nid,n\n",
        [(1, *A[1:]), (3, *B[1:]), (4, "it repeats the header")],
    ),
    "a header again": (
        {},
        'id,n\n1,a\n"id","n"\nid,N\n',
        [A, (3, "it repeats the header"), (4, "id", ("id", "id"), ("n", "N"))],
    ),
    "a header after a mark": (
        {},
        'id,n\n1,a\n\ufeffid,n\n\ufeff"id",n\n',
        [A, (3, "it repeats the header"), (4, "it repeats the header")],
    ),
    "empty records above": ({}, "\n,,\nid,n\n1,a\n", [(4, *A[1:])]),
    "sep": ({}, "sep=;\r\nid;n\r\n1;a\r\n", [(3, *A[1:])]),
    "SEP in quotes, with a mark": ({}, '\ufeff"SEP=|"\nid|n\n1|a\n', [(3, *A[1:])]),
    "sep and a line": ({"header": 3}, "sep=;\nx\nid;n\n1;a\n", [(4, *A[1:])]),
    "sep with the quote is no sep": ({}, 'sep="\nid\n', "header: no column is named 'id'; the columns are"),
    # The end, and records of nothing
    "empty records": ({}, 'id,n\n1,a\n,\n"",""\n,,,,\n\n2,b\n,,\n', [A, (7, *B[1:])]),
    "Ctrl-Z": ({}, "id,n\n1,a\n\x1a\n2,b\n\x1a\r\n\n,\n", [A, (3, "1 fields, expected 2"), (4, *B[1:])]),
    "Ctrl-Z twice": ({}, "id,n\n1,a\n\x1a\n\x1a\n", [A, (3, "1 fields, expected 2")]),
    "Ctrl-Z above a footer": ({"footer_records": 1}, "id,n\n1,a\n\x1a\nend\n\x1a\n", [A, (3, "1 fields, expected 2")]),
    "Ctrl-Z as an id": ({}, "id\n\x1a\n1\n\x1a", [(2, "\x1a", ("id", "\x1a")), (3, "1", ("id", "1"))]),
    "footer": ({"footer_records": 1}, 'id,n\n1,a\n2,b\n"end\nof it"\n', [A, B]),
    "footers, not counted": ({"footer_records": 2}, "id,n\n1,a\n2,b\nsum\n\n,\nend\n\x1a\n", [A, B]),
    "fewer than footers": ({"footer_records": 3}, "id,n\n1,a\n2,b\n", []),
    "footers of all parts": ({"footer_records": 100}, "id,n\n" + "1,a\n" * 100, []),
    "blank lines alone": ({}, "\n\n,\n\n", []),
    "blank lines, by line": ({"id_column": "@line", "header": "first"}, "\n\n,\n", []),
    # Ids
    "two columns": ({"id_column": ["id", "n"]}, "id,n\n1,a\n2,b\n", [(2, "1|a", *A[2:]), (3, "2|b", *B[2:])]),
    "two columns, one empty": (
        {"id_column": ["id", "n"]},
        "id,n\n1, \n",
        [(2, "no id: column n is empty, and is a part of it")],
    ),
    "an id that is a null marker": (
        {"null_values": ["-"], "columns": {"id": "text"}},
        "id,n\n-,a\n1,-\n",
        [(2, "no id"), (3, "1", ("n", "-"))],
    ),
    "a null id of another type": (
        {"null_values": ["-"], "columns": {"id": "integer"}},
        "id,n\n - ,a\n 1 ,b\n",
        [(2, "no id"), (3, " 1 ", ("n", "b"))],
    ),
    # Dialects
    "another quote": (
        {"quote": "'"},
        "id,n\n1,'a,''b'\n2,\"\n",
        [(2, "1", ("id", "1"), ("n", "a,'b")), (3, "2", ("id", "2"), ("n", '"'))],
    ),
    "no quote": (
        {"quote": "none"},
        'id,n\n1,"a\n2,"b"\n',
        [(2, "1", ("id", "1"), ("n", '"a')), (3, "2", ("id", "2"), ("n", '"b"'))],
    ),
    "escapes": (
        {"escape": "\\"},
        'id,n\n1,a\\,b\n2,"\\"\\\\"\n3,x\\\ny\n5,\\N\n6,"\\N"\n7,"a""b"\n',
        [
            (2, "1", ("id", "1"), ("n", "a,b")),
            (3, "2", ("id", "2"), ("n", '"\\')),
            (4, "3", ("id", "3"), ("n", "x\ny")),
            (6, "5", ("id", "5"), ("n", "")),
            (7, "6", ("id", "6"), ("n", "")),
            (8, "7", ("id", "7"), ("n", 'a"b')),
        ],
    ),
    "escapes of others": (
        {"escape": "\\"},
        "id,n\n1,a\\n\n2,x\\N\n3,\\N\\N\n4,\\\\N\n",
        [
            *((line, "field 2: the escape character stands before another character") for line in (2, 3, 4)),
            (5, "4", ("id", "4"), ("n", "\\N")),
        ],
    ),
    "an escape at the end": (
        {"escape": "\\"},
        "id,n\n1,a\\",
        "the record that starts on line 2: the file ends with an escape character",
    ),
    "an escaped line end at the end": ({"escape": "\\"}, "id,n\n1,a\\\r\n", [(2, "1", ("id", "1"), ("n", "a\r\n"))]),
    "trim": (
        {"trim": True},
        'id , n\n 1\t,\u00a0a \n2 , "b , ""c""" \n" 3 ",\u2007x\u202fy\n',
        [A, (3, "2", ("id", "2"), ("n", 'b , "c"')), (4, "3", ("id", "3"), ("n", "x\u202fy"))],
    ),
    "trim, a quote within": ({"trim": True}, 'id,n\n1, a "b" \n', [(2, "1", ("id", "1"), ("n", 'a "b"'))]),
    "trim, text after a quote": (
        {"trim": True},
        'id,n\n1, "a" b\n',
        "the record that starts on line 2: ',' expected after",
    ),
    "trim, tabs as delimiters": ({"trim": True, "delimiter": "tab"}, 'id\tn\n1\t "a" \n', [A]),
    "short rows": (
        {"short_rows": "fill"},
        "id,n,m\n1,a\n2\n,\n3,a,b,\n",
        [
            (2, "1", ("id", "1"), ("n", "a"), ("m", "")),
            (3, "2", ("id", "2"), ("n", ""), ("m", "")),
            (5, "4 fields, expected 3"),
        ],
    ),
    # Encodings
    "utf-8-sig": ({"encoding": "utf-8-sig"}, b"\xef\xbb\xbfid,n\n1,a\n", [A]),
    "utf-16-le with a mark": ({"encoding": "utf-16-le"}, "\ufeffid,n\n1,a\n", [A]),
    "utf-16-be without": ({"encoding": "utf-16-be"}, "id,n\n1,a\n", [A]),
    "mark of UTF-8": (
        {"encoding": "cp1252"},
        b"\xef\xbb\xbfid,n\n",
        "the file begins with the mark of UTF-8, and encoding is ",
    ),
    "mark of the other UTF-16": (
        {"encoding": "utf-16-be"},
        b"\xff\xfei\0d\0",
        "the file begins with the mark of UTF-16, and ",
    ),
    "UTF-16 without a mark": (
        {},
        "id\n1\n".encode("utf-16-le"),
        "line 1 has a NUL byte: every other character is NUL: is the file UTF-16? set encoding=utf-16-le",
    ),
    "UTF-16 that has to have one": (
        {"encoding": "utf-16"},
        "id\n".encode("utf-16-le"),
        "the file does not begin with the mark of UTF-16, and encoding is utf-16: every other character",
    ),
    "UTF-8 as UTF-16": ({"encoding": "utf-16-le"}, b"id,n\n1,aa\n", "header: no column is named 'id'"),
    "UTF-8 as UTF-16 with a mark": (
        {"encoding": "utf-16"},
        b"id\n1\n",
        "the file does not begin with the mark of UTF-16, and ",
    ),
    "one NUL": ({}, b"id,n\n1,a\0b\n", "line 2 has a NUL byte"),
}


@pytest.mark.parametrize(("settings", "content", "expected"), CASES.values(), ids=list(CASES))
def test_a_file_becomes(settings: dict[str, Any], content: str | bytes, expected: Any) -> None:
    found = outcome(content, settings)
    if isinstance(expected, str):
        assert isinstance(found, str)
        assert found.startswith(expected)
    else:
        assert found == expected


def test_a_run_of_nul_is_no_utf_16() -> None:
    assert str(outcome(b"id,n\n1,a" + bytes(200) + b"b\n", {})) == "line 2 has a NUL byte"


FORMER: dict[str, tuple[str, Any]] = {
    "empty records": ("id,n\n,\n", [(2, "no id")]),
    "a header again": ("id,n\nid,n\n", [(2, "id", ("id", "id"), ("n", "n"))]),
    "Ctrl-Z": ("id\n\x1a\n", [(2, "\x1a", ("id", "\x1a"))]),
    "sep": ("sep=;\n1\n", "header: no column is named 'id'"),
}


@pytest.mark.parametrize(("content", "expected"), FORMER.values(), ids=list(FORMER))
def test_a_file_of_before_is_read_by_its_rules(content: str, expected: Any) -> None:
    file, format_ = File(content.encode()), replace(FileFormat(), rules=1)
    if isinstance(expected, str):
        with pytest.raises(UnreadableFile, match=expected):
            file.read(format_)
        return
    assert [shown(row) for row in file.read(format_)] == expected


TEXTS = [
    "a",
    "1",
    ",",
    "|",
    "\\",
    '"',
    "'",
    " ",
    "\t",
    "\u00a0",
    "\n",
    "\r\n",
    "\r",
    "\x1a",
    "\ufeff",
    "N",
    "id",
    "n",
    "",
]
cells = st.lists(st.sampled_from(TEXTS), max_size=4).map("".join)
tables = st.lists(st.lists(cells, min_size=2, max_size=3), max_size=8)


HEADER = ["id", "n", "m"]


@settings(max_examples=200)
@given(
    table=tables, footers=st.integers(0, 3), has_end=st.booleans(), quote=st.sampled_from("\"'"), escape=st.booleans()
)
def test_what_was_written_is_read(
    table: list[list[str]], footers: int, has_end: bool, quote: str, escape: bool
) -> None:
    """Each cell in quotes, with those in it doubled or escaped."""
    doubled = "\\" + quote if escape else quote * 2

    def written(cell: str) -> str:
        cell = cell.replace("\\", "\\\\") if escape else cell
        return quote + cell.replace(quote, doubled) + quote

    text = ",".join(HEADER) + "\n" + "\n".join(",".join(map(written, record)) for record in table) + "\n" * has_end
    format_ = FileFormat(
        quote=quote, escape="\\" if escape else "none", footer_records=footers, id_column="@line", header="first"
    )
    file = File(text.encode())
    rows = file.read(format_)
    assert file.read_in_parts(format_) == rows
    filled = [record for record in table if any(record)]
    below = filled[: max(len(filled) - footers, 0)]
    found = [list(json.loads(row.data).values()) for row in rows if isinstance(row, Row)]
    assert len(rows) == len(below)
    assert found == [record for record in below if len(record) == len(HEADER) and record != HEADER]


@given(st.lists(st.tuples(*[st.text(alphabet="ab|\\ ", min_size=1).filter(str.strip)] * 2), unique=True))
def test_ids_of_two_columns_never_collide(pairs: list[tuple[str, str]]) -> None:
    text = "x;y\n" + "".join(f"{first};{second}\n" for first, second in pairs)
    rows = File(text.encode()).read(FileFormat(("x", "y"), ";"))
    assert len({row.id for row in rows if isinstance(row, Row)}) == len(pairs)


def in_zip(*names: str, content: bytes = b"id,n\n1,a\n") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, b"" if name.endswith("/") else content)
    return packed.getvalue()


PLAIN = b"id,n\n1,a\n"

PACKED = {
    "gzip": gzip.compress(PLAIN),
    "gzip, two members": gzip.compress(PLAIN[:5]) + gzip.compress(PLAIN[5:]),
    "bzip2": bz2.compress(PLAIN),
    "xz": lzma.compress(PLAIN),
    "zip": in_zip("data.csv"),
    "zip of a Mac": in_zip("a/", "a/data.csv", "__MACOSX/", "__MACOSX/a/._data.csv"),
}


@pytest.mark.parametrize("content", PACKED.values(), ids=list(PACKED))
def test_a_packed_file_is_unpacked(content: bytes) -> None:
    assert outcome(content, {}) == [A]


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zip"])
def test_a_packed_file_that_is_cut_is_rejected(kind: str) -> None:
    text = PLAIN + b"".join(b"%d,%d\n" % (n, n * 7919) for n in range(300))
    whole = {
        "gzip": gzip.compress(text),
        "bzip2": bz2.compress(text),
        "xz": lzma.compress(text),
        "zip": in_zip("a", content=text),
    }[kind]
    assert f"not a whole {kind} file" in outcome(whole[: HEAD_BYTES + 20], {})


NO_TEXT = {
    "a zip of two": (in_zip("a.csv", "b.csv"), "the zip contains 2 files, and one is expected: upload each by itself"),
    "a zip of none": (in_zip("a/"), "the zip contains 0 files, and one is expected"),
    "a workbook": (in_zip("[Content_Types].xml", "xl/workbook.xml"), "the file is an Excel workbook: save it as CSV"),
    "a spreadsheet": (in_zip("mimetype", "content.xml"), "the file is an OpenDocument spreadsheet, or another file"),
    "an old workbook": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "the file is an Excel workbook, or another old file of Office",
    ),
    "a web page": (b"\xef\xbb\xbf\n <HTML lang=en>", "the file is a web page (HTML), perhaps one that asks to sign in"),
    "XML": (b"<?xml version='1.0'?>", "the file is XML: export it as CSV"),
    "a PDF": (b"%PDF-1.7", "the file is a PDF: export it as CSV"),
    "packed twice": (
        gzip.compress(bz2.compress(PLAIN)),
        "the file is packed twice: the gzip file contains a bzip2 file",
    ),
    "a packed web page": (gzip.compress(b"<!doctype html>"), "what the gzip file contains is a web page"),
}


@pytest.mark.parametrize(("content", "reason"), NO_TEXT.values(), ids=list(NO_TEXT))
def test_a_file_that_is_no_text_says_what_it_is(content: bytes, reason: str) -> None:
    found = outcome(content, {})
    assert isinstance(found, str)
    assert found.startswith(reason)


BEGINNINGS = [b"PK", b"BZh", b"<TICKER>", b"<htmlx", b"<html ", b"PAR1", b"par1"]


@pytest.mark.parametrize("content", [beginning + b",id\n1,2\n" for beginning in BEGINNINGS])
def test_a_header_may_begin_like_another_file(content: bytes) -> None:
    assert len(outcome(content, {})) == 1


def damaged(place: int, byte: int) -> bytes:
    packed = bytearray(in_zip("a.csv"))
    packed[place] = byte
    return bytes(packed)


ENTRY, END = in_zip("a.csv").index(b"PK\x01\x02"), in_zip("a.csv").index(b"PK\x05\x06")


WRONG_BYTES = [(ENTRY + 6, 128), (END + 17, 1), (30, 255), (ENTRY + 46, 0), (ENTRY + 28, 0)]


@pytest.mark.parametrize(("place", "byte"), WRONG_BYTES)
def test_a_zip_with_a_wrong_byte_is_rejected(place: int, byte: int) -> None:
    assert isinstance(outcome(damaged(place, byte), {}), str)


@given(st.integers(0, len(in_zip("a.csv")) - 1), st.integers(0, 255))
def test_no_byte_of_a_zip_ends_in_a_crash(place: int, byte: int) -> None:
    outcome(damaged(place, byte), {})


def test_a_zip_packed_in_an_unusual_way_is_rejected() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.csv", PLAIN)
    assert str(outcome(packed.getvalue(), {})).startswith("the file in the zip is packed in an unusual way: pack it")


def test_an_xz_that_asks_for_gigabytes_is_rejected() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}]
    content = lzma.compress(PLAIN, filters=filters)
    assert outcome(content, {}) == "not a whole xz file: Memory usage limit exceeded"
    two = lzma.compress(PLAIN[:5]) + b"\0" * 8 + lzma.compress(PLAIN[5:]) + b"\0" * 4
    assert outcome(two, {}) == [A]


def test_an_encrypted_zip_is_told() -> None:
    packed = bytearray(in_zip("a.csv"))
    directory = packed.index(b"PK\x01\x02")
    packed[6] |= 1
    packed[directory + 8] |= 1
    assert outcome(bytes(packed), {}) == "the file in the zip is encrypted: pack it without a password"


def test_records_that_may_be_footers_are_bounded() -> None:
    text = "id,n\n" + "".join(f"{n},{'x' * 100_000}\n" for n in range(60))
    file, format_ = File(text.encode()), FileFormat(footer_records=50)
    with pytest.raises(UnreadableFile, match=r"from line 2 on, 42 records may be the end with footer_records=50"):
        file.read_in_parts(format_, Tuning())
    assert len(file.read(format_)) == 10  # by the operators' commands, if the function has read it


def test_many_names_that_are_one_are_made_unique() -> None:
    names = ["id", *["a", "", "a_2", "column_7"] * 40_000]
    [row] = File(f"{','.join(names)}\n1{',x' * 160_000}\n".encode()).read(FileFormat())
    assert isinstance(row, Row)
    assert len(json.loads(row.data)) == 160_001


COSTLY = {
    "Ctrl-Z": ({}, b"id\n" + b"\x1a\n" * 500_000),
    "Ctrl-Z as footers": ({"footer_records": 1}, b"id\n1\n" + b"\x1a\n" * 30_000),
    "nameless columns": ({"short_rows": "fill"}, b"id" + b"," * 24_000 + b"\n" + b"1\n" * 30_000),
    "a name at the end": ({"short_rows": "fill"}, b"id" + b"," * 24_000 + b"x\n" + b"1\n" * 30_000),
    "combining marks": ({"header_match": "loose"}, ("id," + "\u0301\u0323" * 60_000 + "\n1,2\n").encode()),
    "a long line above": ({"header": 3}, b"x" * 900_000 + b"\n" * 2 + b"id\n1\n"),
    "an open escape": ({"escape": "\\"}, b'id\n"' + b"\\\n" * 300_000 + b'"\n'),
    "spaces": ({"trim": True}, b'id\n"a"' + b" " * 900_000 + b"\n"),
}
"""Files of less than 1 MB that once took minutes, or gigabytes."""


@pytest.mark.parametrize(("settings", "content"), COSTLY.values(), ids=list(COSTLY))
def test_no_small_file_takes_long(settings: dict[str, Any], content: bytes) -> None:
    seconds = time.process_time()
    file, format_ = File(content), FileFormat(**settings)
    with suppress(UnreadableFile):
        file.read_in_parts(format_, Tuning())
    assert time.process_time() - seconds < 20, "minutes, before it was bounded"
