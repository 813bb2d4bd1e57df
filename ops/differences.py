"""The differences between a row of the table and the row of its file.

The audit keeps digests of the rows of the files. So the files that have such rows are read once more, and these rows of
the table are fetched by their keys.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from itertools import islice, takewhile
from typing import Any

from csv_ingest.model import ROW_EXPIRES_AT, ForeignItem, ObjectVersion, Origin, Row, RowKey, StoredRow, Value

from . import findings, wording
from .pipeline import ObjectGone, Pipeline

MOST = 1_000
"""Rows of which it is said what differs: their values are kept in memory, and a row can have a megabyte of them."""


def explained(
    pipeline: Pipeline, found: Sequence[findings.Discrepancy], *, progress: wording.Progress = wording.silent
) -> list[findings.Discrepancy]:
    """The findings in their order, the first 1,000 of the rows that are `different` with their differences.

    A row has none if by now it is as in the file, or is deleted, or if the file is.
    """
    lines: dict[ObjectVersion, dict[int, datetime | None]] = {}
    for finding in islice(filter(_line, found), MOST):
        if finding.version and isinstance(finding.remedy, findings.RestoreRow):
            lines.setdefault(finding.version, {})[finding.remedy.line] = finding.remedy.expires_at
    known: dict[tuple[ObjectVersion, int] | None, list[findings.Difference]] = {}
    for number, version in enumerate(lines, 1):
        progress(f"looking what differs, {number:,} of {wording.counted(len(lines), 'file')}: {version.key}")
        for line, different in _of_lines(pipeline, version, lines[version]):
            known[version, line] = different
    return [finding._replace(differences=known.get(_line(finding), ())) for finding in found]


def _line(finding: findings.Discrepancy) -> tuple[ObjectVersion, int] | None:
    """The file and the line of a row that is different; None for another finding."""
    if finding.kind == "different" and finding.version and isinstance(finding.remedy, findings.RestoreRow):
        return finding.version, finding.remedy.line
    return None


def _of_lines(
    pipeline: Pipeline, version: ObjectVersion, lines: Mapping[int, datetime | None]
) -> Iterator[tuple[int, list[findings.Difference]]]:
    """The differences of some lines of a file, by when each expires; none of those that cannot be read any more."""
    record = pipeline.files.record(version)
    if record.erasing:  # since the audit
        return
    feed = pipeline.owner_of(version.key, record)
    origin, last = record.origin_of(version.etag), max(lines)
    rows_expire = feed.settings.rows_expire
    try:
        with closing(feed.destination) as destination, closing(pipeline.read_rows(version, record)) as rows:
            until_last = takewhile(lambda row: row.line <= last, rows)
            wanted = (row for row in until_last if isinstance(row, Row) and row.line in lines)
            while some := list(islice(wanted, destination.max_fetch)):
                keys = [RowKey(origin.upload, row.id) for row in some]
                stored = {each.key.id: each for each in destination.find(keys)}
                for row in some:
                    kept = origin._replace(expires_at=lines[row.line])
                    if row.id in stored:
                        yield row.line, differences(row, kept, stored[row.id], rows_expire=rows_expire)
    except ObjectGone:
        return


def differences(
    row: Row, origin: Origin, stored: StoredRow | ForeignItem, *, rows_expire: bool = False
) -> list[findings.Difference]:
    """The differences between a row of a file and its row in the table; none only if they are the same.

    As in an audit, 5.50 is 5.5, and columns that others have added beside the declared ones make no difference; nor
    does it that a row expires later.
    """
    if isinstance(stored, ForeignItem):
        return [findings.Difference("item", "no row", "a row")]
    pairs = [
        findings.Difference("line", Decimal(stored.line), Decimal(row.line)),
        findings.Difference("etag", stored.etag, origin.etag),
        findings.Difference("uploaded", stored.key.upload, origin.upload),
        *(findings.Difference(name, stored.values.get(name), value) for name, value in row.values.items()),
    ]
    found = [pair for pair in pairs if not _is_same(pair.table, pair.file)] + _in_data(stored.data, row.data)
    if rows_expire and stored.expires_at and stored.expires_before(origin.expires_at):
        wanted = origin.expires_at.isoformat() if origin.expires_at else None
        found.append(findings.Difference(ROW_EXPIRES_AT, stored.expires_at.isoformat(), wanted))
    return found


def _in_data(table: str, file: str) -> list[findings.Difference]:
    """The columns that differ in `data`; if there are none, and the texts differ, the texts."""
    if table == file:
        return []
    try:
        stored, wanted = _columns(table), _columns(file)
    except (TypeError, ValueError, RecursionError):  # no JSON object, or one that only others can have written
        return [findings.Difference("data", table, file)]
    pairs = [findings.Difference(f"data.{name}", stored.get(name), wanted.get(name)) for name in wanted | stored]
    return [pair for pair in pairs if not _is_same(pair.table, pair.file)] or [findings.Difference("data", table, file)]


def _columns(data: str) -> dict[str, Value | None]:
    parsed = json.loads(data)
    if not isinstance(parsed, dict):
        raise TypeError("no object")
    return {name: _value(value) for name, value in parsed.items()}


def _value(parsed: Any) -> Value | None:
    """A value of JSON: files have texts only, and somebody else can have written any."""
    if parsed is None or isinstance(parsed, str | bool):
        return parsed
    text = json.dumps(parsed, ensure_ascii=False)
    return Decimal(text) if isinstance(parsed, int | float) else text


def _is_same(one: Value | None, other: Value | None) -> bool:
    # In Python, the number 1 is True.
    return one == other and isinstance(one, Decimal) == isinstance(other, Decimal)
