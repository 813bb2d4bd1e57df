"""The workflows may do little, and no lock file is left out of the audit and the updates."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from csv_ingest import RELEASE
from local.processes import PROJECT

GITHUB = PROJECT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
LOCKED = [
    path.relative_to(PROJECT)
    for folder in (PROJECT, PROJECT / "lambda" / "csv_ingest", GITHUB)
    for path in folder.glob("requirements*.txt")
]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
class TestWorkflows:
    def test_may_only_read_the_repository(self, workflow: Path) -> None:
        assert read(workflow)["permissions"] == {"contents": "read"}
        for name, job in read(workflow)["jobs"].items():
            # What a tag starts may make the release, and sign who built it.
            allowed = {"attestations", "contents", "id-token"} if name == "release" else set()
            assert set(job.get("permissions", {})) == allowed

    def test_pin_each_action_to_a_commit(self, workflow: Path) -> None:
        used = [step["uses"] for job in read(workflow)["jobs"].values() for step in job["steps"] if "uses" in step]
        assert used
        assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)] == []

    def test_end_after_a_set_time(self, workflow: Path) -> None:
        assert all(job["timeout-minutes"] <= 20 for job in read(workflow)["jobs"].values())


def test_a_release_has_its_part_of_the_changelog(tmp_path: Path) -> None:
    """The workflow's own commands, but for those of the forge."""
    steps = read(GITHUB / "workflows" / "release.yml")["jobs"]["release"]["steps"]
    commands = [step["run"] for step in steps if "run" in step and not step["run"].startswith(("gh ", "make "))]
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / f"csv_ingest-{RELEASE}-py3-none-any.whl").touch()
    changelog = (PROJECT / "CHANGELOG.md").read_text()
    (tmp_path / "CHANGELOG.md").write_text(changelog)
    for command in commands:
        tag = {"GITHUB_REF_NAME": f"v{RELEASE}", "PATH": os.environ["PATH"]}
        subprocess.run(["/bin/sh", "-ec", command], cwd=tmp_path, env=tag, check=True)
    notes = (tmp_path / "notes.md").read_text()
    assert notes.strip()
    assert changelog.partition(f"## {RELEASE}\n")[2].startswith(notes)
    assert "\n## " not in notes


def test_issues_ask_for_what_is_needed() -> None:
    forms = {path.stem: read(path) for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml")}
    assert forms.keys() == {"bug", "feature", "config"}
    asked = {field["id"] for field in forms["bug"]["body"] if field["type"] != "markdown"}
    assert asked == {"happened", "reproduce", "release", "destination"}


def test_every_lock_file_is_audited() -> None:
    jobs = read(GITHUB / "workflows" / "audit.yml")["jobs"]
    assert sorted(jobs["python"]["strategy"]["matrix"]["locked"]) == sorted(map(str, LOCKED))
    # The Node lock file is found in the folder in which npm runs.
    assert jobs["node"]["steps"][-1]["run"] == "npm audit --package-lock-only"
    assert (PROJECT / "package-lock.json").exists()


def test_every_lock_file_gets_updates() -> None:
    updates = {each["package-ecosystem"]: each for each in read(GITHUB / "dependabot.yml")["updates"]}
    assert {Path(folder.lstrip("/")) for folder in updates["pip"]["directories"]} == {path.parent for path in LOCKED}
    assert updates["npm"]["directory"] == updates["github-actions"]["directory"] == "/"
    assert {each["schedule"]["interval"] for each in updates.values()} == {"weekly"}


def test_the_audit_tool_is_locked_with_hashes() -> None:
    locked = (GITHUB / "requirements-audit.txt").read_text()
    for pinned in (GITHUB / "requirements-audit.in").read_text().splitlines()[1:]:
        assert re.search(rf"^{re.escape(pinned)} \\\n +--hash=sha256:", locked, flags=re.MULTILINE)
