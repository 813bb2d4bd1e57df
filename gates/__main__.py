"""The checks of any CloudFormation template, from the command line."""

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from .assets import Assets
from .checks import Finding, check
from .template import InvalidTemplate

try:
    from .files import TemplateFile
except ModuleNotFoundError as error:
    way = '`pip install "csv-ingest[gates]"`, or in a checkout `make setup`, installs what is needed'
    click.echo(f"{error}: {way}", err=True)
    sys.exit(2)


@click.command(epilog=f"Example: python -m {__package__} cdk.out/*.template.json template.yaml")
@click.argument("templates", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(templates: tuple[Path, ...]) -> None:
    """Check CloudFormation or SAM TEMPLATES, in JSON or YAML, as they would be deployed.

    Exit code 0: nothing stands in the way of a deployment. 1: there is an error, a finding that is neither a warning
    nor acknowledged. 2: a file could not be checked.
    """
    count: Counter[str] = Counter()
    for path in templates:
        try:
            for kind, report in _check(path):
                click.echo(report)
                count[kind] += 1
        except InvalidTemplate as error:
            click.echo(f"{path}: cannot be checked: {error}", err=True)
            count["unchecked"] += 1
    click.echo(
        f"{len(templates)} checked: "
        + ", ".join(f"{count[kind]} {kind}" for kind in ("error", "warning", "acknowledged"))
    )
    sys.exit(2 if count["unchecked"] else 1 if count["error"] else 0)


def _check(path: Path) -> Iterator[tuple[str, str]]:
    """The findings in a file: the kind of each, and its report. Raises InvalidTemplate before the first."""
    file = TemplateFile(path)
    packages = Assets(path.parent).packages(file.template)
    for finding in check(file.template, today=datetime.now(UTC).date(), packages=packages):
        kind = "acknowledged" if finding.acknowledged else "warning" if finding.violation.warning else "error"
        yield kind, f"{path}:{file.line(finding.violation.resource)}: {kind} {_report(finding)}"


def _report(finding: Finding) -> str:
    rule, violation = finding.rule, finding.violation
    headline = f"{rule.id}: {violation.resource} {violation.path}: {violation.detail}"
    if finding.acknowledged:
        return f"{headline}\n    because: {finding.acknowledged}"
    note = "\n    note: it is acknowledged without a reason" if finding.acknowledged == "" else ""
    return f"{headline}\n    why: {rule.why}\n    fix: {rule.fix}{note}"


if __name__ == "__main__":
    main(prog_name=f"python -m {__package__}")
