"""`audit`."""

import sys
from collections.abc import Collection, Sequence
from typing import Any

import click

from ops import display, failures, waiting
from ops.audit import Audited, audit
from ops.brake import paused
from ops.commands import differences, options
from ops.commands.ignored import say_what_is_ignored
from ops.differences import MOST, explained
from ops.feed import Feed
from ops.findings import Discrepancy, Redeliver, Restart, RestoreRow
from ops.pipeline import Pipeline
from ops.repair import Repaired, can_be_mended, repair
from ops.wording import counted


@click.command(
    name="audit", epilog="Example: python -m ops audit --feed orders && echo the table is what the files say"
)
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
    """
    if repair_ and json_ and not yes:
        raise click.UsageError("--repair asks before it writes: with --json, it needs --yes")
    pipeline = find()
    only = options.feed_named(pipeline, feed)
    result = _audit("audit", pipeline, prefix, only)
    repaired = None
    if repair_ and result.findings:
        if not json_:
            _print(result, values=values)
        repaired = _repair(pipeline, result.findings, timeout, yes=yes)
        if not json_:
            _print_repair(repaired)
        result = _audit("audit once more", pipeline, prefix, only)
    if json_:
        display.print_json(_as_json(result, repaired, values=values))
    else:
        _print(result, values=values)
    if not result.files:
        display.say(f"There is no upload whose key begins with '{prefix}': nothing was compared.", err=True)
        say_what_is_ignored(pipeline, prefix)
    sys.exit(1 if result.findings or not result.files else 0)


def _audit(what: str, pipeline: Pipeline, prefix: str, feed: Feed | None) -> Audited:
    """Audit, and look what differs in the rows that are found different."""
    with display.working(what) as progress:
        result = audit(pipeline, prefix=prefix, feed=feed, progress=progress)
        return result._replace(findings=explained(pipeline, result.findings, progress=progress))


def _say_what_is_repaired(pipeline: Pipeline, found: Sequence[Discrepancy]) -> bool:
    """Say what a repair will do; returns whether it will do anything."""
    stopped = paused(_to_deliver(pipeline, found))
    mended = [each for each in found if can_be_mended(pipeline, each, stopped)]
    rows = sum(isinstance(each.remedy, RestoreRow) for each in mended)
    files = sum(isinstance(each.remedy, Redeliver | Restart) for each in mended)
    done = [
        f"{counted(rows, 'row')} written",
        f"{counted(len(mended) - rows - files, 'record')} corrected",
        f"{counted(files, 'file')} delivered again",
    ]
    left = len(found) - len(mended)
    findings = f"{counted(left, 'finding')} {'is' if left == 1 else 'are'} left for a person"
    display.say(f"to be done: {', '.join(done)}; {findings}", err=True)
    return bool(mended)


def _repair(pipeline: Pipeline, found: Sequence[Discrepancy], timeout: int, *, yes: bool) -> Repaired:
    """Ask, repair, and wait until the deliveries ended. Nothing is delivered to a paused feed."""
    is_something_done = _say_what_is_repaired(pipeline, found)
    options.ask(yes=yes or not is_something_done)
    begun = failures.clock(pipeline)
    stopped = paused(_to_deliver(pipeline, found))
    with display.working("repairing") as show:
        repaired = repair(pipeline, found, paused=stopped)
        waiting.wait(pipeline, repaired.delivered, begun=begun, seconds=timeout, progress=show)
    options.say_if_paused(pipeline, stopped, ": nothing was delivered to it")
    if failures.count(pipeline).visible:
        redrive = display.command("redrive", "--wait")
        display.say(f"Messages stay in the failure queue, also those of what is repaired: {redrive}", err=True)
    return repaired


def _to_deliver(pipeline: Pipeline, found: Sequence[Discrepancy]) -> Collection[Feed]:
    """The feeds that have a file to be delivered again."""
    return dict.fromkeys(pipeline.feed_of(each.key) for each in found if isinstance(each.remedy, Redeliver | Restart))


def _as_json(result: Audited, repaired: Repaired | None, *, values: bool) -> dict[str, object]:
    counts = {"files": result.files, "rows": result.rows, "gone": result.not_compared}
    done = {} if repaired is None else {"repaired": _repaired_as_json(repaired, values=values)}
    return {**counts, "findings": [_finding_as_json(each, values=values) for each in result.findings], **done}


def _repaired_as_json(repaired: Repaired, *, values: bool) -> dict[str, object]:
    delivered = [{"key": version.key, "etag": version.etag} for version in repaired.delivered]
    left = [_finding_as_json(each, values=values) for each in repaired.left]
    return {"rows": repaired.rows, "records": repaired.records, "delivered": delivered, "left": left}


def _finding_as_json(finding: Discrepancy, *, values: bool) -> dict[str, Any]:
    found = {
        "kind": finding.kind,
        "key": finding.key,
        "detail": finding.detail,
        "etag": finding.etag,
        "pk": finding.pk,
    }
    if finding.kind != "different":
        return found
    return {**found, "differences": [differences.as_json(each, values=values) for each in finding.differences]}


def _print(result: Audited, *, values: bool) -> None:
    for finding in result.findings:
        display.say(f"{finding.kind}: {finding.key or '(no file)'}: {finding.detail}")
        for each in finding.differences:
            display.say(f"  {differences.as_text(each, values=values)}")
    if more := sum(finding.kind == "different" and not finding.differences for finding in result.findings):
        why = f"they are not among the first {MOST:,}, or not different any more"
        display.say(f"Of {counted(more, 'row')}, it is not said what differs: {why}.", err=True)
    if result.not_compared:
        rows = counted(result.not_compared, "row")
        display.say(f"not compared: {rows} of uploads that are not, or not yet, in the bucket")
    files, rows, findings = counted(result.files, "file"), counted(result.rows, "row"), len(result.findings)
    display.say(f"{files}, {rows}, {counted(findings, 'finding')}")


def _print_repair(repaired: Repaired) -> None:
    rows, records = counted(repaired.rows, "row"), counted(repaired.records, "record")
    display.say(f"repaired: {rows} written, {records} of the ledger corrected")
    for version in repaired.delivered:
        display.say(f"delivered again: {version.key} (etag {version.etag})")
    for finding in repaired.left:
        display.say(f"left as it is, for a person to look at: {finding.kind}: {finding.key or '(no file)'}")
    display.say("after the repair:")
