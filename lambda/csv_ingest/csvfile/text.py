"""From bytes to the lines of a text: decoding, marks at its beginning, and the number of each line. Pure."""

import codecs
import io
from collections.abc import Callable, Iterator

from csv_ingest.csvfile import streams
from csv_ingest.model import BEGINNING, FileFormat, PartStart, UnreadableFile

MAX_RECORD = 1 << 20
"""Characters in one record. DynamoDB stores 400 KB per item, so a longer record is a quote that was never closed."""

BOM = "\ufeff"
"""The byte order mark, which is no character at the beginning of a file."""

MARKS = {
    codecs.BOM_UTF8: ("UTF-8", "utf-8"),
    codecs.BOM_UTF16_LE: ("UTF-16", "utf-16"),
    codecs.BOM_UTF16_BE: ("UTF-16", "utf-16"),
}
"""How files begin that say their encoding: its name, and the setting for it."""

HEAD_BYTES = 64
"""How many bytes at the beginning are looked at."""

_TAKEN = {
    "utf-8": [codecs.BOM_UTF8],
    "utf-16": [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE],
    "utf-16-le": [codecs.BOM_UTF16_LE],
    "utf-16-be": [codecs.BOM_UTF16_BE],
}
"""The marks that a file in an encoding may have."""


class TooManyLines(Exception):
    """The text has more lines than its reader allows: a gzip file of 300 KB can have 300 million blank ones."""


class Lines:
    """The physical lines of a text; knows on which line the current record began and how long the record is."""

    def __init__(self, stream: streams.ByteStream, format_: FileFormat, *, start: PartStart, max_lines: int) -> None:
        """Raises UnreadableFile if the file begins with the mark of another encoding."""
        self._encoding = format_.encoding
        is_beginning = start == BEGINNING
        if is_beginning and format_.rules > 1:
            stream = _without_other_mark(stream, format_.encoding)
        self._counted = streams.CountingStream(stream, start=start.byte)
        # Only at the beginning of a file is U+FEFF no character of its first cell.
        codec = "utf-8-sig" if format_.encoding == "utf-8" and is_beginning else format_.encoding
        # newline="" leaves line ends to the csv module, or a quoted CRLF would not survive.
        self._text = io.TextIOWrapper(self._counted, encoding=codec, newline="")
        self._readline: Callable[[int], str] = self._text.readline
        if is_beginning and format_.rules > 1 and format_.encoding in ("utf-16-le", "utf-16-be"):
            self._readline = self._without_mark
        self._last = start.line - 1 + max_lines
        self._count = start.line - 1
        self._record_size = 0
        self._is_ascii = True
        self.first = start.line
        """Of the current record: the number of its first line."""

    @property
    def next(self) -> int:
        """The number of the line that is read next."""
        return self._count + 1

    @property
    def position(self) -> int:
        """The place in the file up to which its bytes were read, which is somewhat farther than the lines are."""
        return self._counted.position

    def begin_record(self) -> None:
        """Begin a new record at the next line."""
        self.first = self.next
        self._record_size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line with its end. Raises UnreadableFile with the place, and TooManyLines."""
        try:
            line = self._readline(MAX_RECORD + 1)
        except UnicodeError as error:
            raise UnreadableFile(self._not_decoded(error)) from None
        if not line:
            raise StopIteration
        self._count += 1
        if self._is_ascii:
            self._is_ascii = line.isascii()
        if self._count > self._last:
            raise TooManyLines(self._last)
        self._record_size += len(line)
        if self._record_size > MAX_RECORD:
            raise UnreadableFile(
                f"the record that starts on line {self.first:,} has more than {MAX_RECORD:,} characters: "
                "is a quote left open?"
            )
        if "\0" in line:
            raise UnreadableFile(f"line {self._count:,} has a NUL byte{_of_utf16(line)}")
        return line

    def _without_mark(self, size: int, /) -> str:
        """The first line, but for a mark."""
        self._readline = self._text.readline
        return self._readline(size).removeprefix(BOM)

    def _not_decoded(self, error: UnicodeError) -> str:
        """Why the file is not text, and what to do."""
        if not isinstance(error, UnicodeDecodeError):  # without a place: UTF-16 that does not begin with its mark
            return f"not {self._encoding}: {error}"
        # The decoder sees the stream in pieces, each of which ends where reading has got to. A piece is decoded when no
        # whole line is left of the pieces before it.
        offset = self._counted.position - len(error.object) + error.start
        before = error.object[: error.start].decode(error.encoding, "ignore")
        line = self.next + len(before.replace("\r\n", "\n").replace("\r", "\n").split("\n")) - 1
        found = f"byte {offset:,} (0x{error.object[error.start]:02x}) on line {line:,} is not {self._encoding}"
        return f"{found}: {_advice(error, self._encoding, is_ascii=self._is_ascii)}"


def _advice(error: UnicodeDecodeError, encoding: str, *, is_ascii: bool) -> str:
    """What to do about a byte; names an encoding only if the bytes around it are of that encoding.

    `is_ascii` says whether the lines before are.
    """
    before, after = error.object[: error.start], error.object[error.end :]
    if encoding == "utf-8":
        # Letters beyond ASCII that are UTF-8 are there by no accident: two bytes have to fit each other.
        following = after.partition(b"\n")[2]
        if not is_ascii or any(not each.isascii() and _is_utf8(each) for each in (before, following)):
            return "the rest is, so the byte is damaged: correct the file"
        return "in which encoding is the file? Ask who makes it, and set encoding"
    if not error.object.isascii() and _is_utf8(error.object):
        return "is the file utf-8? set encoding=utf-8"
    return "in which encoding is the file? Ask who makes it, and set encoding"


def _is_utf8(piece: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(piece)  # the last character may be cut
    except UnicodeDecodeError:
        return False
    return True


def _of_utf16(line: str) -> str:
    """What to do, if every other character of a line is NUL, as in UTF-16 that is read as something else.

    Nothing about a run of them, which a broken transfer or a full disk leaves in a file.
    """
    even, odd = line[::2], line[1::2]
    for places, others, encoding in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if places.count("\0") * 2 > len(places) and "\0" not in others:
            return f": every other character is NUL: is the file UTF-16? set encoding={encoding}"
    return ""


def _without_other_mark(stream: streams.ByteStream, encoding: str) -> streams.ByteStream:
    """The same stream. Raises UnreadableFile if it begins with the mark of another encoding."""
    head, beginning = streams.look_at(stream, HEAD_BYTES)
    for mark, (name, setting) in MARKS.items():
        if head.startswith(mark) and mark not in _TAKEN.get(encoding, []):
            raise UnreadableFile(
                f"the file begins with the mark of {name}, and encoding is {encoding}: set encoding={setting}"
            )
    if encoding == "utf-16" and head and not head.startswith(tuple(_TAKEN[encoding])):
        raise UnreadableFile(
            f"the file does not begin with the mark of UTF-16, and encoding is utf-16{_advice_for(head)}"
        )
    return beginning


def _advice_for(head: bytes) -> str:
    """Which encoding to set for a file that begins so, and has no mark of UTF-16; nothing if its bytes say none."""
    if advice := _of_utf16(head.decode("latin-1")):
        return advice
    return ": is the file utf-8? set encoding=utf-8" if b"\0" not in head and _is_utf8(head) else ""
