"""How the findings of an audit are shown, and what a repair did."""

from os.path import commonprefix
from typing import Any

from csv_ingest.model import Value

from .. import display, findings, repair, wording
from ..differences import MOST
from ..pipeline import Pipeline
from . import stored, uploads

LONGEST = 40  # characters of a value
BEFORE = 10  # of them, before the first that differs


def as_json(result: findings.Audited, repaired: repair.Repaired | None, *, values: bool) -> dict[str, object]:
    def found(each: findings.Discrepancy) -> dict[str, Any]:
        shown = {"kind": each.kind, "key": each.key, "detail": each.detail, "etag": each.etag, "pk": each.pk}
        different = [_difference_as_json(one, values=values) for one in each.differences]
        return shown | ({"differences": different} if each.kind == "different" else {})

    about: dict[str, object] = {"files": result.files, "rows": result.rows, "gone": result.not_compared}
    about["earlier"] = result.earlier
    about["findings"] = [found(each) for each in result.findings]
    if repaired:
        delivered = [{"key": version.key, "etag": version.etag} for version in repaired.delivered]
        left = [found(each) for each in repaired.left]
        done: dict[str, object] = {"rows": repaired.rows, "records": repaired.records, "marks": repaired.marks}
        done |= {"delivered": delivered, "left": left}
        about["repaired"] = done
    return about


def _difference_as_json(difference: findings.Difference, *, values: bool) -> dict[str, str | bool | None]:
    """A difference with whole values; as in other commands, numbers are texts."""
    table, file = (difference.table, difference.file) if values else (None, None)
    return {"column": difference.column, "table": stored.value_as_json(table), "file": stored.value_as_json(file)}


def print_audited(result: findings.Audited, pipeline: Pipeline, *, values: bool) -> None:
    for finding in result.findings:
        display.say(f"{finding.kind}: {finding.key or '(no file)'}: {finding.detail}")
        for each in finding.differences:
            display.say(f"  {difference_as_text(each, values=values)}")
    if more := sum(finding.kind == "different" and not finding.differences for finding in result.findings):
        why = f"they are not among the first {MOST:,}, or not different any more"
        display.say(f"Of {wording.counted(more, 'row')}, it is not said what differs: {why}.", err=True)
    if result.not_compared:
        rows = wording.counted(result.not_compared, "row")
        display.say(f"not compared: {rows} of uploads that are not, or not yet, in the bucket")
    if result.earlier:
        display.say(f"not compared: {uploads.earlier(result.earlier, pipeline)}")
    found = wording.counted(len(result.findings), "finding")
    display.say(f"{wording.counted(result.files, 'file')}, {wording.counted(result.rows, 'row')}, {found}")


def difference_as_text(difference: findings.Difference, *, values: bool) -> str:
    """A difference in one line, with values that are cut so that the first character that differs is seen."""
    if not values:
        return f"{difference.column} differs"
    texts = [_plain(difference.table), _plain(difference.file)]
    same = len(commonprefix(texts))  # noqa: RUF071 - of characters
    begin = same - BEFORE if max(map(len, texts)) > LONGEST and same > LONGEST - BEFORE else 0
    table, file = _from(begin, difference.table), _from(begin, difference.file)
    return f"{difference.column}: {table} in the table, {file} in the file"


def _from(begin: int, value: Value | None) -> str:
    """A part of a value; an ellipsis, outside of the quotes of a text, stands for what is left out."""
    if value is None:
        return "nothing"
    text, end = _plain(value), begin + LONGEST
    part = stored.quoted(text[begin:end]) if isinstance(value, str) else text[begin:end]
    return f"{'…' if begin else ''}{part}{'…' if end < len(text) else ''}"


def _plain(value: Value | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else stored.value_as_text(value)


def marks(number: int) -> str:
    """What is done about marks of complete files, as the end of a list; nothing, where there are none."""
    return f", {wording.counted(number, 'mark')} of complete files corrected" if number else ""


def print_repaired(repaired: repair.Repaired) -> None:
    rows, records = wording.counted(repaired.rows, "row"), wording.counted(repaired.records, "record")
    display.say(f"repaired: {rows} written, {records} of the ledger corrected{marks(repaired.marks)}")
    for version in repaired.delivered:
        display.say(f"delivered again: {version.key} (etag {version.etag})")
    for finding in repaired.left:
        display.say(f"left as it is, for a person to look at: {finding.kind}: {finding.key or '(no file)'}")
    display.say("after the repair:")
