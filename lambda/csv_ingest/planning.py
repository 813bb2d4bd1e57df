"""The first look at a file, before any row of it is stored: whether it can be ingested, and in how many deliveries."""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from csv_ingest.errors import OutOfTime, UnreadableFile
from csv_ingest.events import ObjectVersion
from csv_ingest.objects import Counted, Rewindable, opened
from csv_ingest.parts import Doubt, Part, can_be_cut, cut
from csv_ingest.rows import Format, read_header, read_records, read_rows

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WHOLE_PARTS = 4
"""A file that has at most so many parts is ingested by one delivery: some 20,000 rows, or 4 MB."""

UNCUT_SHARE = 10
"""A file that cannot be cut may have this fraction, unpacked, of the bytes of one that can."""

UNCUT_RECORD = 100
"""Bytes a record, on average, below which it is the number of records that limits such a file."""

MAX_PARTS, MAX_COLUMNS = 10_000, 100_000
"""Parts, and characters of column names, that fit together into the 400 KB of the plan's item. That is 10 GB."""

NEAR = 4 << 20
"""Bytes after a doubt within which an error shows: a part, and the longest record."""

_REMEDY = "divide it, or raise max_file_mb, and timeout_seconds with it"


class Plan(NamedTuple):
    """How a file is to be read, and where its parts begin."""

    format: Format
    columns: list[str]
    parts: list[Part]

    @property
    def is_whole(self) -> bool:
        """Whether one delivery is enough for the file."""
        return len(self.parts) <= WHOLE_PARTS


def make_plan(
    version: ObjectVersion, format_: Format, *, s3: "S3Client", limit: int, time_left: Callable[[], float]
) -> Plan:
    """Read a file to its end. What is wrong there must not leave its beginning in the table.

    Raises UnreadableFile if it cannot be read to the end, or is larger than `limit` (bytes) allows; OutOfTime if that
    takes longer than `time_left()` (seconds).
    """
    if version.size > limit:
        raise UnreadableFile(f"the file has {version.size:,} bytes, and max_file_mb allows {limit:,}: {_REMEDY}")
    whole = Plan(format_, [], [Part(0, 1)])
    where = "while the file was checked, before its first row"
    if not can_be_cut(version.key, format_.encoding):
        with opened(version, s3) as source:
            counted = Counted(source)
            for count in in_steps(read_rows(counted, format_), time_left, where):
                _check_uncut(counted.position, count, limit)
        return whole
    try:
        with opened(version, s3) as source:
            twice = Rewindable(source)
            header, columns = read_header(twice, format_)
            twice.rewind()
            parts = list(_in_time(cut(twice, format_), time_left, where))
    except Doubt as doubt:
        with opened(version, s3, start=doubt.part.start) as source:
            counted = Counted(source)
            records = read_records(counted, format_, first_line=doubt.part.line)
            for count in in_steps(records, time_left, where):
                if counted.position > NEAR:
                    _check_uncut(doubt.part.start + counted.position, count, limit)
        # So it is CSV, but of a kind that is not cut: its lines may end like those of old Macs.
        _check_uncut(version.size, count, limit)
        return whole
    plan = Plan(format_, columns, parts[:1] + [part for part in parts[1:] if part.line > header])
    names = len(json.dumps(columns))
    if not plan.is_whole and (len(plan.parts) > MAX_PARTS or names > MAX_COLUMNS):
        raise UnreadableFile(
            f"the file needs {len(plan.parts):,} parts, of {MAX_PARTS:,} possible, "
            f"and {names:,} characters for its columns' names, of {MAX_COLUMNS:,}: divide it"
        )
    return plan


def in_steps(records: Iterator[object], time_left: Callable[[], float], where: str) -> Iterator[int]:
    """Read to the end, and yield now and then, and at the end, how many there were so far.

    Raises OutOfTime, saying where, when `time_left()` (seconds) is used up.
    """
    count, more = 0, True
    while more:
        step = sum(1 for _ in islice(records, 1_000))
        count, more = count + step, step > 0
        if time_left() <= 0:
            raise OutOfTime(where)
        yield count


def _in_time(parts: Iterator[Part], time_left: Callable[[], float], where: str) -> Iterator[Part]:
    for part in parts:
        if time_left() <= 0:
            raise OutOfTime(where)
        yield part


def _check_uncut(size: int, records: int, limit: int) -> None:
    size_limit, record_limit = limit // UNCUT_SHARE, limit // UNCUT_SHARE // UNCUT_RECORD
    if size > size_limit or records > record_limit:
        raise UnreadableFile(
            f"the file cannot be cut into parts, and has more than the {size_limit:,} bytes, unpacked, or "
            f"{record_limit:,} records that max_file_mb allows then: upload it unpacked and in UTF-8, or {_REMEDY}"
        )
