"""The first look at a file, before any row of it is stored: whether it can be ingested, and in how many deliveries."""

from collections import deque
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

MAX_COLUMNS = 100_000
"""Characters. The header of a file that is delivered in parts is kept with the plan."""

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
    if not can_be_cut(version.key, format_.encoding):
        with opened(version, s3) as source:
            counted = Counted(source)
            for _ in _in_steps(read_rows(counted, format_), time_left):
                _check_uncut(counted.position, limit)
        return whole
    parts: list[Part] = []
    try:
        with opened(version, s3) as source:
            twice = Rewindable(source)
            columns = read_header(twice, format_)
            twice.rewind()
            for part in cut(twice, format_):
                _check_time(time_left)
                parts.append(part)
    except Doubt as doubt:
        with opened(version, s3, start=doubt.part.start) as source:
            for _ in _in_steps(read_records(source, format_, first_line=doubt.part.line), time_left):
                pass
        # So it is CSV, but of a kind that is not cut: its lines may end like those of old Macs.
        _check_uncut(version.size, limit)
        return whole
    plan = Plan(format_, columns, parts)
    if not plan.is_whole and sum(map(len, columns)) > MAX_COLUMNS:
        raise UnreadableFile(f"header: more than {MAX_COLUMNS:,} characters, in a file that is ingested in parts")
    return plan


def _in_steps(records: Iterator[object], time_left: Callable[[], float]) -> Iterator[None]:
    """Read to the end, for the errors on the way; yield now and then, and at the end."""
    more = True
    while more:
        more = bool(deque(islice(records, 1_000), maxlen=1))
        _check_time(time_left)
        yield


def _check_uncut(size: int, limit: int) -> None:
    if size > limit // UNCUT_SHARE:
        raise UnreadableFile(
            f"the file cannot be cut into parts, and has more than the {limit // UNCUT_SHARE:,} bytes, unpacked, "
            f"that max_file_mb allows then: upload it unpacked and in UTF-8, or {_REMEDY}"
        )


def _check_time(time_left: Callable[[], float]) -> None:
    if time_left() <= 0:
        raise OutOfTime("while the file was checked, before its first row")
