"""The planning pass: reads a file before its first row is stored, finds where it can be split, or keeps its rows."""

import json
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import NamedTuple

from csv_ingest import csvfile, trial, unsplit
from csv_ingest.acceptance import MAX_NAMES, Acceptance
from csv_ingest.model import BEGINNING, Content, FileFormat, ObjectVersion, Plan, Tuning, UnreadableFile


class Planned(NamedTuple):
    """What the planning pass found."""

    plan: Plan
    content: Content
    rows: trial.Records | None = None
    """Every record below the header, if the file is so small that they were kept: it need not be read again."""


def plan_file(
    version: ObjectVersion, format_: FileFormat, open_at: csvfile.Open, *, acceptance: Acceptance | None, tuning: Tuning
) -> Planned:
    """Read a file to its end; return how it is ingested, and its content. An error at the end leaves nothing stored.

    Raises UnreadableFile if the file cannot be read to its end, or is not to be accepted. Without `acceptance`, a file
    is accepted that was accepted before, whatever the settings are.
    """
    limit = acceptance.max_bytes if acceptance else sys.maxsize
    if version.size > limit:
        raise UnreadableFile(f"the file has {version.size:,} bytes, and max_file_mb allows {limit:,}: {unsplit.REMEDY}")
    seen = _Seen()

    @contextmanager
    def open_seen(start: int) -> Iterator[csvfile.CountingStream]:
        with open_at(start) as stream:
            yield csvfile.CountingStream(stream, start=start, on_read=seen.add, is_packed=stream.is_packed)

    plan, rows = _read(version, format_, open_seen, acceptance, tuning)
    if len(plan.parts) <= tuning.whole_parts:
        plan = Plan(format_, plan.header, [])
    elif format_.rules > 1 and (format_.footer_records or seen.has_ctrl_z):
        plan = plan._replace(end_line=_end_line(plan, open_seen))
    names = len(json.dumps(plan.header))
    if plan.parts and (len(plan.parts) > tuning.max_parts or names > MAX_NAMES):
        raise UnreadableFile(
            f"the file needs {len(plan.parts):,} parts, of {tuning.max_parts:,} possible, "
            f"and {names:,} characters for its columns' names, of {MAX_NAMES:,}: divide it"
        )
    return Planned(plan, Content(seen.content.hexdigest(), format_, columns=plan.header), rows)


class _Seen:
    """What the bytes of a file say while they pass."""

    def __init__(self) -> None:
        self.content = csvfile.ContentHash()
        self.has_ctrl_z = False
        """Whether its last line can be Ctrl-Z, which is no row."""

    def add(self, position: int, piece: bytes) -> None:
        self.content.add(position, piece)
        self.has_ctrl_z = self.has_ctrl_z or b"\x1a" in piece


def _read(
    version: ObjectVersion, format_: FileFormat, open_at: csvfile.Open, acceptance: Acceptance | None, tuning: Tuning
) -> tuple[Plan, trial.Records | None]:
    """Read the file to its end, and find where its parts begin, or its rows. Without any part, it is ingested whole."""
    unsplit_limit = (acceptance.max_bytes if acceptance else sys.maxsize) // unsplit.SHARE
    start = BEGINNING
    with open_at(0) as stream:
        if stream.is_packed or not csvfile.is_splittable(format_.encoding):
            header, rows = unsplit.read(stream, format_, unsplit_limit, trial.Trial(acceptance, tuning))
            return Plan(format_, header, []), rows
        is_small = version.size <= tuning.whole_bytes
        try:
            return _find_parts(format_, stream, trial.Trial(acceptance, tuning, of_beginning=not is_small), tuning)
        except csvfile.AmbiguousCsv as ambiguous:
            # The csv module decides. If it can read the file, the file is of a kind that is not split: its lines may
            # end like those of old Macs. A file that is too large for that is only looked at where it is ambiguous.
            if version.size > unsplit_limit:
                start = ambiguous.part
    if start.byte:
        unsplit.find_error(start, format_, open_at, unsplit_limit)
    with open_at(0) as stream:
        header, rows = unsplit.read(stream, format_, unsplit_limit, trial.Trial(acceptance, tuning))
        return Plan(format_, header, []), rows


def _find_parts(
    format_: FileFormat, stream: csvfile.ByteStream, attempt: trial.Trial, tuning: Tuning
) -> tuple[Plan, trial.Records | None]:
    """Read the rows of a small file, or those at the beginning of another one, and find where the parts begin.

    Raises AmbiguousCsv.
    """
    twice = csvfile.ReplayStream(stream)
    table, rows = attempt.run(twice, format_)
    if rows is not None:
        return Plan(format_, list(table.header), []), rows
    if not table.header:  # and no record: the file was read to its end
        return Plan(format_, [], []), []
    twice.replay()
    parts = list(csvfile.split_points(twice, table.format, tuning))
    # What is before the header is no part of its own: only the first part is read with its header.
    parts = parts[:1] + [part for part in parts[1:] if part.line > table.line]
    delimiter = table.format.delimiter if table.format != format_ else ""
    return Plan(format_, list(table.header), parts, delimiter=delimiter), None


def _end_line(plan: Plan, open_at: csvfile.Open) -> int:
    """The line from which on no record of a file in parts is a row; 0 if each is.

    Reads the last part, and those before it only if all of its records may be the end.
    """
    ending = csvfile.Ending(plan.format.footer_records)
    for number in reversed(range(len(plan.parts))):
        later, ending = ending.held, csvfile.Ending(plan.format.footer_records, max_held=csvfile.MAX_HELD)
        start = plan.parts[number]
        end = plan.parts[number + 1].byte if number + 1 < len(plan.parts) else sys.maxsize
        with open_at(start.byte) as stream:
            part = csvfile.ByteRange(stream, 0, end - start.byte)
            records = csvfile.read_part_records(part, plan.format_of_parts, start=start)
            deque(ending.rows(chain(records, later)), maxlen=0)
        if ending.has_rows:
            break
    return ending.line
