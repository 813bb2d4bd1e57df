"""Where a large file can be cut: after line ends that are no part of a quoted cell. Pure, and about as fast as reading.

Quotes are followed as Python's csv module follows them, without making a string of each cell. What is not obviously the
strict CSV that the module reads is a Doubt, and then the module itself has to decide: no file is cut by a guess.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from csv_ingest.rows import MAX_RECORD, Format, Source

BLOCK = 128 * 1024
"""Bytes that are looked at together. A part ends with the last line end of a block."""

PART_BYTES, PART_LINES = 1 << 20, 5_000
"""A part ends in the block in which it reaches one of them.

So much is written within the three attempts that Lambda makes even if fifty invocations share the 4,000 writes a second
of a new table (80 a second each, for 3 times 28 seconds); and the eight requests that a part costs beside its rows are
few against the two hundred of its rows.
"""


class Part(NamedTuple):
    """Where a part of a file begins. It ends where the next one begins, or the file ends."""

    start: int
    """Byte, from 0."""
    line: int
    """Physical line, from 1."""


class Doubt(Exception):
    """The bytes from `part` on are not CSV, or not obviously: what they are is for the csv module to say."""

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self.part = part


def can_be_cut(key: str, encoding: str) -> bool:
    """Whether an object's bytes can be told apart one by one.

    Not if it is compressed, nor if a byte can be a quote or the rest of another character: that is UTF-8 and the code
    pages that extend ASCII.
    """
    if key.lower().endswith(".gz"):
        return False
    every_byte = bytes(range(256))
    text = every_byte.decode(encoding, "replace")
    return encoding == "utf-8" or (len(text) == len(every_byte) and text[:128] == every_byte[:128].decode("ascii"))


def cut(source: Source, format_: Format) -> Iterator[Part]:
    """Yield where the parts of a file begin, in one pass over its bytes. Each but the first begins with a record.

    When it ends without having raised Doubt, the csv module in its strict mode reads the file without an error, whole
    or part by part with the same records. After a Doubt, what was yielded before it is still true.
    """
    part, last = Part(0, 1), None
    records = _records(format_.delimiter)
    here, rest = part, b""  # where the last record ended, and what was read after it
    try:
        for block in _text_blocks(source, format_.encoding):
            if part != last:  # only now is it known that it is not empty
                yield part
                last = part
            text = rest + block
            if here.start == 0 and format_.encoding == "utf-8":
                text = text.removeprefix(codecs.BOM_UTF8)
                here = Part(len(rest) + len(block) - len(text), 1)
            if end := records(text):
                here = Part(here.start + end, here.line + _line_ends(text, end))
                if here.start - part.start >= PART_BYTES or here.line - part.line >= PART_LINES:
                    part = here
            rest = text[end:]
            if len(rest) > MAX_RECORD - BLOCK:
                raise Doubt(part)  # a record that is or will be too long, or a quote that does not belong there
    except UnicodeError:
        raise Doubt(part) from None
    if rest and records(rest + b"\n") <= len(rest):
        raise Doubt(part)


def _text_blocks(source: Source, encoding: str) -> Iterator[bytes]:
    """The bytes, none of which is NUL; raises UnicodeError if they are not text in this encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    for block in iter(partial(source.read, BLOCK), b""):
        if b"\0" in block:
            raise UnicodeError("NUL")
        if not block.isascii() or decoder.getstate()[0]:
            decoder.decode(block)
        yield block
    decoder.decode(b"", final=True)


def _line_ends(text: bytes, end: int) -> int:
    """How many there are before `end`: of Unix, Windows, and old Macs."""
    count = text.count(b"\n", 0, end)
    if returns := text.count(b"\r", 0, end):
        count += returns - text.count(b"\r\n", 0, end)
    return count


def _records(delimiter: str) -> Callable[[bytes], int]:
    """A function of bytes that begin with a record: the length of the complete records that they begin with.

    In a record, the expression takes what is before a quote and then either the cell that the quote opens, or the rest
    of the cell in the middle of which it stands, where it means nothing; and so on, to the end of a line.
    """
    end_of_cell = rb"\r\n" + re.escape(delimiter.encode())
    records = re.compile(
        rb"""(?:
            (?: [^"\n]*+ (?: (?<! [^%(end)b] ) " [^"]*+ (?: "" [^"]*+ )*+ " (?= [%(end)b] )
                          | (?<= [^%(end)b] ) " [^%(end)b]*+ )
            )*+ [^"]* \n
        )*+"""
        % {b"end": end_of_cell},
        re.VERBOSE,
    )

    def length(text: bytes) -> int:
        if b'"' not in text:
            return text.rfind(b"\n") + 1
        found = records.match(text)
        return found.end() if found else 0

    return length
