"""The checks on any CloudFormation template, from the command line."""

import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click

from stacks.gates.assets import Assets
from stacks.gates.checks import Finding, check
from stacks.gates.files import File
from stacks.gates.intrinsics import InvalidTemplate


@click.command(epilog="Example: python -m stacks.gates cdk.out/*.template.json template.yaml")
@click.argument("templates", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(templates: tuple[Path, ...]) -> None:
    """Check CloudFormation or SAM TEMPLATES, in JSON or YAML, as they would be deployed.

    Exit code 0: nothing stands in the way of a deployment. 1: a finding does, that is neither a warning nor
    acknowledged. 2: a file could not be checked.
    """
    count: Counter[str] = Counter()
    today = datetime.now(UTC).date()
    for path in templates:
        try:
            file = File(path)
            findings = check(file.template, today=today, packages=Assets(path.parent).packages(file.template))
        except InvalidTemplate as error:
            click.echo(f"{path}: cannot be checked: {error}", err=True)
            count["file that cannot be checked"] += 1
            continue
        for finding in findings:
            kind = "acknowledged" if finding.acknowledged else "warning" if finding.place.warning else "error"
            click.echo(f"{path}:{file.line(finding.place.resource)}: {kind} {_report(finding)}")
            count[kind] += 1
    click.echo(
        f"{len(templates)} checked: "
        + ", ".join(f"{count[kind]} {kind}" for kind in ("error", "warning", "acknowledged"))
    )
    sys.exit(2 if count["file that cannot be checked"] else 1 if count["error"] else 0)


def _report(finding: Finding) -> str:
    headline = f"{finding.rule.id}: {finding.place.resource} {finding.place.path}: {finding.place.detail}"
    if finding.acknowledged:
        return f"{headline}\n    because: {finding.acknowledged}"
    note = "\n    note: it is acknowledged without a reason" if finding.acknowledged == "" else ""
    return f"{headline}\n    why: {finding.rule.why}\n    fix: {finding.rule.fix}{note}"


if __name__ == "__main__":
    main(prog_name="python -m stacks.gates")
