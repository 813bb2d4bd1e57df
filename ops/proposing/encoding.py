"""How a file is encoded: by its mark, by being UTF-8 without an error, or as charset-normalizer judges."""

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

import charset_normalizer

from csv_ingest import csvfile
from csv_ingest.csvfile.packing import HEAD_BYTES
from csv_ingest.csvfile.streams import look_at
from csv_ingest.csvfile.text import MARKS

from ..wording import counted

PIECE = 1 << 20
MAX_JUDGED = 64_000
"""Bytes of lines beyond ASCII that are judged. More of them cost time and change no verdict."""

USUAL = "cp1252"
"""Of files from Western Europe and America that are not UTF-8."""

SHOWN_OTHERS = 3

_LETTERS = "äöüßÄÖÜéèêëàâáãåæçîíìïñôóòõøœûúùÉÈÊËÀÂÁÃÅÆÇÎÍÑÔÓÕØŒÛÚÙ"
_SIGNS = "€£§°²ºª½µ«»„“”…·•™©®\u00a0\u00b4\u00d7\u2013\u2014\u2018\u2019\u201a"
_FOREIGN = re.compile(rf"[^\x00-\x7f{_LETTERS}{_SIGNS}]|[{_LETTERS}]{{3}}")

POSSIBLE = [
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1257", "cp437", "cp850", "cp932", "koi8_r"),
    *("mac_roman", "shift_jis", "euc_jp", "euc_kr", "gb18030", "big5", "iso8859_2", "iso8859_15"),
]
"""Of what the setting `encoding` allows: those that files have, other than Unicode."""


class Encoding(NamedTuple):
    """The encoding of a file, as the setting has it, and why."""

    name: str
    why: str
    is_ascii: bool = False
    """Whether any other encoding would do: that of other files of the feed, for example."""


def find(open_: csvfile.Open) -> Encoding:
    """The encoding in which the whole file can be read. Raises UnreadableFile for a file that is no text."""
    with open_(0) as stream:
        head, _ = look_at(stream, HEAD_BYTES)
    for mark, (_, name) in MARKS.items():
        if head.startswith(mark):
            return Encoding(name, "the file begins with its byte order mark")
    for name, high in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if high.count(0) * 2 > len(high) and _decodes(open_, name):
            return Encoding(name, "every other byte is zero, and the whole file is")
    if _decodes(open_, "ascii"):
        return Encoding("utf-8", "every byte is ASCII, which most encodings share", is_ascii=True)
    if _decodes(open_, "utf-8"):
        return Encoding("utf-8", "the whole file is, and it has characters beyond ASCII")
    return _judged(open_)


def _judged(open_: csvfile.Open) -> Encoding:
    lines = _beyond_ascii(open_)
    if damaged := _damaged(lines):
        return Encoding("utf-8", f"most characters beyond ASCII are, and {counted(damaged, 'byte')} not: it is damaged")
    judged = [each.encoding for each in charset_normalizer.from_bytes(lines, cp_isolation=POSSIBLE)]
    likely = [name for each in judged if _decodes(open_, name := codecs.lookup(each).name)]
    seen = f"not UTF-8; bytes beyond ASCII: {sum(byte >= 0x80 for byte in lines):,}"  # noqa: PLR2004  no longer ASCII
    text = lines.decode(USUAL, "replace")
    if _is_western(text) and _decodes(open_, USUAL):
        others = [each for each in likely if lines.decode(each, "replace") != text][:SHOWN_OTHERS]
        also = f"; {', '.join(others)} would read other letters" if others else ""
        return Encoding(USUAL, f"{seen}, letters and signs of Western Europe{also}: ask who makes the file")
    if likely:
        return Encoding(likely[0], f"{seen}, judged by charset-normalizer: ask who makes the file")
    usual = USUAL if _decodes(open_, USUAL) else "iso8859-1"
    return Encoding(usual, f"{seen}, of no encoding that charset-normalizer tells: ask who makes the file")


def _damaged(lines: bytes) -> int:
    """How many places are not UTF-8, if most characters beyond ASCII are; otherwise 0."""
    text = lines.decode("utf-8", "replace")
    beyond = sum(not char.isascii() for char in text)
    return bad if (bad := text.count("\ufffd")) * 2 < beyond else 0


def _is_western(text: str) -> bool:
    """Whether a text has no character that is rare in Western Europe, nor a word of letters that are all beyond ASCII.

    charset-normalizer takes such texts, if they are short, for cp1250, Big5 or others.
    """
    return not _FOREIGN.search(text)


def _pieces(open_: csvfile.Open) -> Iterator[bytes]:
    with open_(0) as stream:
        while piece := stream.read(PIECE):
            yield piece


def _decodes(open_: csvfile.Open, name: str) -> bool:
    """Whether the whole file can be decoded without an error."""
    decoder = codecs.getincrementaldecoder(name)()
    try:
        for piece in _pieces(open_):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _beyond_ascii(open_: csvfile.Open) -> bytes:
    """The first lines that have a byte that is not ASCII."""
    lines, size = [], 0
    for piece in _pieces(open_):
        for line in piece.splitlines(keepends=True):
            if not line.isascii():
                lines.append(line)
                size += len(line)
            if size > MAX_JUDGED:
                return b"".join(lines)
    return b"".join(lines)
