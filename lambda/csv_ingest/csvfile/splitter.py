"""Where a large file can be split: after line ends outside of quotes. Pure, and about as fast as reading.

The splitter follows quotes as Python's csv module does, without making a string of each cell. Bytes that are not
obviously the strict CSV that the module reads are ambiguous: then the module decides, and no file is split by a guess.
"""

import codecs
import re
from collections.abc import Iterator
from functools import partial

from csv_ingest.csvfile import streams
from csv_ingest.csvfile.text import MAX_RECORD
from csv_ingest.csvfile.tokens import SPACES
from csv_ingest.model import BEGINNING, FileFormat, PartStart, Tuning


class AmbiguousCsv(Exception):
    """The bytes from `part` on are not CSV, or not obviously: the csv module has to say what they are."""

    def __init__(self, part: PartStart) -> None:
        super().__init__(part)
        self.part = part


def is_splittable(encoding: str) -> bool:
    """Whether the lines of a file can be found in its bytes without decoding them.

    Not in an encoding in which the byte of a quote can be a part of another character. UTF-8 and the code pages that
    extend ASCII are splittable.
    """
    every_byte = bytes(range(256))
    text = every_byte.decode(encoding, "replace")
    return encoding == "utf-8" or (len(text) == len(every_byte) and text[:128] == every_byte[:128].decode("ascii"))


def split_points(stream: streams.ByteStream, format_: FileFormat, tuning: Tuning) -> Iterator[PartStart]:
    """Yield where the parts of a file begin, in one pass over its bytes. Each but the first begins with a record.

    When it ends without raising AmbiguousCsv, the csv module in its strict mode reads the file without an error, whole
    or part by part with the same records. The parts that were yielded before AmbiguousCsv are still true.
    """
    part, yielded = BEGINNING, None
    text = _Text(format_)
    try:
        for block in _text_blocks(stream, format_.encoding, tuning.block_bytes):
            if part != yielded:  # only now is it known that the part is not empty
                yield part
                yielded = part
            text.add(block)
            read = text.position
            if read.line == part.line:  # also after a mark of UTF-8
                continue
            if read.byte - part.byte >= tuning.part_bytes or read.line - part.line >= tuning.part_lines:
                part = read
    except UnicodeError:
        raise AmbiguousCsv(part) from None
    if not text.is_whole:
        raise AmbiguousCsv(part)


class _Text:
    """The text of a file up to a block."""

    def __init__(self, format_: FileFormat) -> None:
        self._encoding = format_.encoding
        self._records = _records(format_)
        self._unparsed = max(format_.header_line - 1, 0)
        """How many lines above the header are still to come."""
        self._rest = b""
        """What was read after the last record."""
        self.position = BEGINNING
        """Where the last record ended."""

    def add(self, block: bytes) -> None:
        """Read on. Raises UnicodeError at a record that is too long."""
        text = self._rest + block
        if self.position.byte == 0:
            text, self.position = _without_bom(text, self._encoding)
        end = _length_of_lines(text, self._unparsed)
        self._unparsed -= _line_ends(text, end)
        below = text[end:] if end else text
        # Bytes are more than characters, but counting those of a record at each block would take much longer.
        if len(below) > MAX_RECORD and len(below if self._unparsed else self._records.first(below)) > MAX_RECORD:
            raise UnicodeError("a record that is too long, or a quote that does not belong there")
        if b"\n" in block and not self._unparsed:
            end += self._records.length(below)
        self.position = PartStart(self.position.byte + end, self.position.line + _line_ends(text, end))
        self._rest = text[end:]

    @property
    def is_whole(self) -> bool:
        """Whether the file can end here: what is left is a record without its line end."""
        rest = self._rest
        return not rest or bool(self._unparsed) or self._records.length(rest + b"\r\n") > len(rest)


def _text_blocks(stream: streams.ByteStream, encoding: str, size: int) -> Iterator[bytes]:
    """The bytes, none of which is NUL; raises UnicodeError if they are not text in this encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    for block in iter(partial(stream.read, size), b""):
        if b"\0" in block:
            raise UnicodeError("NUL")
        if not block.isascii() or decoder.getstate()[0]:
            decoder.decode(block)
        yield block
    decoder.decode(b"", final=True)


def _without_bom(text: bytes, encoding: str) -> tuple[bytes, PartStart]:
    """The first bytes of a file after the byte order mark of UTF-8, if there is one, and where they begin."""
    rest = text.removeprefix(codecs.BOM_UTF8) if encoding == "utf-8" else text
    return rest, PartStart(len(text) - len(rest), 1)


def _line_ends(text: bytes, end: int) -> int:
    """How many line ends there are before `end`: those of Unix, Windows, and old Macs."""
    count = text.count(b"\n", 0, end)
    if returns := text.count(b"\r", 0, end):
        count += returns - text.count(b"\r\n", 0, end)
    return count


_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r(?=[^\n]))")


def _length_of_lines(text: bytes, count: int) -> int:
    """How many bytes the first lines of a text have; those that are complete, if they are fewer."""
    end = 0
    for _ in range(count):
        if not (line := _LINE.match(text, end)):
            break
        end = line.end()
    return end


class _Records:
    """Finds the records in some bytes, of which the first begins a record."""

    def __init__(self, special: bytes, all_: bytes, first: bytes) -> None:
        """`all_` and `first` are the expressions of records, which may have the special characters."""
        self._special = [bytes([byte]) for byte in special]
        self._all, self._first = (re.compile(each, re.VERBOSE | re.DOTALL) for each in (all_, first))

    def length(self, text: bytes) -> int:
        """How many bytes the complete records have."""
        if not any(each in text for each in self._special):
            return text.rfind(b"\n") + 1
        found = self._all.match(text)
        return found.end() if found else 0

    def first(self, text: bytes) -> bytes:
        """The first record, or all bytes if it is not complete."""
        found = self._first.match(text)
        return found.group() if found else text


def _records(format_: FileFormat) -> _Records:
    if format_.escape or format_.trim:
        return _of_tokens(format_)
    return _of_quotes(format_) if format_.quote else _Records(b"", b"", rb"[^\n]* \n")


def _of_quotes(format_: FileFormat) -> _Records:
    """The records that the csv module reads.

    In a record, the expression takes what is before a quote. Then it takes either the cell that the quote opens, or the
    rest of the cell in the middle of which the quote stands and means nothing. It goes on so to the end of a line.
    """
    words = {b"quote": re.escape(format_.quote.encode()), b"end": rb"\r\n" + re.escape(format_.delimiter.encode())}
    # An atomic group, and not a possessive one: before Python 3.11.5, the latter matches wrongly if something in it
    # can be tried in two ways (https://github.com/python/cpython/issues/106052).
    quoted = (
        rb"""(?> (?:
            [^%(quote)b\n]*+ (?: (?<! [^%(end)b] ) %(quote)b [^%(quote)b]*+ (?: %(quote)b%(quote)b [^%(quote)b]*+ )*+
                                 %(quote)b (?= [%(end)b] )
                               | (?<= [^%(end)b] ) %(quote)b [^%(quote)b%(end)b]*+ )
        )* )"""
        % words
    )
    words[b"quoted"] = quoted
    # Records without a quote follow in one step: it ends with the last line end before the next quote.
    all_ = rb"(?: %(quoted)b [^%(quote)b]* \n )*" % words
    return _Records(format_.quote.encode(), all_, rb"%(quoted)b [^%(quote)b\n]*+ \n" % words)


def _of_tokens(format_: FileFormat) -> _Records:
    """The expression goes from cell to cell, as Tokens does."""
    special = (format_.quote + format_.escape).encode()
    ordinary = re.escape(special)
    spaces = [each.encode(format_.encoding, "ignore") for each in SPACES if format_.trim and each != format_.delimiter]
    words = {
        b"delimiter": re.escape(format_.delimiter.encode()),
        b"quote": re.escape(format_.quote.encode()),
        b"special": ordinary,
        b"spaces": rb"(?> (?: %b )* )" % b"|".join(re.escape(each) for each in spaces if each) if format_.trim else b"",
        b"escaped": rb"| %b (?: \r\n | . )" % re.escape(format_.escape.encode()) if format_.escape else b"",
        b"escape": re.escape(format_.escape.encode()),
    }
    words[b"cell"] = rb"(?> (?: [^%(delimiter)b%(escape)b\r\n]+ %(escaped)b )* )" % words
    if format_.quote:
        words[b"cell"] = (
            rb"""(?: %(spaces)b %(quote)b (?> (?: [^%(special)b]+ | %(quote)b%(quote)b %(escaped)b )* ) %(quote)b
                     %(spaces)b (?= [%(delimiter)b\r\n] )
                 | (?! %(spaces)b %(quote)b ) %(cell)b )"""
            % words
        )
    record = rb"(?> %(cell)b (?: [%(delimiter)b\r] %(cell)b )* \n )" % words
    plain = rb"(?> [^%b]* \n )" % ordinary if special else rb"[^\n]* \n"
    return _Records(special, rb"(?: %b | %b )*" % (plain, record), record)
