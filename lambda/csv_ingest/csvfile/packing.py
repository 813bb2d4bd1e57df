"""What the first bytes of a file say it is, whatever its name says: packed files are unpacked, others are text.

Pure. A file that is neither, such as a workbook, is unreadable for the reason that is true.
"""

import bz2
import gzip
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from csv_ingest.csvfile.streams import ByteStream, CountingStream, look_at
from csv_ingest.model import UnreadableFile

HEAD_BYTES = 512
"""How many bytes at the beginning of a file are looked at."""

PIECE = 1 << 16
MAX_XZ_MEMORY = 100 << 20
"""Bytes. What `xz -9` packs needs 65 MB."""

_KINDS = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "bzip2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "zip": re.compile(rb"PK(\x03\x04|\x05\x06|\x07\x08)"),
}
_NO_TEXT = {
    rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "is an Excel workbook, or another old file of Office: save it as CSV",
    rb"(?i:(\xef\xbb\xbf)?\s*(<!doctype\s+html|<html(>|\s+[\w:-]+=)))": (
        "is a web page (HTML), perhaps one that asks to sign in: open it in a browser, and export the data as CSV"
    ),
    rb"(\xef\xbb\xbf)?\s*<\?xml\s+version=": "is XML: export it as CSV",
    rb"%PDF-[0-9]": "is a PDF: export it as CSV",
    rb"PAR1[\x00-\x1f]": "is a Parquet file: export it as CSV",
    rb"\x28\xb5\x2f\xfd": "is packed with zstd: pack it with gzip, or not at all",
    rb"7z\xbc\xaf\x27\x1c": "is packed with 7-Zip: pack it with zip or gzip, or not at all",
    rb"Rar!\x1a\x07": "is packed with RAR: pack it with zip or gzip, or not at all",
}
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_DAMAGED_ZIP = (
    *(zipfile.BadZipFile, EOFError, struct.error, OverflowError),
    *(NotImplementedError, ValueError, IndexError, RuntimeError),
)
"""What zipfile raises when it reads the directory of a zip with a few wrong bytes."""


class Unpacked:
    """The content of a packed file."""

    def __init__(self, kind: str, stream: ByteStream) -> None:
        self._kind, self._stream = kind, stream

    def read(self, size: int, /) -> bytes:
        """Raises UnreadableFile if the packed file is not whole."""
        try:
            return self._stream.read(size)
        except _DAMAGED as error:
            raise self._damaged(error) from error
        except OSError as error:
            # The decompressors of bzip2 and gzip raise it without a number; all other errors have a class of their own.
            if type(error) not in (OSError, gzip.BadGzipFile) or error.errno:
                raise
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> UnreadableFile:
        return UnreadableFile(f"not a whole {self._kind} file: {error}")


@contextmanager
def unpacked(stream: ByteStream, *, whole: Callable[[], BinaryIO]) -> Iterator[CountingStream]:
    """The content of a file that is given from its first byte; what is packed is unpacked once.

    `whole` opens the file so that any place of it can be read, which only a zip needs: what it has stands at its end.
    Raises UnreadableFile for a file that is no text, and while a damaged file is read.
    """
    head, beginning = look_at(stream, HEAD_BYTES)
    kind = _kind_of(head)
    if not kind:
        _require_text(head, "the file")
        yield CountingStream(beginning)
        return
    content = Unpacked(kind, _open_zip(whole()) if kind == "zip" else _decompressor(kind, beginning))
    head, beginning = look_at(content, HEAD_BYTES)
    if inner := _kind_of(head):
        raise UnreadableFile(f"the file is packed twice: the {kind} file contains a {inner} file: pack it once")
    _require_text(head, f"what the {kind} file contains")
    yield CountingStream(beginning, is_packed=True)


def _kind_of(head: bytes) -> str | None:
    return next((kind for kind, magic in _KINDS.items() if magic.match(head)), None)


def _require_text(head: bytes, what: str) -> None:
    for magic, problem in _NO_TEXT.items():
        if re.match(magic, head):
            raise UnreadableFile(f"{what} {problem}")


def _decompressor(kind: str, stream: ByteStream) -> ByteStream:
    file = cast("BinaryIO", stream)  # they need no more of it than to read it
    if kind == "gzip":
        return cast("ByteStream", gzip.GzipFile(fileobj=file))
    return cast("ByteStream", bz2.BZ2File(file)) if kind == "bzip2" else _Xz(stream)


class _Xz:
    """The content of an xz file. Unlike LZMAFile, it bounds its memory: a file of 64 bytes can ask for 4 GB."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._next: lzma.LZMADecompressor | None = None

    def read(self, size: int, /) -> bytes:
        """Raises LZMAError and EOFError for a file that is not whole."""
        while True:
            packed = b""
            if not self._next or self._next.eof:
                # A file can have several streams, with zeros between them.
                packed = (self._next.unused_data if self._next else b"").lstrip(b"\0")
                while not packed:
                    if not (piece := self._stream.read(PIECE)):
                        return b""
                    packed = piece.lstrip(b"\0")
                self._next = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)
            elif self._next.needs_input and not (packed := self._stream.read(PIECE)):
                raise EOFError("it ends before its end marker")
            if content := self._next.decompress(packed, size):
                return content


def _open_zip(file: BinaryIO) -> ByteStream:
    """The one file in a zip. Raises UnreadableFile if there is not exactly one, or if it is a workbook."""
    try:
        archive = zipfile.ZipFile(file)
        info = _only_file(archive)
        return cast("ByteStream", archive.open(info))
    except _DAMAGED_ZIP as error:
        raise UnreadableFile(f"not a whole zip file: {error}") from error


def _only_file(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    names = archive.namelist()
    if "[Content_Types].xml" in names and any(name.startswith("xl/") for name in names):
        raise UnreadableFile("the file is an Excel workbook: save it as CSV")
    if "content.xml" in names and "mimetype" in names:
        raise UnreadableFile("the file is an OpenDocument spreadsheet, or another file of that kind: save it as CSV")
    infos = [info for info in archive.infolist() if not (info.is_dir() or info.filename.startswith("__MACOSX/"))]
    if len(infos) != 1:
        raise UnreadableFile(f"the zip contains {len(infos):,} files, and one is expected: upload each by itself")
    if infos[0].flag_bits & 1:
        raise UnreadableFile("the file in the zip is encrypted: pack it without a password")
    if infos[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # zipfile unpacks a whole piece of others at once, whatever is asked for: 842 bytes can be 1 GB.
        raise UnreadableFile("the file in the zip is packed in an unusual way: pack it as usual, or with gzip")
    return infos[0]
