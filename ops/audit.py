"""Is everything there? The objects in the bucket, read again, against the destination and the ledger."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from itertools import chain
from operator import add

from csv_ingest.model import ForeignItem, ObjectVersion, StoredRow

from . import audit_files, audit_marks, expectations, wording
from .findings import Audited, Discrepancy, RestoreRow
from .pipeline import DeployedFeed, NoFeed, Pipeline


def audit(
    pipeline: Pipeline,
    *,
    prefix: str = "",
    feed: DeployedFeed | None = None,
    progress: wording.Progress = wording.silent,
) -> Audited:
    """Compare every upload below a prefix, of one feed or of all, with its destination and the ledger, row by row.

    Memory does not grow with the files: what is expected goes to temporary databases on disk. The destination of each
    feed is scanned once, because that is what finds rows that should not be there. Where rows are superseded, every
    upload of the feed is read, whatever the prefix is.
    """
    with ExitStack() as databases:
        runs = {}
        for each in [feed] if feed else pipeline.feeds:
            made = expectations.Expectations.on_disk(each.mode, rows_expire=each.settings.rows_expire)
            expected = databases.enter_context(made)
            runs[each.name] = audit_files.FilesAudit(pipeline, each, expected)
        found = [each for each in _read(pipeline, runs, prefix, progress) if each.key.startswith(prefix)]
        result = Audited(0, 0, 0, found)
        for run in runs.values():
            result = Audited(*map(add, result, _compare(run, prefix, progress)))
    return result


def _read(
    pipeline: Pipeline, runs: Mapping[str, audit_files.FilesAudit], prefix: str, progress: wording.Progress
) -> Iterator[Discrepancy]:
    """Read the uploads, each in the run of the feed that has its rows; finds those whose rows are in no table."""
    # Where rows are superseded, any upload can have the newest row of an id.
    scopes = {
        run.feed: "" if run.feed.mode.supersedes else prefix for run in runs.values() if run.feed.concerns(prefix)
    }
    # The list of the bucket is short beside what is read: a thousand files per request.
    total = sum(1 for feed, scope in scopes.items() for _ in feed.uploads(scope))
    to_be_read = chain.from_iterable(pipeline.records(scope, feed) for feed, scope in scopes.items())
    for number, (upload, record) in enumerate(to_be_read, 1):
        version = upload.version
        progress(f"reading {number:,} of {wording.counted(max(number, total), 'file')}: {version.key}")
        try:
            owner = pipeline.owner_of(version.key, record)
        except NoFeed:
            gone = f"the feed {record.owner.feed} ingested it, and is not deployed any more"
            yield _unaccounted(version, gone)
            continue
        before, today = record.owner.target, owner.owner.target
        if record.is_planned and not before.is_same(today) and not before.can_move_to(today):
            yield _unaccounted(version, before.moved(today))
        elif run := runs.get(owner.name):
            run.read_upload(upload, record)


def _unaccounted(version: ObjectVersion, why: str) -> Discrepancy:
    return Discrepancy("unaccounted", version.key, f"etag {version.etag}: {why}", version.etag, version=version)


def _compare(run: audit_files.FilesAudit, prefix: str, progress: wording.Progress) -> Audited:
    """Compare the destination of a feed with its files, which were read; with all that was found, below a prefix."""
    files = sum(key.startswith(prefix) for key, _ in run.seen)
    rows = not_compared = 0
    if files or not prefix:  # otherwise, without a scan of the whole table
        with closing(run.feed.destination) as destination:
            rows = _compare_stored(run, destination.scan(), prefix, progress)
            run.found += audit_marks.differences(run, destination, prefix)
        not_compared = _count_orphans(run)
        run.found += [_of_row(run, "missing", row) for row in run.expected.missing()]
    return Audited(files, rows, not_compared, [each for each in run.found if each.key.startswith(prefix)], run.earlier)


def _compare_stored(
    run: audit_files.FilesAudit, stored: Iterable[StoredRow | ForeignItem], prefix: str, progress: wording.Progress
) -> int:
    """Compare everything in the destination with what is expected; returns how many rows were expected."""
    rows = compared = 0
    total = run.expected.count()
    for scanned, found in enumerate(stored, 1):
        if expected := run.expected.meet(found):
            compared += 1
            rows += expected.object_key.startswith(prefix)
            if not expected.allows(found):
                run.found.append(_of_row(run, "different", expected))
        elif object_key := run.expected.object_key(found.key.upload):
            etag, pk = run.versions[object_key, found.key.upload].etag, run.feed.mode.row_key(found.key)
            run.found.append(Discrepancy("unexpected", object_key, pk, etag, pk))
        elif not prefix:
            run.expected.add_stray(found.key)
        if scanned % 1_000 == 1:
            progress(f"comparing {compared:,} of {wording.counted(total, 'row')}, {scanned:,} read in the table")
    return rows


def _count_orphans(run: audit_files.FilesAudit) -> int:
    """Find the rows of no upload; returns how many others there are of uploads that only the ledger knows."""
    if not any(run.expected.strays()):
        return 0  # without reading the ledger
    uploads = run.pipeline.files.known_uploads(run.feed.name)
    orphans = sum(map(run.expected.forget_strays, uploads))
    where = "" if len(run.pipeline.feeds) == 1 else f" in the table of the feed {run.feed.name}"
    run.found += [Discrepancy("unexpected", "", f"{pk}{where}", "", pk) for pk in run.expected.strays()]
    return orphans


def _of_row(run: audit_files.FilesAudit, kind: str, row: expectations.Expected) -> Discrepancy:
    version, pk = run.versions[row.object_key, row.key.upload], run.feed.mode.row_key(row.key)
    restore = RestoreRow(row.line, row.expires_at)
    return Discrepancy(kind, row.object_key, f"line {row.line:,}: {pk}", row.etag, pk, restore, version)
