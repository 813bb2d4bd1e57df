"""cfn-lint finds with the gates' rules what the gates find."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gates.checks import check
from gates.tests.safe import SAFE, THROUGH_QUEUE, TODAY, Changes, changed

LINT = [str(Path(sys.executable).with_name("cfn-lint")), "--append-rules", str(Path(__file__).parents[1] / "cfn_lint")]


def linted(file: Path, folder: Path) -> str:
    """What cfn-lint prints of a template, run in a folder that has nothing else."""
    command = [*LINT, "--format", "parseable", "-t", str(file)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_it_finds_nothing_in_a_safe_template(tmp_path: Path) -> None:
    assert not re.search("[EW]9100", linted(SAFE, tmp_path))


@pytest.mark.parametrize(
    "changes",
    [
        {"Ingest.Timeout": 3, "Failures.MessageRetentionPeriod": 60},
        {**THROUGH_QUEUE, "Waiting.RedrivePolicy": {"Fn::ImportValue": "policy"}, "Waiting.VisibilityTimeout": 1},
    ],
    ids=["errors", "a warning"],
)
def test_it_finds_what_the_gates_find(changes: Changes, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(yaml.safe_dump(template := changed(changes)))
    begins = {name: text.count("\n") for name in template["Resources"] if (text := _before(file, name))}
    found = re.findall(r":(\d+):\d+:\d+:\d+:([EW])9100:([\w-]+): (\w+) ", linted(file, tmp_path))
    assert sorted(found) == sorted(
        (str(begins[each.resource] + 1), "W" if each.warning else "E", finding.rule.id, each.resource)
        for finding in check(template, today=TODAY)
        for each in [finding.violation]
    )
    assert len(found) == 2


def test_it_says_which_template_cannot_be_checked(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    circle = {"One": {"Fn::Not": [{"Condition": "Two"}]}, "Two": {"Fn::Not": [{"Condition": "One"}]}}
    topic = {"Type": "AWS::SNS::Topic", "Condition": "One"}
    file.write_text(yaml.safe_dump({"Conditions": circle, "Resources": {"Topic": topic}}))
    assert "E9100:the gates cannot check this template: " in linted(file, tmp_path)


def _before(file: Path, resource: str) -> str:
    return file.read_text().partition(f"\n  {resource}:\n")[0] + "\n"
