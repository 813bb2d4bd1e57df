"""Files that cannot be split into parts: the csv module reads them to their end, and they have to be smaller."""

from typing import NoReturn

from csv_ingest import csvfile, trial
from csv_ingest.model import FileFormat, PartStart, UnreadableFile

SHARE = 10
"""The maximum file size is divided by this for a file that cannot be split; its uncompressed size counts."""

BYTES_PER_RECORD = 100
"""The maximum size of a file that cannot be split, divided by this, is its maximum number of records."""

LINES_PER_RECORD = 2
"""Lines that such a file may have per record that it may have: blank lines and those within quotes count."""

RECHECK_WINDOW = 8 << 20
"""Bytes after an ambiguous place within which the csv module finds an error: a part, and the longest record, of a
million characters with four bytes each."""

REMEDY = "divide it, or raise max_file_mb, and timeout_seconds with it"


def read(
    stream: csvfile.ByteStream, format_: FileFormat, max_size: int, attempt: trial.Trial
) -> tuple[list[str], trial.Records | None]:
    """Have the csv module read the file to its end; returns the names of its columns, and the rows of a small one.

    Raises UnreadableFile where the csv module finds an error, or where the file is too large.
    """
    size = _Size(max_size)
    counted = csvfile.CountingStream(stream, on_read=size.add)
    try:
        table, rows = attempt.run(counted, format_, on_row=size.check_records, max_lines=size.lines)
    except csvfile.TooManyLines:
        raise size.too_large() from None
    return list(table.header), rows


def find_error(start: PartStart, format_: FileFormat, open_at: csvfile.Open, max_size: int) -> NoReturn:
    """Have the csv module read a file that is too large for it from a record on, to find the error there.

    Raises UnreadableFile in any case.
    """
    size = _Size(max_size)

    def check_size(position: int, piece: bytes) -> None:
        if position + len(piece) > max(max_size, start.byte + RECHECK_WINDOW):
            raise size.too_large()

    with open_at(start.byte) as stream:
        counted = csvfile.CountingStream(stream, start=start.byte, on_read=check_size)
        for number, _ in enumerate(csvfile.read_records(counted, format_, start=start), start=1):
            size.check_records(number)
    raise size.too_large()


class _Size:
    """Ends the reading of a file that cannot be split, and is too large for that."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._records = most // BYTES_PER_RECORD
        self.lines = self._records * LINES_PER_RECORD

    def add(self, position: int, piece: bytes) -> None:
        if position + len(piece) > self._most:
            raise self.too_large()

    def check_records(self, number: int) -> None:
        if number > self._records:
            raise self.too_large()

    def too_large(self) -> UnreadableFile:
        return UnreadableFile(
            f"the file cannot be split into parts, and has more than the {self._most:,} bytes, uncompressed, "
            f"{self._records:,} records or {self.lines:,} lines that max_file_mb allows then: upload it uncompressed "
            f"and in UTF-8, or {REMEDY}"
        )
