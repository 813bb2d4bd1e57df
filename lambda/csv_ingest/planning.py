"""The planning pass: reads a file to its end before its first row is stored, and finds where it can be split."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from csv_ingest import csvfile
from csv_ingest.model import (
    BEGINNING,
    ByteStream,
    Content,
    FileFormat,
    ObjectVersion,
    PartStart,
    Plan,
    Tuning,
    UnreadableFile,
)

UNSPLIT_SHARE = 10
"""The maximum file size is divided by this for a file that cannot be split; its uncompressed size counts."""

UNSPLIT_RECORD = 100
"""Bytes: the maximum size of a file that cannot be split, divided by this, is its maximum number of records."""

MAX_COLUMN_CHARACTERS = 100_000
"""Characters of column names that fit into the plan's item of 400 KB, beside the parts."""

RECHECK_WINDOW = 8 << 20
"""Bytes after an ambiguous place within which the csv module finds an error: a part, and the longest record, of a
million characters with four bytes each."""

_REMEDY = "divide it, or raise max_file_mb, and timeout_seconds with it"

OpenAt = Callable[[int], AbstractContextManager[ByteStream]]
"""Opens the file at a byte, 0 being the first."""


def plan_file(
    version: ObjectVersion, format_: FileFormat, open_at: OpenAt, *, max_bytes: int | None, tuning: Tuning
) -> tuple[Plan, Content]:
    """Read a file to its end; return how it is ingested, and its content. An error at the end leaves nothing stored.

    Raises UnreadableFile if the file cannot be read to its end, or is larger than `max_bytes` allows.
    """
    limit = sys.maxsize if max_bytes is None else max_bytes
    if version.size > limit:
        raise UnreadableFile(f"the file has {version.size:,} bytes, and max_file_mb allows {limit:,}: {_REMEDY}")
    content = csvfile.ContentHash()

    @contextmanager
    def open_hashed(start: int) -> Iterator[ByteStream]:
        with open_at(start) as stream:
            yield csvfile.CountingStream(stream, start=start, on_read=content.add)

    header, parts = _read(version, format_, open_hashed, limit // UNSPLIT_SHARE, tuning)
    if len(parts) <= tuning.whole_parts:
        header, parts = [], []
    _check_size_of_plan(header, parts, tuning)
    return Plan(format_, header, parts), Content(content.hexdigest(), format_)


def _read(
    version: ObjectVersion, format_: FileFormat, open_hashed: OpenAt, unsplit_limit: int, tuning: Tuning
) -> tuple[list[str], list[PartStart]]:
    """Read the file to its end; return its header and where its parts begin, nothing if it cannot be split."""
    start = BEGINNING
    if csvfile.is_splittable(version.key, format_.encoding):
        try:
            return _find_parts(format_, open_hashed, tuning)
        except csvfile.AmbiguousCsv as ambiguous:
            # The csv module decides. If it can read the file, the file is of a kind that is not split: its lines may
            # end like those of old Macs. A file that is too large for that is only looked at where it is ambiguous.
            if version.size > unsplit_limit:
                start = ambiguous.part
    _read_unsplit(start, format_, open_hashed, unsplit_limit)
    return [], []


def _find_parts(format_: FileFormat, open_at: OpenAt, tuning: Tuning) -> tuple[list[str], list[PartStart]]:
    """Find the header, and where the parts begin; raises AmbiguousCsv."""
    with open_at(0) as stream:
        twice = csvfile.ReplayStream(stream)
        line, header = csvfile.read_header(twice, format_)
        twice.replay()
        parts = list(csvfile.split_points(twice, format_, tuning))
    # Blank lines before the header are no part of their own: only the first part is read with its header.
    return header, parts[:1] + [part for part in parts[1:] if part.line > line]


def _read_unsplit(start: PartStart, format_: FileFormat, open_at: OpenAt, max_size: int) -> None:
    """Have the csv module read the file to its end, from a record on.

    Raises UnreadableFile where the csv module finds an error, or where the file is too large.
    """
    max_records = max_size // UNSPLIT_RECORD
    readable = max(max_size, start.byte + RECHECK_WINDOW) if start.byte else max_size

    def check_size(position: int, piece: bytes) -> None:
        if position + len(piece) > readable:
            raise _too_large(max_size, max_records)

    with open_at(start.byte) as stream:
        counted = csvfile.CountingStream(stream, start=start.byte, on_read=check_size)
        # Only at the beginning there is a header to check; elsewhere the splitter's caller has checked the header.
        found: Iterator[object] = (
            csvfile.read_records(counted, format_, start=start) if start.byte else csvfile.read_rows(counted, format_)
        )
        for number, _ in enumerate(found, start=1):
            if number > max_records:
                raise _too_large(max_size, max_records)
        if counted.position > max_size:
            raise _too_large(max_size, max_records)


def _too_large(max_size: int, max_records: int) -> UnreadableFile:
    return UnreadableFile(
        f"the file cannot be split into parts, and has more than the {max_size:,} bytes, uncompressed, or "
        f"{max_records:,} records that max_file_mb allows then: upload it uncompressed and in UTF-8, or {_REMEDY}"
    )


def _check_size_of_plan(header: list[str], parts: list[PartStart], tuning: Tuning) -> None:
    names = len(json.dumps(header))
    if len(parts) > tuning.max_parts or names > MAX_COLUMN_CHARACTERS:
        raise UnreadableFile(
            f"the file needs {len(parts):,} parts, of {tuning.max_parts:,} possible, "
            f"and {names:,} characters for its columns' names, of {MAX_COLUMN_CHARACTERS:,}: divide it"
        )
