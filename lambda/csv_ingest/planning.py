"""The planning pass: reads a file to its end before its first row is stored, and finds where it can be split."""

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

from csv_ingest import csvfile
from csv_ingest.deadline import Deadline
from csv_ingest.model import ByteStream, FileFormat, ObjectVersion, PartStart, Plan, Tuning, UnreadableFile

UNSPLIT_SHARE = 10
"""The maximum file size is divided by this for a file that cannot be split; its uncompressed size counts."""

UNSPLIT_RECORD = 100
"""Bytes: the maximum size of a file that cannot be split, divided by this, is its maximum number of records."""

MAX_COLUMN_CHARACTERS = 100_000
"""Characters of column names that fit into the plan's item of 400 KB, beside the parts."""

RECHECK_WINDOW = 4 << 20
"""Bytes after an ambiguous place within which the csv module finds an error: a part, and the longest record."""

_WHERE = "in the planning pass of the file, before its first row was stored"
_REMEDY = "divide it, or raise max_file_mb, and timeout_seconds with it"

OpenAt = Callable[[int], AbstractContextManager[ByteStream]]
"""Opens the file at a byte, 0 being the first."""


def plan_file(
    version: ObjectVersion,
    format_: FileFormat,
    open_at: OpenAt,
    *,
    max_bytes: int | None,
    deadline: Deadline,
    tuning: Tuning,
) -> Plan:
    """Read a file to its end, and return how it is ingested. An error at the end must not leave the beginning stored.

    Raises UnreadableFile if the file cannot be read to its end, or is larger than `max_bytes` allows; OutOfTime if the
    pass takes too long.
    """
    limit = sys.maxsize if max_bytes is None else max_bytes
    if version.size > limit:
        raise UnreadableFile(f"the file has {version.size:,} bytes, and max_file_mb allows {limit:,}: {_REMEDY}")
    whole = Plan(format_, [], [])
    if not csvfile.is_splittable(version.key, format_.encoding):
        _read_unsplit(format_, open_at, limit, deadline)
        return whole
    try:
        columns, parts = _find_parts(format_, open_at, deadline, tuning)
    except csvfile.AmbiguousCsv as ambiguous:
        records = _read_from(ambiguous.part, format_, open_at, limit, deadline)
        # The csv module reads the file, so it is CSV, but of a kind that is not split: its lines may end like those of
        # old Macs.
        _check_unsplit(version.size, records, limit)
        return whole
    if len(parts) <= tuning.whole_parts:
        return whole
    _check_size_of_plan(columns, parts, tuning)
    return Plan(format_, columns, parts)


def _find_parts(
    format_: FileFormat, open_at: OpenAt, deadline: Deadline, tuning: Tuning
) -> tuple[list[str], list[PartStart]]:
    """Find the columns, and where the parts begin; raises AmbiguousCsv."""
    with open_at(0) as stream:
        twice = csvfile.ReplayStream(stream)
        header, columns = csvfile.read_header(twice, format_)
        twice.replay()
        found = deadline.limit(csvfile.split_points(twice, format_, tuning), lambda _: _WHERE)
        parts = list(found)
    # Blank lines before the header are no part of their own: only the first part is read with its header.
    return columns, parts[:1] + [part for part in parts[1:] if part.line > header]


def _read_unsplit(format_: FileFormat, open_at: OpenAt, limit: int, deadline: Deadline) -> None:
    with open_at(0) as stream:
        counted = csvfile.CountingStream(stream)
        for records in deadline.count(csvfile.read_rows(counted, format_), _WHERE):
            _check_unsplit(counted.position, records, limit)


def _read_from(part: PartStart, format_: FileFormat, open_at: OpenAt, limit: int, deadline: Deadline) -> int:
    """Have the csv module read on from the part that the splitter did not understand; returns how many records follow.

    Raises UnreadableFile where the csv module finds the error.
    """
    records = 0
    with open_at(part.byte) as stream:
        counted = csvfile.CountingStream(stream)
        found = csvfile.read_records(counted, format_, first_line=part.line)
        for records in deadline.count(found, _WHERE):
            if counted.position > RECHECK_WINDOW:
                _check_unsplit(part.byte + counted.position, records, limit)
    return records


def _check_unsplit(size: int, records: int, limit: int) -> None:
    max_size, max_records = limit // UNSPLIT_SHARE, limit // UNSPLIT_SHARE // UNSPLIT_RECORD
    if size > max_size or records > max_records:
        raise UnreadableFile(
            f"the file cannot be split into parts, and has more than the {max_size:,} bytes, uncompressed, or "
            f"{max_records:,} records that max_file_mb allows then: upload it uncompressed and in UTF-8, or {_REMEDY}"
        )


def _check_size_of_plan(columns: list[str], parts: list[PartStart], tuning: Tuning) -> None:
    names = len(json.dumps(columns))
    if len(parts) > tuning.max_parts or names > MAX_COLUMN_CHARACTERS:
        raise UnreadableFile(
            f"the file needs {len(parts):,} parts, of {tuning.max_parts:,} possible, "
            f"and {names:,} characters for its columns' names, of {MAX_COLUMN_CHARACTERS:,}: divide it"
        )
