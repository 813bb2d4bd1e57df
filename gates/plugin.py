"""The checks at `cdk synth`, of every template of the app."""

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

from .assets import Assets
from .checks import NAMESPACE, Finding, check
from .rules import RULES
from .template import InvalidTemplate


def guard(app: App) -> None:
    """Check every stack of the app at synthesis, with the gates and with two packs of cdk-nag.

    If a finding is not acknowledged, `app.synth()` raises RuntimeError and `cdk synth` ends with exit code 1.
    """
    Validations.of(app).add_plugins(Gates(), AwsSolutionsChecks(app), ServerlessChecks(app))
    # Writes each acknowledgement's reason into the template, where the gates and the readers of templates look for it.
    Aspects.of(app).add(WriteNagSuppressionsToCloudFormationAspect())


@jsii.implements(IPolicyValidationPlugin)
class Gates:
    """Fails the synthesis if a finding is neither a warning nor acknowledged with a reason.

    `Validations.of(construct).acknowledge(Acknowledgment(id="gates::RULE", reason="..."))` lets a construct break a
    rule.
    """

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
        # The CDK does not name nested templates: each template adds its own to the list.
        paths = [Path(path) for path in context.template_paths]
        for path in paths:
            template, assets = {"Resources": {}} | json.loads(path.read_text()), Assets(path.parent)
            paths += assets.nested(template)
            try:
                findings = check(template, today=today, packages=assets.packages(template))
            except InvalidTemplate as error:
                raise InvalidTemplate(f"{path.name} cannot be checked: {error}") from error
            violations += [_reported(finding, path) for finding in findings if not finding.acknowledged]
        return PolicyValidationPluginReport(
            success=all(violation.severity == "warning" for violation in violations), violations=violations
        )


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
