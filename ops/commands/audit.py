"""`audit`."""

import sys
from collections.abc import Mapping, Sequence

import click

from ops import display, failures, waiting
from ops.audit import Audited, audit
from ops.brake import paused
from ops.commands import options
from ops.findings import Discrepancy, Redeliver
from ops.pipeline import Pipeline
from ops.repair import Repaired, repair
from ops.wording import counted


@click.command(
    name="audit", epilog="Example: python -m ops audit --feed orders && echo the table is what the files say"
)
@options.prefix
@options.feed
@click.option("--repair", "repair_", is_flag=True, help="Write what the files have, and audit once more.")
@options.timeout
@options.as_json
@click.pass_obj
def audit_command(
    find: options.Find, *, prefix: str, feed: str | None, repair_: bool, timeout: int, json_: bool
) -> None:
    """Compare the files with the tables, row by row.

    With --repair, rows and records are written as the files have them, and unsettled files are delivered again. Exit
    code 1 if there is a finding, or no upload to compare. Rejected files and rows are no findings: `status` lists them.
    Rows of no file at all are looked for only without --prefix.
    """
    pipeline = find()
    only = options.feed_named(pipeline, feed)
    with display.working("audit") as progress:
        result = audit(pipeline, prefix=prefix, feed=only, progress=progress)
    repaired = None
    if repair_ and result.findings:
        found = result.findings
        if not json_:
            _print_findings(found)
        repaired = _repair(pipeline, found, timeout)
        if not json_:
            _print_repair(repaired)
        if failures.count(pipeline).visible:
            redrive = display.command("redrive", "--wait")
            display.say(f"Messages stay in the failure queue, also those of what is repaired: {redrive}", err=True)
        with display.working("audit once more") as progress:
            result = audit(pipeline, prefix=prefix, feed=only, progress=progress)
    if json_:
        display.print_json(_as_json(result) | ({} if repaired is None else {"repaired": _repaired_as_json(repaired)}))
    else:
        _print(result)
    if not result.files:
        display.say(f"There is no upload whose key begins with '{prefix}': nothing was compared.", err=True)
    sys.exit(1 if result.findings or not result.files else 0)


def _repair(pipeline: Pipeline, found: Sequence[Discrepancy], timeout: int) -> Repaired:
    """Repair, and wait until the deliveries ended. Nothing is delivered to a paused feed."""
    begun = failures.clock(pipeline)
    concerned = dict.fromkeys(pipeline.feed_of(each.key) for each in found if isinstance(each.remedy, Redeliver))
    stopped = paused(concerned)
    with display.working("repairing") as show:
        repaired = repair(pipeline, found, paused=stopped)
        waiting.wait(pipeline, repaired.delivered, begun=begun, seconds=timeout, progress=show)
    options.say_if_paused(pipeline, stopped, ": nothing was delivered to it")
    return repaired


def _as_json(result: Audited) -> dict[str, object]:
    counts = {"files": result.files, "rows": result.rows, "gone": result.not_compared}
    return {**counts, "findings": list(map(_finding_as_json, result.findings))}


def _repaired_as_json(repaired: Repaired) -> dict[str, object]:
    delivered = [{"key": version.key, "etag": version.etag} for version in repaired.delivered]
    left = list(map(_finding_as_json, repaired.left))
    return {"rows": repaired.rows, "records": repaired.records, "delivered": delivered, "left": left}


def _finding_as_json(finding: Discrepancy) -> Mapping[str, str]:
    return {
        "kind": finding.kind,
        "key": finding.key,
        "detail": finding.detail,
        "etag": finding.etag,
        "pk": finding.pk,
    }


def _print(result: Audited) -> None:
    _print_findings(result.findings)
    if result.not_compared:
        rows = counted(result.not_compared, "row")
        display.say(f"not compared: {rows} of uploads that are not, or not yet, in the bucket")
    files, rows, findings = counted(result.files, "file"), counted(result.rows, "row"), len(result.findings)
    display.say(f"{files}, {rows}, {counted(findings, 'finding')}")


def _print_findings(findings: Sequence[Discrepancy]) -> None:
    for finding in findings:
        display.say(f"{finding.kind}: {finding.key or '(no file)'}: {finding.detail}")


def _print_repair(repaired: Repaired) -> None:
    rows, records = counted(repaired.rows, "row"), counted(repaired.records, "record")
    display.say(f"repaired: {rows} written, {records} of the ledger corrected")
    for version in repaired.delivered:
        display.say(f"delivered again: {version.key} (etag {version.etag})")
    for finding in repaired.left:
        display.say(f"left as it is, for a person to look at: {finding.kind}: {finding.key or '(no file)'}")
    display.say("after the repair:")
