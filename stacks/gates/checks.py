"""A template in, findings out: no file, no network, no clock."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from stacks.gates.intrinsics import InvalidTemplate, deployments
from stacks.gates.rules import RULES, Package, Place, Rule, Subject
from stacks.gates.template import Resource, Template, as_list, mapping

NAMESPACE = "gates"


@dataclass(frozen=True)
class Finding:
    """A rule that a resource breaks."""

    rule: Rule
    place: Place
    acknowledged: str | None
    """Why it was accepted. An empty reason accepts nothing."""


def check(template: Mapping[str, Any], *, today: date, packages: Mapping[str, Package] | None = None) -> list[Finding]:
    """What is wrong with a template, as its JSON or YAML reads, in any of its `deployments`.

    `packages` are the contents of the functions' packages, by logical id; of others nothing is said. A finding is
    acknowledged by the resource's metadata, in the form that cdk-nag writes and the CDK's own acknowledgements become:
    `Metadata: {cdk_nag: {rules_to_suppress: [{id: gates::RULE, reason: WHY}]}}`.
    Raises InvalidTemplate.
    """
    found: dict[tuple[str, Place], Finding] = {}
    try:
        for when, given in deployments(template):
            subject = Subject(Template(template, given), today, packages or {})
            for rule in RULES:
                for place in rule.broken(subject):
                    if (rule.id, place) not in found:
                        reason = dict(_acknowledged(subject.template.resources[place.resource])).get(rule.id)
                        said = replace(place, detail=f"{place.detail} ({when})") if when else place
                        found[rule.id, place] = Finding(rule, said, reason)
    except RecursionError as error:
        raise InvalidTemplate("something in it is defined by itself") from error
    # By rule, as they would come from one deployment.
    return sorted(found.values(), key=lambda finding: RULES.index(finding.rule))


def _acknowledged(resource: Resource) -> Iterator[tuple[str, str]]:
    """The rules that a resource may break, with the reasons."""
    for each in as_list(mapping(resource.metadata.get("cdk_nag")).get("rules_to_suppress")):
        id_, reason = (value if isinstance(value := mapping(each).get(key), str) else "" for key in ("id", "reason"))
        if id_.startswith(f"{NAMESPACE}::"):
            yield id_.removeprefix(f"{NAMESPACE}::"), reason.strip()
