"""The planning pass: reads a file before its first row is stored, finds where it can be split, or keeps its rows."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from csv_ingest import csvfile
from csv_ingest.acceptance import MAX_NAMES, Acceptance
from csv_ingest.csvfile.streams import ByteStream
from csv_ingest.errors import UnreadableFile
from csv_ingest.file_format import FileFormat
from csv_ingest.plan import BEGINNING, Content, PartStart, Plan
from csv_ingest.rows import RejectedRow, Row
from csv_ingest.trial import Trial
from csv_ingest.tuning import Tuning
from csv_ingest.uploads import ObjectVersion

UNSPLIT_SHARE = 10
"""The maximum file size is divided by this for a file that cannot be split; its uncompressed size counts."""

UNSPLIT_RECORD = 100
"""Bytes: the maximum size of a file that cannot be split, divided by this, is its maximum number of records."""

LINES_PER_RECORD = 2
"""Such a file may have so many times as many lines, blank ones and those within quotes, as it may have records."""

RECHECK_WINDOW = 8 << 20
"""Bytes after an ambiguous place within which the csv module finds an error: a part, and the longest record, of a
million characters with four bytes each."""

_REMEDY = "divide it, or raise max_file_mb, and timeout_seconds with it"

OpenAt = Callable[[int], AbstractContextManager[ByteStream]]
"""Opens the file at a byte, 0 being the first."""


class Planned(NamedTuple):
    """What the planning pass found."""

    plan: Plan
    content: Content
    rows: list[Row | RejectedRow] | None = None
    """Every record below the header, if the file is so small that they were kept: it need not be read again."""


class _Parts(NamedTuple):
    """How a file is divided into parts. Without any, one delivery ingests it whole."""

    header: list[str]
    starts: list[PartStart]
    rows: list[Row | RejectedRow] | None = None


def plan_file(
    version: ObjectVersion, format_: FileFormat, open_at: OpenAt, *, acceptance: Acceptance | None, tuning: Tuning
) -> Planned:
    """Read a file to its end; return how it is ingested, and its content. An error at the end leaves nothing stored.

    Raises UnreadableFile if the file cannot be read to its end, or is not to be accepted. Without `acceptance`, a file
    is accepted that was accepted before, whatever the settings are.
    """
    limit = acceptance.max_bytes if acceptance else sys.maxsize
    if version.size > limit:
        raise UnreadableFile(f"the file has {version.size:,} bytes, and max_file_mb allows {limit:,}: {_REMEDY}")
    content = csvfile.ContentHash()

    @contextmanager
    def open_hashed(start: int) -> Iterator[ByteStream]:
        with open_at(start) as stream:
            yield csvfile.CountingStream(stream, start=start, on_read=content.add)

    header, starts, rows = _read(version, format_, open_hashed, acceptance, tuning)
    if len(starts) <= tuning.whole_parts:
        header, starts = [], []
    _check_size_of_plan(header, starts, tuning)
    return Planned(Plan(format_, header, starts), Content(content.hexdigest(), format_), rows)


def _read(
    version: ObjectVersion, format_: FileFormat, open_at: OpenAt, acceptance: Acceptance | None, tuning: Tuning
) -> _Parts:
    """Read the file to its end, and find where its parts begin, or its rows."""
    unsplit_limit = (acceptance.max_bytes if acceptance else sys.maxsize) // UNSPLIT_SHARE
    start = BEGINNING
    if csvfile.is_splittable(version.key, format_.encoding):
        is_small = version.size <= tuning.whole_bytes
        try:
            return _find_parts(format_, open_at, Trial(acceptance, tuning, of_beginning=not is_small), tuning)
        except csvfile.AmbiguousCsv as ambiguous:
            # The csv module decides. If it can read the file, the file is of a kind that is not split: its lines may
            # end like those of old Macs. A file that is too large for that is only looked at where it is ambiguous.
            if version.size > unsplit_limit:
                start = ambiguous.part
    if start.byte:
        _reread(start, format_, open_at, unsplit_limit)
        return _Parts([], [])
    return _Parts([], [], _read_unsplit(format_, open_at, unsplit_limit, Trial(acceptance, tuning)))


def _find_parts(format_: FileFormat, open_at: OpenAt, trial: Trial, tuning: Tuning) -> _Parts:
    """Read the rows of a small file, or those at the beginning of another one, and find where the parts begin.

    Raises AmbiguousCsv.
    """
    with open_at(0) as stream:
        twice = csvfile.ReplayStream(stream)
        rows = trial.run(twice, format_)
        if rows is not None:
            return _Parts([], [], rows)
        twice.replay()
        parts = list(csvfile.split_points(twice, format_, tuning))
    # Blank lines before the header are no part of their own: only the first part is read with its header.
    return _Parts(trial.header, parts[:1] + [part for part in parts[1:] if part.line > trial.line])


def _read_unsplit(format_: FileFormat, open_at: OpenAt, max_size: int, trial: Trial) -> list[Row | RejectedRow] | None:
    """Have the csv module read the file to its end; returns the rows of a small one.

    Raises UnreadableFile where the csv module finds an error, or where the file is too large.
    """
    size = _Size(max_size)
    with open_at(0) as stream:
        counted = csvfile.CountingStream(stream, on_read=size.add)
        try:
            return trial.run(counted, format_, on_row=size.check_records, max_lines=size.lines)
        except csvfile.TooManyLines:
            raise size.too_large() from None


def _reread(start: PartStart, format_: FileFormat, open_at: OpenAt, max_size: int) -> None:
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
        self._records = most // UNSPLIT_RECORD
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
            f"and in UTF-8, or {_REMEDY}"
        )


def _check_size_of_plan(header: list[str], parts: list[PartStart], tuning: Tuning) -> None:
    names = len(json.dumps(header))
    if len(parts) > tuning.max_parts or names > MAX_NAMES:
        raise UnreadableFile(
            f"the file needs {len(parts):,} parts, of {tuning.max_parts:,} possible, "
            f"and {names:,} characters for its columns' names, of {MAX_NAMES:,}: divide it"
        )
