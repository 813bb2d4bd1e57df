"""Is everything there? The objects in the bucket, read again, against the destination and the ledger."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain

from csv_ingest.model import ObjectVersion
from ops import audit_files, audit_rows, expectations, findings, wording
from ops.pipeline import DeployedFeed, NoFeed, Pipeline


def audit(
    pipeline: Pipeline,
    *,
    prefix: str = "",
    feed: DeployedFeed | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> findings.Audited:
    """Compare every upload below a prefix, of one feed or of all, with its destination and the ledger, row by row.

    Memory does not grow with the files: what is expected goes to temporary databases on disk. The destination of each
    feed is scanned once, because that is what finds rows that should not be there. Where rows are superseded, every
    upload of the feed is read, whatever the prefix is.
    """
    with ExitStack() as databases:
        runs = {}
        for each in [feed] if feed else pipeline.feeds:
            expected = databases.enter_context(expectations.Expectations.on_disk(each.mode))
            runs[each.name] = audit_files.FilesAudit(pipeline, each, expected)
        found = [each for each in _read(pipeline, runs, prefix, progress) if each.key.startswith(prefix)]
        result = findings.Audited(0, 0, 0, found)
        for run in runs.values():
            result = result.plus(audit_rows.compare(run, prefix, progress))
    return result


def _read(
    pipeline: Pipeline, runs: Mapping[str, audit_files.FilesAudit], prefix: str, progress: Callable[[str], None]
) -> Iterator[findings.Discrepancy]:
    """Read the uploads, each in the run of the feed that has its rows; finds those whose rows are in no table."""
    feeds = [run.feed for run in runs.values() if run.feed.concerns(prefix)]
    # The list of the bucket is short beside what is read: a thousand files per request.
    total = sum(1 for feed in feeds for _ in feed.uploads(_scope(feed, prefix)))
    to_be_read = chain.from_iterable(pipeline.records(_scope(feed, prefix), feed) for feed in feeds)
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


def _scope(feed: DeployedFeed, prefix: str) -> str:
    """Below which prefix uploads are read: where rows are superseded, any upload can have the newest row of an id."""
    return "" if feed.mode.supersedes else prefix


def _unaccounted(version: ObjectVersion, why: str) -> findings.Discrepancy:
    return findings.Discrepancy(
        "unaccounted", version.key, f"etag {version.etag}: {why}", version.etag, version=version
    )
