"""The gates as rules of cfn-lint, for editors and pre-commit: `cfn-lint --append-rules gates/cfn_lint TEMPLATE`.

The findings are those of `python -m gates`; what is acknowledged is left out.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from ..assets import Assets
from ..checks import Finding, check
from ..files import TemplateFile
from ..template import InvalidTemplate


class GatesErrors(CloudFormationLintRule):  # type: ignore[misc] # it has no types
    """Findings that stop a deployment."""

    id = "E9100"
    shortdesc = "Nothing is lost silently, and no strangers are let in"
    description = "The gates find what makes a pipeline lose data silently, and what lets strangers in."
    source_url = "gates/README.md"
    tags = ["gates"]  # noqa: RUF012 - cfn-lint's way

    def match(self, cfn: Template) -> list[RuleMatch]:
        return list(_matches(cfn, are_warnings=False))


class GatesWarnings(GatesErrors):
    """Findings that only the deployment can decide, and minor ones."""

    id = "W9100"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return list(_matches(cfn, are_warnings=True))


def _matches(cfn: Template, *, are_warnings: bool) -> Iterator[RuleMatch]:
    """The findings in the template's file. A file that cannot be checked is one error, which says why."""
    path = Path(cfn.filename)
    try:
        file, findings = _findings(path, path.stat().st_mtime_ns)
    except InvalidTemplate as error:
        if not are_warnings:
            yield RuleMatch([], f"the gates cannot check this template: {error}")
        return
    for finding in findings:
        violation = finding.violation
        if violation.warning is are_warnings and not finding.acknowledged:
            said = f"{finding.rule.id}: {violation.resource} {violation.path}: {violation.detail}. {finding.rule.fix}"
            yield RuleMatch(["Resources", *file.origin(violation.resource)], said)


@lru_cache(maxsize=10)
def _findings(path: Path, _changed: int) -> tuple[TemplateFile, list[Finding]]:
    file = TemplateFile(path)
    packages = Assets(path.parent).packages(file.template)
    return file, check(file.template, today=datetime.now(UTC).date(), packages=packages)
