"""Each rule on templates that break it, and on templates that only seem to."""

import importlib

import pytest

from gates.checks import check
from gates.rules import RULES
from gates.rules.rule import Rule
from tests.gates.cases import asynchronous, functions, permissions, storage, uploads
from tests.gates.safe import TODAY, Changes, changed

THEMES = (asynchronous, functions, uploads, permissions, storage)
VIOLATING = [case for theme in THEMES for case in theme.VIOLATING]
COMPLIANT = [case for theme in THEMES for case in theme.COMPLIANT]


@pytest.mark.parametrize(
    ("rules", "changes"), [pytest.param(rules, changes, id=f"{rules}: {how}") for rules, how, changes in VIOLATING]
)
def test_a_violation_is_found_and_nothing_else(rules: str, changes: Changes) -> None:
    findings = check(changed(changes), today=TODAY)
    assert {finding.rule.id for finding in findings} == set(rules.split()), [each.violation for each in findings]


@pytest.mark.parametrize("changes", [pytest.param(changes, id=f"{rule}: {how}") for rule, how, changes in COMPLIANT])
def test_what_only_seems_a_violation_is_not_found(changes: Changes) -> None:
    assert check(changed(changes), today=TODAY) == []


def test_every_rule_has_violating_and_compliant_templates() -> None:
    by_package = {"package-size", "package-contents"}
    violated = {rule for rules, _, _ in VIOLATING for rule in rules.split()}
    assert violated == {rule for rule, _, _ in COMPLIANT} == {rule.id for rule in RULES} - by_package


@pytest.mark.parametrize("name", ["asynchronous", "functions", "uploads", "permissions", "storage", "packages"])
def test_every_rule_of_a_theme_is_applied(name: str) -> None:
    theme = importlib.import_module(f"gates.rules.{name}")
    assert [each for each in vars(theme).values() if isinstance(each, Rule)] == list(theme.RULES)
    assert set(theme.RULES) <= set(RULES)
