"""`audit`."""

import sys
from collections.abc import Collection, Sequence

import click

from .. import audit, brake, differences, display, failures, findings, repair, waiting, wording
from ..pipeline import DeployedFeed, Pipeline
from . import audited, guards, options, uploads


@click.command(name="audit", epilog="Example: csv-ingest audit --feed orders && echo the table is what the files say")
@options.prefix
@options.feed
@click.option("--repair", "repair_", is_flag=True, help="Write what the files have, and audit once more.")
@options.yes
@click.option("--values/--no-values", default=True, help="Show the values that differ; not in logs that are shared.")
@options.timeout
@options.as_json
@click.pass_obj
def audit_command(
    find: options.Find,
    *,
    prefix: str,
    feed: str | None,
    repair_: bool,
    yes: bool,
    values: bool,
    timeout: int,
    json_: bool,
) -> None:
    """Compare the files with the tables, row by row.

    With --repair, rows and records are written as the files have them, and unsettled files are delivered again; before
    that, the command says how many, and asks. Exit code 1 if there is a finding, or no upload to compare. Rejected
    files and rows are no findings: `status` lists them. Rows of no file at all are looked for only without --prefix.
    In a feed that merges, every file is read, whatever --prefix is.
    """
    if repair_ and json_ and not yes:
        raise click.UsageError("--repair asks before it writes: with --json, it needs --yes")
    pipeline = find()
    only = options.feed_named(pipeline, feed)
    result = _audit("audit", pipeline, prefix, only)
    repaired = None
    if repair_ and result.findings:
        if not json_:
            audited.print_audited(result, pipeline, values=values)
        repaired = _repair(pipeline, result.findings, timeout, yes=yes)
        if not json_:
            audited.print_repaired(repaired)
        result = _audit("audit once more", pipeline, prefix, only)
    if json_:
        display.print_json(audited.as_json(result, repaired, values=values))
    else:
        audited.print_audited(result, pipeline, values=values)
    if not result.files:
        display.say(f"There is no upload whose key begins with '{prefix}': nothing was compared.", err=True)
        uploads.say_what_is_ignored(pipeline, prefix)
    sys.exit(1 if result.findings or not result.files else 0)


def _audit(what: str, pipeline: Pipeline, prefix: str, feed: DeployedFeed | None) -> findings.Audited:
    """Audit, and look what differs in the rows that are found different."""
    with display.working(what) as progress:
        result = audit.audit(pipeline, prefix=prefix, feed=feed, progress=progress)
        return result._replace(findings=differences.explained(pipeline, result.findings, progress=progress))


def _say_what_is_repaired(pipeline: Pipeline, found: Sequence[findings.Discrepancy]) -> bool:
    """Say what a repair will do; returns whether it will do anything."""
    stopped = brake.paused(_to_deliver(pipeline, found))
    mended = [each for each in found if repair.can_be_mended(pipeline, each, stopped)]
    rows = sum(isinstance(each.remedy, findings.RestoreRow) for each in mended)
    files = sum(isinstance(each.remedy, findings.Redeliver | findings.Restart) for each in mended)
    marks = sum(isinstance(each.remedy, findings.Mark | findings.Unmark) for each in mended)
    left, records = len(found) - len(mended), wording.counted(len(mended) - rows - files - marks, "record")
    done = (
        f"{wording.counted(rows, 'row')} written, {records} corrected, {wording.counted(files, 'file')} delivered again"
        f"{audited.marks(marks)}"
    )
    rest = f"{wording.counted(left, 'finding')} {'is' if left == 1 else 'are'} left for a person"
    display.say(f"to be done: {done}; {rest}", err=True)
    return bool(mended)


def _repair(pipeline: Pipeline, found: Sequence[findings.Discrepancy], timeout: int, *, yes: bool) -> repair.Repaired:
    """Ask, repair, and wait until the deliveries ended. Nothing is delivered to a paused feed."""
    is_something_done = _say_what_is_repaired(pipeline, found)
    options.ask(yes=yes or not is_something_done)
    begun = failures.clock(pipeline)
    stopped = brake.paused(_to_deliver(pipeline, found))
    with display.working("repairing") as show:
        repaired = repair.repair(pipeline, found, paused=stopped)
        waiting.wait(pipeline, repaired.delivered, begun=begun, seconds=timeout, progress=show)
    guards.say_if_paused(pipeline, stopped, ": nothing was delivered to it")
    if failures.count(pipeline).visible:
        redrive = display.command("redrive", "--wait")
        display.say(f"Messages stay in the failure queue, also those of what is repaired: {redrive}", err=True)
    return repaired


def _to_deliver(pipeline: Pipeline, found: Sequence[findings.Discrepancy]) -> Collection[DeployedFeed]:
    """The feeds that have a file to be delivered again."""
    return dict.fromkeys(
        pipeline.feed_of(each.key) for each in found if isinstance(each.remedy, findings.Redeliver | findings.Restart)
    )
