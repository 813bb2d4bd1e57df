"""Where files are cut: only where the csv module reads the same records, part by part."""

import hashlib
import io
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest import parts
from csv_ingest.errors import UnreadableFile
from csv_ingest.parts import Doubt, Part, can_be_cut, cut
from csv_ingest.rows import MAX_RECORD, Format, read_records
from local.examples import quoted_lines

COMMAS = Format("id", ",", "utf-8")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_LINES", 3)


def records(content: bytes, format_: Format, first_line: int = 1) -> list[tuple[int, list[str]]]:
    return list(read_records(io.BytesIO(content), format_, first_line=first_line))


def pieces_of(content: bytes, cuts: Iterable[Part]) -> list[tuple[Part, bytes]]:
    ends = [*(part.start for part in cuts), len(content)][1:]
    return [(part, content[part.start : end]) for part, end in zip(cuts, ends, strict=True)]


SEPARATORS = [b",", b";", b"\n", b"\r\n", b"\r"]
QUOTED = [b'"', b'""', b'",', b',"', b'"\n', b'\n"']
TEXT = [b"a", b"1", b" ", "é".encode(), "\u2028".encode(), b"\0", b"\xff", b"\xef\xbb\xbf"]
tokens = st.sampled_from(SEPARATORS + QUOTED + TEXT)
formats = st.sampled_from([COMMAS, Format("id", ";", "utf-8"), Format("id", "|", "cp1252"), Format("id", ",", "ascii")])


@given(
    content=st.lists(tokens, max_size=50).map(b"".join),
    block=st.integers(1, 9),
    format_=formats,
)
def test_any_bytes_are_cut_into_parts_with_the_same_records_and_lines_or_are_doubted(
    content: bytes, block: int, format_: Format
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "BLOCK", block)
        patch.setattr(parts, "PART_BYTES", 4)
        try:
            expected = records(content, format_)
        except UnreadableFile:
            with pytest.raises(Doubt):
                list(cut(io.BytesIO(content), format_))
            return
        pieces = pieces_of(content, list(cut(io.BytesIO(content), format_)))
    assert all(piece for _, piece in pieces), "an empty part cannot be read by its range"
    assert [record for part, piece in pieces for record in records(piece, format_, part.line)] == expected


@pytest.mark.parametrize(
    "content",
    [
        b'id\n1\n2\n3\n4\n"5',
        b'id\n1\n2\n3\n4\n"5"x\n',
        b"id\n1\n2\n3\n4\n\xff\n6\n",
        b"id\n1\n2\n3\n4\n\0\n6\n",
        b"id\n1\n2\n3\n4\n" + b"x" * (MAX_RECORD + 1) + b"\n6\n",
    ],
)
def test_a_doubt_names_the_part_from_which_the_csv_module_finds_the_error(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "BLOCK", 7)
    with pytest.raises(Doubt) as doubt:
        list(cut(io.BytesIO(content), COMMAS))
    begins = doubt.value.part
    assert begins.start > 0
    with pytest.raises(UnreadableFile, match=r"line 6|byte"):
        records(content[begins.start :], COMMAS, begins.line)


def test_a_file_of_short_lines_is_cut_by_lines_and_one_of_long_lines_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "BLOCK", 100)
    monkeypatch.setattr(parts, "PART_LINES", 1_000)
    monkeypatch.setattr(parts, "PART_BYTES", 5_000)
    short, long = b"1\n" * 20_000, (b"x" * 99 + b"\n") * 1_000
    assert {b.line - a.line for a, b in pairwise(cut(io.BytesIO(short), COMMAS))} == {1_000}
    assert {b.start - a.start for a, b in pairwise(cut(io.BytesIO(long), COMMAS))} == {5_000}


@pytest.mark.parametrize(
    ("key", "encoding", "expected"),
    [
        ("a.csv", "utf-8", True),
        ("a.csv", "cp1252", True),
        ("a.csv", "iso8859-15", True),
        ("a.csv", "ascii", True),
        ("a.csv.gz", "utf-8", False),
        ("A.CSV.GZ", "utf-8", False),
        ("a.csv", "utf-16", False),
        ("a.csv", "cp037", False),  # EBCDIC
        ("a.csv", "gb18030", False),
        ("a.csv", "shift_jis", False),
    ],
)
def test_only_text_whose_bytes_speak_for_themselves_is_cut(key: str, encoding: str, expected: bool) -> None:
    assert can_be_cut(key, encoding) == expected


def test_twenty_megabytes_with_newlines_in_quotes_are_the_same_records_in_parts() -> None:
    """`make bench` does the same with a gigabyte."""
    content = b"".join(quoted_lines(20_000_000))

    def digest(records: Iterable[tuple[int, list[str]]]) -> str:
        state = hashlib.sha256()
        for record in records:
            state.update(repr(record).encode())
        return state.hexdigest()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART_LINES", 5_000)
        pieces = pieces_of(content, list(cut(io.BytesIO(content), COMMAS)))
    assert len(pieces) >= 20
    whole = read_records(io.BytesIO(content), COMMAS)
    joined = (record for part, piece in pieces for record in records(piece, COMMAS, part.line))
    assert digest(whole) == digest(joined)
