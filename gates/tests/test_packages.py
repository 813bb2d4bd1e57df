"""The rules about functions' packages."""

import pytest

from gates.checks import check
from gates.rules.packages import MAX_PACKAGE_MB
from gates.rules.rule import Package
from gates.tests.safe import SECOND_FUNCTION, TODAY, changed


@pytest.mark.parametrize(
    ("rule", "package"),
    [
        (None, Package(MAX_PACKAGE_MB * 1_000_000, frozenset({"pandas.txt", "my_numpy"}))),
        ("package-size", Package(MAX_PACKAGE_MB * 1_000_000 + 1, frozenset())),
        ("package-contents", Package(1, frozenset({"boto3", "pandas"}))),
        ("package-contents", Package(1, frozenset({"numpy"}))),
    ],
)
def test_a_package_is_small_without_pandas_and_numpy(rule: str | None, package: Package) -> None:
    findings = check(changed({}), today=TODAY, packages={"Ingest": package})
    assert [finding.rule.id for finding in findings] == ([rule] if rule else [])


def test_only_packages_of_deployed_functions_are_checked() -> None:
    template = changed({"/Resources.Second": {**SECOND_FUNCTION, "Condition": "HasEmail"}})
    package = Package(1, frozenset({"pandas"}))
    [finding] = check(template, today=TODAY, packages={"Second": package})
    assert finding.violation.detail == "pandas (if Email is not '')"
