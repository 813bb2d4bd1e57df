"""How the findings of an audit are shown, and what a repair did."""

from typing import Any

from ops import display, findings, repair, wording
from ops.commands import differences
from ops.differences import MOST


def as_json(result: findings.Audited, repaired: repair.Repaired | None, *, values: bool) -> dict[str, object]:
    counts = {"files": result.files, "rows": result.rows, "gone": result.not_compared}
    done = {} if repaired is None else {"repaired": _repaired_as_json(repaired, values=values)}
    return {**counts, "findings": [_finding_as_json(each, values=values) for each in result.findings], **done}


def _repaired_as_json(repaired: repair.Repaired, *, values: bool) -> dict[str, object]:
    delivered = [{"key": version.key, "etag": version.etag} for version in repaired.delivered]
    left = [_finding_as_json(each, values=values) for each in repaired.left]
    return {"rows": repaired.rows, "records": repaired.records, "delivered": delivered, "left": left}


def _finding_as_json(finding: findings.Discrepancy, *, values: bool) -> dict[str, Any]:
    found = {"kind": finding.kind, "key": finding.key, "detail": finding.detail, "etag": finding.etag, "pk": finding.pk}
    if finding.kind != "different":
        return found
    return {**found, "differences": [differences.as_json(each, values=values) for each in finding.differences]}


def print_audited(result: findings.Audited, *, values: bool) -> None:
    for finding in result.findings:
        display.say(f"{finding.kind}: {finding.key or '(no file)'}: {finding.detail}")
        for each in finding.differences:
            display.say(f"  {differences.as_text(each, values=values)}")
    if more := sum(finding.kind == "different" and not finding.differences for finding in result.findings):
        why = f"they are not among the first {MOST:,}, or not different any more"
        display.say(f"Of {wording.counted(more, 'row')}, it is not said what differs: {why}.", err=True)
    if result.not_compared:
        rows = wording.counted(result.not_compared, "row")
        display.say(f"not compared: {rows} of uploads that are not, or not yet, in the bucket")
    files, rows, number = (
        wording.counted(result.files, "file"),
        wording.counted(result.rows, "row"),
        len(result.findings),
    )
    display.say(f"{files}, {rows}, {wording.counted(number, 'finding')}")


def print_repaired(repaired: repair.Repaired) -> None:
    rows, records = wording.counted(repaired.rows, "row"), wording.counted(repaired.records, "record")
    display.say(f"repaired: {rows} written, {records} of the ledger corrected")
    for version in repaired.delivered:
        display.say(f"delivered again: {version.key} (etag {version.etag})")
    for finding in repaired.left:
        display.say(f"left as it is, for a person to look at: {finding.kind}: {finding.key or '(no file)'}")
    display.say("after the repair:")
