"""The checks at `cdk synth`, over every template of the app."""

import json
from datetime import UTC, datetime
from pathlib import Path

import jsii
from aws_cdk import (
    App,
    Aspects,
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    PolicyValidationPluginReport,
    PolicyViolatingResource,
    PolicyViolation,
    Validations,
)
from cdk_nag import AwsSolutionsChecks, ServerlessChecks, WriteNagSuppressionsToCloudFormationAspect

from stacks.gates.assets import Assets
from stacks.gates.checks import NAMESPACE, Finding, check
from stacks.gates.intrinsics import InvalidTemplate
from stacks.gates.rules import RULES


def guard(app: App) -> None:
    """Check every stack of the app when it is synthesized, with the gates and with two packs of cdk-nag.

    `app.synth()` raises RuntimeError, and `cdk synth` ends with exit code 1, if there is a finding that nobody
    acknowledged.
    """
    Validations.of(app).add_plugins(Gates(), AwsSolutionsChecks(app), ServerlessChecks(app))
    # Each reason is in the template too, where the gates look for it, and whoever reads nothing else.
    Aspects.of(app).add(WriteNagSuppressionsToCloudFormationAspect())


@jsii.implements(IPolicyValidationPlugin)
class Gates:
    """Fails the synthesis for each finding that is neither a warning nor acknowledged with a reason.

    A construct is allowed to break a rule by
    `Validations.of(construct).acknowledge(Acknowledgment(id="gates::RULE", reason="..."))`.
    """

    @property
    def name(self) -> str:
        """What the CDK's report calls the checks, and the namespace of their rules."""
        return NAMESPACE

    @property
    def version(self) -> str:
        """The protocol asks for one, for its statistics."""
        return "1.0.0"

    @property
    def rule_ids(self) -> list[str]:
        """Every rule that is checked."""
        return [rule.id for rule in RULES]

    def validate(self, context: IPolicyValidationContext) -> PolicyValidationPluginReport:
        today = datetime.now(UTC).date()
        violations = []
        # The list grows: the CDK names only the templates that are not nested in one of them.
        paths = [Path(path) for path in context.template_paths]
        for path in paths:
            template, assets = {"Resources": {}} | json.loads(path.read_text()), Assets(path.parent)
            paths += assets.nested(template)
            try:
                findings = check(template, today=today, packages=assets.packages(template))
            except InvalidTemplate as error:
                raise InvalidTemplate(f"{path.name} cannot be checked: {error}") from error
            violations += [_violation(finding, path) for finding in findings if not finding.acknowledged]
        return PolicyValidationPluginReport(
            success=all(violation.severity == "warning" for violation in violations), violations=violations
        )


def _violation(finding: Finding, template: Path) -> PolicyViolation:
    return PolicyViolation(
        rule_name=finding.rule.id,
        description=f"{finding.place.path}: {finding.place.detail}. {finding.rule.why}",
        fix=finding.rule.fix,
        # Only what is fatal cannot be acknowledged: the CDK itself does not ask for a reason.
        severity="warning" if finding.place.warning else "fatal" if finding.acknowledged == "" else "error",
        violating_resources=[
            PolicyViolatingResource(
                resource_logical_id=finding.place.resource, template_path=str(template), locations=[finding.place.path]
            )
        ],
    )
