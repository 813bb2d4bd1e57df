"""The end of a runtime's support, which depends on the day of the check."""

import json
from datetime import timedelta
from pathlib import Path

import cfnlint
import pytest

from gates.checks import check
from gates.rules.runtimes import SUPPORTED_UNTIL
from gates.tests.safe import changed

UNTIL = SUPPORTED_UNTIL["python3.13"]


@pytest.mark.parametrize(("days", "expected"), [(180, []), (179, [True]), (0, [True]), (-1, [False])])
def test_support_ends_with_a_warning_then_an_error(days: int, expected: list[bool]) -> None:
    findings = check(changed({}), today=UNTIL - timedelta(days=days))
    assert [finding.violation.warning for finding in findings] == expected


def test_dates_are_those_that_cfn_lint_has() -> None:
    table = Path(cfnlint.__file__).parent / "data" / "AdditionalSpecs" / "LmbdRuntimeLifecycle.json"
    known = {name: dates["deprecated"] for name, dates in json.loads(table.read_text()).items()}
    assert {name: str(until) for name, until in SUPPORTED_UNTIL.items()} == known
