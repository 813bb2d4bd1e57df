"""Applies the rules to a template: reads no file and no clock, and uses no network."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from .rules import RULES
from .rules.rule import CheckContext, Package, Rule, Violation
from .template import InvalidTemplate, Template, deployments, expanded, mappings

NAMESPACE = "gates"


@dataclass(frozen=True)
class Finding:
    """A rule that a resource breaks, and whether somebody acknowledged that."""

    rule: Rule
    violation: Violation
    acknowledged: str | None
    """The reason. An empty reason acknowledges nothing; None if the rule is not acknowledged at all."""


def check(template: Mapping[str, Any], *, today: date, packages: Mapping[str, Package] | None = None) -> list[Finding]:
    """The findings in a template, as its JSON or YAML reads, in each of its `deployments`, in the order of `RULES`.

    `packages` holds functions' packages by logical id; the packages of other functions are not checked.
    A resource's metadata acknowledges a finding, in the form that cdk-nag and the CDK's acknowledgements use:
    `Metadata: {cdk_nag: {rules_to_suppress: [{id: gates::RULE, reason: WHY}]}}`.
    The template's own metadata does that for its parts that are no resources. Raises InvalidTemplate.
    """
    findings: dict[tuple[str, Violation], Finding] = {}
    try:
        template = expanded(template)
        for description, given in deployments(template):
            context = CheckContext(Template(template, given), today, packages or {})
            for rule, violation in _violations(context):
                # A violation that an earlier deployment has does not depend on this deployment.
                if (rule.id, violation) not in findings:
                    reason = _acknowledged(context.template, violation.resource).get(rule.id)
                    findings[rule.id, violation] = Finding(rule, _described(violation, description), reason)
    except RecursionError as error:
        raise InvalidTemplate("something in it is defined by itself") from error
    return sorted(_once(findings.values()), key=lambda finding: RULES.index(finding.rule))


def _once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings without the warnings about places where another deployment has an error by the same rule."""
    found = list(findings)
    wrong = {_place(each) for each in found if not each.violation.warning}
    return (each for each in found if not each.violation.warning or _place(each) not in wrong)


def _place(finding: Finding) -> tuple[str, str, str]:
    return finding.rule.id, finding.violation.resource, finding.violation.path


def _violations(context: CheckContext) -> Iterator[tuple[Rule, Violation]]:
    for rule in RULES:
        for violation in rule.check(context):
            yield rule, violation


def _described(violation: Violation, deployment: str) -> Violation:
    return replace(violation, detail=f"{violation.detail} ({deployment})") if deployment else violation


def _acknowledged(template: Template, name: str) -> dict[str, str]:
    """The rules that a resource may break, with the reasons; those of the template for what is no resource."""
    resource = template.by_id.get(name)
    metadata = resource.metadata if resource else template.metadata
    reasons = {}
    for each in mappings(metadata.get("cdk_nag"), "rules_to_suppress"):
        id_, reason = (value if isinstance(value := each.get(key), str) else "" for key in ("id", "reason"))
        if id_.startswith(f"{NAMESPACE}::"):
            reasons[id_.removeprefix(f"{NAMESPACE}::")] = reason.strip()
    return reasons
