"""The checks at `cdk synth`, of a whole app, or of one part of it."""

import json
from collections import defaultdict
from collections.abc import Mapping, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import jsii
from aws_cdk import (
    Aspects,
    CfnElement,
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    PolicyValidationPluginReport,
    PolicyViolatingResource,
    PolicyViolation,
    Stack,
    Stage,
    Validations,
)
from cdk_nag import AwsSolutionsChecks, NagPack, ServerlessChecks, WriteNagSuppressionsToCloudFormationAspect
from constructs import IConstruct

from .assets import Assets
from .checks import NAMESPACE, Finding, check
from .rules import RULES
from .template import InvalidTemplate


def guard(scope: IConstruct) -> None:
    """Check what is in the scope at synthesis, with the gates and with two packs of cdk-nag.

    The scope is an app, a stack or a construct; what is outside of it is not checked. If a finding is not acknowledged,
    `cdk synth` lists it and ends with exit code 1; `app.synth()` without the CDK's command line raises RuntimeError.
    """
    packs = (_Pack(AwsSolutionsChecks(), scope), _Pack(ServerlessChecks(), scope))
    Validations.of(scope).add_plugins(Gates(scope), *packs)
    # Writes each acknowledgement's reason into the template, where the gates and the readers of templates look for it.
    Aspects.of(scope).add(WriteNagSuppressionsToCloudFormationAspect())


@jsii.implements(IPolicyValidationPlugin)
class _Pack:
    """A pack of cdk-nag that checks one scope. By itself, it checks the whole app."""

    def __init__(self, pack: NagPack, scope: IConstruct) -> None:
        self._pack, self._scope = pack, scope

    @property
    def name(self) -> str:
        return self._pack.read_pack_name

    @property
    def version(self) -> str:
        return "3"

    @property
    def rule_ids(self) -> list[str]:
        return []

    def validate(self, context: IPolicyValidationContext) -> PolicyValidationPluginReport:  # noqa: ARG002
        return self._pack.validate_scope(self._scope)


@jsii.implements(IPolicyValidationPlugin)
class Gates:
    """Fails the synthesis if a finding is neither a warning nor acknowledged with a reason.

    `Validations.of(construct).acknowledge(Acknowledgment(id="gates::RULE", reason="..."))` lets a construct break a
    rule.
    """

    def __init__(self, scope: IConstruct) -> None:
        self._scope = scope

    @property
    def name(self) -> str:
        """The name of the checks in the CDK's report, and the namespace of their rules."""
        return NAMESPACE

    @property
    def version(self) -> str:
        """Required by the CDK's protocol, for its statistics."""
        return "1.0.0"

    @property
    def rule_ids(self) -> list[str]:
        """The ids of all rules."""
        return [rule.id for rule in RULES]

    def validate(self, context: IPolicyValidationContext) -> PolicyValidationPluginReport:
        today = datetime.now(UTC).date()
        violations = []
        paths, inside = [Path(path) for path in context.template_paths], _resources_of(self._scope)
        # The CDK does not name nested templates: each template adds its own to the list.
        for path in paths:
            template, assets = {"Resources": {}} | json.loads(path.read_text()), Assets(path.parent)
            paths += assets.nested(template)
            if inside is not None and path.name not in inside:
                continue
            try:
                findings = check(template, today=today, packages=assets.packages(template))
            except InvalidTemplate as error:
                raise InvalidTemplate(f"{path.name} cannot be checked: {error}") from error
            violations += [
                _reported(finding, path)
                for finding in findings
                if not finding.acknowledged and (inside is None or finding.violation.resource in inside[path.name])
            ]
        return PolicyValidationPluginReport(
            success=all(violation.severity == "warning" for violation in violations), violations=violations
        )


def _resources_of(scope: IConstruct) -> Mapping[str, Set[str]] | None:
    """The logical ids of the resources in the scope, by the template's name; None if it has whole templates only."""
    if Stage.is_stage(scope):
        return None
    found: defaultdict[str, set[str]] = defaultdict(set)
    for element in filter(CfnElement.is_cfn_element, scope.node.find_all()):
        stack = Stack.of(element)
        found[stack.template_file].add(str(stack.resolve(cast("CfnElement", element).logical_id)))
    return found


def _reported(finding: Finding, template: Path) -> PolicyViolation:
    """A finding in the form of the CDK's report."""
    rule, violation = finding.rule, finding.violation
    return PolicyViolation(
        rule_name=rule.id,
        description=f"{violation.path}: {violation.detail}. {rule.why}",
        fix=rule.fix,
        # The CDK accepts an acknowledgement without a reason, except for a violation that is fatal.
        severity="warning" if violation.warning else "fatal" if finding.acknowledged == "" else "error",
        violating_resources=[
            PolicyViolatingResource(
                resource_logical_id=violation.resource, template_path=str(template), locations=[violation.path]
            )
        ],
    )
