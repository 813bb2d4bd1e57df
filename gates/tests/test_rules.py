"""Each rule on templates that break it, and on templates that only seem to."""

import importlib
import re
from pathlib import Path

import pytest

import gates.rules
from gates.checks import check
from gates.rules import RULES
from gates.rules.rule import Rule
from gates.tests.cases import COMPLIANT, UNDECIDED, VIOLATING
from gates.tests.safe import TODAY, Changes, changed


@pytest.mark.parametrize(
    ("rules", "changes"), [pytest.param(rules, changes, id=f"{rules}: {how}") for rules, how, changes in VIOLATING]
)
def test_a_violation_is_found_and_nothing_else(rules: str, changes: Changes) -> None:
    findings = check(changed(changes), today=TODAY)
    assert {finding.rule.id for finding in findings} == set(rules.split()), [each.violation for each in findings]
    assert not any(finding.violation.detail.startswith("cannot be decided") for finding in findings)


@pytest.mark.parametrize(
    ("rules", "changes"), [pytest.param(rules, changes, id=f"{rules}: {how}") for rules, how, changes in UNDECIDED]
)
def test_what_only_the_deployment_knows_is_a_warning(rules: str, changes: Changes) -> None:
    findings = check(changed(changes), today=TODAY)
    assert {finding.rule.id for finding in findings} == set(rules.split()), [each.violation for each in findings]
    assert all(finding.violation.warning for finding in findings), [each.violation for each in findings]
    assert all(re.match("cannot be decided: |not checked: ", finding.violation.detail) for finding in findings)


@pytest.mark.parametrize("changes", [pytest.param(changes, id=f"{rule}: {how}") for rule, how, changes in COMPLIANT])
def test_what_only_seems_a_violation_is_not_found(changes: Changes) -> None:
    assert check(changed(changes), today=TODAY) == []


def test_every_rule_has_violating_and_compliant_templates() -> None:
    by_package, only_warns = {"package-size", "package-contents"}, {"template-complete"}
    violated = {rule for rules, _, _ in VIOLATING for rule in rules.split()}
    assert violated | only_warns == {rule for rule, _, _ in COMPLIANT} == {rule.id for rule in RULES} - by_package


MODULES = [each.stem for each in Path(gates.rules.__file__).parent.glob("[!_]*.py")]


@pytest.mark.parametrize(
    "name", [name for name in MODULES if hasattr(importlib.import_module(f"gates.rules.{name}"), "RULES")]
)
def test_every_rule_of_a_theme_is_applied(name: str) -> None:
    theme = importlib.import_module(f"gates.rules.{name}")
    assert [each for each in vars(theme).values() if isinstance(each, Rule)] == list(theme.RULES)
    assert set(theme.RULES) <= set(RULES)
