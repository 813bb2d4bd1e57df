"""The rows of a destination, compared with the rows of its files."""

from collections.abc import Callable, Iterable
from contextlib import closing

from csv_ingest.model import ForeignItem, StoredRow
from ops import audit_files, expectations, findings, wording


def compare(run: audit_files.FilesAudit, prefix: str, progress: Callable[[str], None]) -> findings.Audited:
    """Compare the destination of a feed with its files, which were read; with all that was found, below a prefix."""
    files = sum(key.startswith(prefix) for key, _ in run.seen)
    rows = not_compared = 0
    if files or not prefix:  # otherwise, without a scan of the whole table
        with closing(run.feed.destination) as destination:
            rows = _compare_stored(run, destination.scan(), prefix, progress)
        not_compared = _count_orphans(run)
        run.found += [_of_row(run, "missing", row) for row in run.expected.missing()]
    found = [finding for finding in run.found if finding.key.startswith(prefix)]
    return findings.Audited(files, rows, not_compared, found)


def _compare_stored(
    run: audit_files.FilesAudit, stored: Iterable[StoredRow | ForeignItem], prefix: str, progress: Callable[[str], None]
) -> int:
    """Compare everything in the destination with what is expected; returns how many rows were expected."""
    rows = compared = 0
    total = run.expected.count()
    for scanned, found in enumerate(stored, 1):
        if expected := run.expected.meet(found):
            compared += 1
            rows += expected.object_key.startswith(prefix)
            if not expected.is_stored_as(found) and not expected.may_yet_replace(found):
                run.found.append(_of_row(run, "different", expected))
        elif object_key := run.expected.object_key(found.key.upload):
            etag, pk = run.versions[object_key, found.key.upload].etag, run.feed.mode.row_key(found.key)
            run.found.append(findings.Discrepancy("unexpected", object_key, pk, etag, pk))
        elif not prefix:
            run.expected.add_stray(found.key)
        if scanned % 1_000 == 1:
            progress(f"comparing {compared:,} of {wording.counted(total, 'row')}, {scanned:,} read in the table")
    return rows


def _count_orphans(run: audit_files.FilesAudit) -> int:
    """Find the rows of no upload; returns how many others there are of uploads that only the ledger knows."""
    if not run.expected.has_strays():
        return 0
    uploads = run.pipeline.files.uploads(run.feed.name)
    orphans = sum(run.expected.forget_strays(record.origin.upload) for record in uploads)
    where = "" if len(run.pipeline.feeds) == 1 else f" in the table of the feed {run.feed.name}"
    run.found += [findings.Discrepancy("unexpected", "", f"{pk}{where}", "", pk) for pk in run.expected.strays()]
    return orphans


def _of_row(run: audit_files.FilesAudit, kind: str, row: expectations.Expected) -> findings.Discrepancy:
    version, pk = run.versions[row.object_key, row.key.upload], run.feed.mode.row_key(row.key)
    detail, remedy = f"line {row.line:,}: {pk}", findings.RestoreRow(row.line)
    return findings.Discrepancy(kind, row.object_key, detail, row.etag, pk, remedy, version)
