"""Where files are split: only where the csv module reads the same records, part by part."""

import codecs
import hashlib
import io
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from csv_ingest.csvfile import MAX_RECORD, AmbiguousCsv, is_splittable, read_records, split_points
from csv_ingest.model import BEGINNING, FileFormat, PartStart, Tuning, UnreadableFile
from local.examples import quoted_lines

COMMAS = FileFormat("id", ",", "utf-8")


def split(content: bytes, format_: FileFormat, tuning: Tuning) -> list[PartStart]:
    return list(split_points(io.BytesIO(content), format_, tuning))


def records(content: bytes, format_: FileFormat, start: PartStart = BEGINNING) -> list[tuple[int, list[str]]]:
    return list(read_records(io.BytesIO(content), format_, start=start))


def pieces_of(content: bytes, cuts: Iterable[PartStart]) -> list[tuple[PartStart, bytes]]:
    ends = [*(part.byte for part in cuts), len(content)][1:]
    return [(part, content[part.byte : end]) for part, end in zip(cuts, ends, strict=True)]


SEPARATORS = [b",", b";", b"\n", b"\r\n", b"\r"]
QUOTED = [b'"', b'""', b'",', b',"', b'"\n', b'\n"']
ESCAPED = [b"\\", b"\\\n", b"\\\r\n", b'\\"', b"\\\\", b"\\N", b' "', b'" ', b"'", b"\x1a"]
TEXT = [b"a", b"1", b" ", "é".encode(), "\u2028".encode(), b"\0", b"\xff", b"\xef\xbb\xbf"]
tokens = st.sampled_from(SEPARATORS + QUOTED + ESCAPED + TEXT)
formats = st.sampled_from(
    [
        COMMAS,
        FileFormat("id", ";", "utf-8"),
        FileFormat("id", "|", "cp1252"),
        FileFormat("id", ",", "ascii"),
        FileFormat("id", quote="'"),
        FileFormat("id", quote="none"),
        FileFormat("id", escape="\\"),
        FileFormat("id", escape="\\", quote="none"),
        FileFormat("id", trim=True),
        FileFormat("id", ";", "cp1252", trim=True, escape="\\"),
        FileFormat("id", trim=True, quote="none"),
        FileFormat("id", header="3"),
        FileFormat("id", header="2", escape="\\"),
    ]
)


@settings(max_examples=400)
@given(content=st.lists(tokens, max_size=50).map(b"".join), block=st.integers(1, 9), format_=formats)
def test_any_parts_have_the_same_records_and_lines(content: bytes, block: int, format_: FileFormat) -> None:
    tuning = Tuning(part_lines=3, part_bytes=4, block_bytes=block)
    assume(format_.encoding == "utf-8" or not content.startswith(codecs.BOM_UTF8))  # the reader says what it is
    try:
        expected = records(content, format_)
    except UnreadableFile:
        with pytest.raises(AmbiguousCsv):
            split(content, format_, tuning)
        return
    parts = split(content, format_, tuning)
    below = [part for part in parts[1:] if part.line > format_.header_line]  # as the planning pass keeps them
    pieces = pieces_of(content, parts[:1] + below)
    assert all(piece for _, piece in pieces), "an empty part cannot be read by its range"
    assert [record for part, piece in pieces for record in records(piece, format_, part)] == expected


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
def test_ambiguous_csv_names_the_part_with_the_error(content: bytes) -> None:
    with pytest.raises(AmbiguousCsv) as ambiguous:
        split(content, COMMAS, Tuning(part_lines=3, block_bytes=7))
    begins = ambiguous.value.part
    assert begins.byte > 0
    with pytest.raises(UnreadableFile, match=r"line 6|byte"):
        records(content[begins.byte :], COMMAS, begins)


@pytest.mark.parametrize("cell", ["x", '""'])
@pytest.mark.parametrize("end", ["\n", ""])
def test_a_record_is_ambiguous_once_it_is_too_long(cell: str, end: str) -> None:
    room = MAX_RECORD - len('""') - len(end)
    filled = f'"{cell * (room // len(cell))}{"x" * (room % len(cell))}"{end}'
    longest, too_long = (f"id\n1\n2\n{record}".encode() for record in (filled, f'"x{filled[1:]}'))
    assert len(records(longest, COMMAS)) == 4
    split(longest, COMMAS, Tuning())
    with pytest.raises(UnreadableFile, match="line 4 has more than"):
        records(too_long, COMMAS)
    with pytest.raises(AmbiguousCsv):
        split(too_long, COMMAS, Tuning())


def test_a_record_of_more_bytes_than_characters_is_ambiguous() -> None:
    """Its characters are not counted: the csv module reads it, and the file is not split."""
    content = f"id\n{'é' * (MAX_RECORD // 2 + 1)}\n".encode()
    assert len(records(content, COMMAS)) == 2
    with pytest.raises(AmbiguousCsv):
        split(content, COMMAS, Tuning())


def test_short_lines_are_split_by_lines_long_by_bytes() -> None:
    tuning = Tuning(block_bytes=100, part_lines=1_000, part_bytes=5_000)
    short, long = b"1\n" * 20_000, (b"x" * 99 + b"\n") * 1_000
    assert {b.line - a.line for a, b in pairwise(split(short, COMMAS, tuning))} == {1_000}
    assert {b.byte - a.byte for a, b in pairwise(split(long, COMMAS, tuning))} == {5_000}


@pytest.mark.parametrize(
    ("encodings", "expected"),
    [
        (["utf-8", "cp1252", "iso8859-15", "ascii"], True),
        (["utf-16", "cp037", "gb18030", "shift_jis"], False),  # cp037 is EBCDIC
    ],
)
def test_only_ascii_compatible_encodings_are_splittable(encodings: list[str], expected: bool) -> None:
    assert {is_splittable(encoding) for encoding in encodings} == {expected}


def test_twenty_megabytes_have_the_same_records_in_parts() -> None:
    """`make bench` does the same with a gigabyte."""
    content = b"".join(quoted_lines(20_000_000))

    def digest(records: Iterable[tuple[int, list[str]]]) -> str:
        state = hashlib.sha256()
        for record in records:
            state.update(repr(record).encode())
        return state.hexdigest()

    pieces = pieces_of(content, split(content, COMMAS, Tuning()))
    assert len(pieces) >= 20
    whole = read_records(io.BytesIO(content), COMMAS)
    joined = (record for part, piece in pieces for record in records(piece, COMMAS, part))
    assert digest(whole) == digest(joined)
