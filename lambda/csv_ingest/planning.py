"""The planning pass: reads a file before its first row is stored, finds where it can be split, or keeps its rows."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    content = csvfile.ContentHash()

    @contextmanager
    def open_hashed(start: int) -> Iterator[csvfile.ByteStream]:
        with open_at(start) as stream:
            yield csvfile.CountingStream(stream, start=start, on_read=content.add)

    plan, rows = _read(version, format_, open_hashed, acceptance, tuning)
    if len(plan.parts) <= tuning.whole_parts:
        plan = Plan(format_, [], [])
    names = len(json.dumps(plan.header))
    if len(plan.parts) > tuning.max_parts or names > MAX_NAMES:
        raise UnreadableFile(
            f"the file needs {len(plan.parts):,} parts, of {tuning.max_parts:,} possible, "
            f"and {names:,} characters for its columns' names, of {MAX_NAMES:,}: divide it"
        )
    return Planned(plan, Content(content.hexdigest(), format_), rows)


def _read(
    version: ObjectVersion, format_: FileFormat, open_at: csvfile.Open, acceptance: Acceptance | None, tuning: Tuning
) -> tuple[Plan, trial.Records | None]:
    """Read the file to its end, and find where its parts begin, or its rows. Without any part, it is ingested whole."""
    unsplit_limit = (acceptance.max_bytes if acceptance else sys.maxsize) // unsplit.SHARE
    start = BEGINNING
    if csvfile.is_splittable(version.key, format_.encoding):
        is_small = version.size <= tuning.whole_bytes
        try:
            return _find_parts(format_, open_at, trial.Trial(acceptance, tuning, of_beginning=not is_small), tuning)
        except csvfile.AmbiguousCsv as ambiguous:
            # The csv module decides. If it can read the file, the file is of a kind that is not split: its lines may
            # end like those of old Macs. A file that is too large for that is only looked at where it is ambiguous.
            if version.size > unsplit_limit:
                start = ambiguous.part
    if start.byte:
        unsplit.find_error(start, format_, open_at, unsplit_limit)
    return Plan(format_, [], []), unsplit.read(format_, open_at, unsplit_limit, trial.Trial(acceptance, tuning))


def _find_parts(
    format_: FileFormat, open_at: csvfile.Open, attempt: trial.Trial, tuning: Tuning
) -> tuple[Plan, trial.Records | None]:
    """Read the rows of a small file, or those at the beginning of another one, and find where the parts begin.

    Raises AmbiguousCsv.
    """
    with open_at(0) as stream:
        twice = csvfile.ReplayStream(stream)
        rows = attempt.run(twice, format_)
        if rows is not None:
            return Plan(format_, [], []), rows
        twice.replay()
        parts = list(csvfile.split_points(twice, format_, tuning))
    # Blank lines before the header are no part of their own: only the first part is read with its header.
    return Plan(format_, attempt.header, parts[:1] + [part for part in parts[1:] if part.line > attempt.line]), None
