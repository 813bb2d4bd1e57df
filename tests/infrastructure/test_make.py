"""`make` installs what a command needs, says what it does, and what failed."""

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.processes import PROJECT
from local.waiting import wait_until
from ops import progress

PROGRESS = [sys.executable, str(PROJECT / "ops" / "progress.py")]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder in which nothing is installed yet."""
    locked = ("requirements.txt", "requirements-dev.txt", "package-lock.json")
    for name in ("Makefile", "pyproject.toml", "setup.py", *locked):
        shutil.copy(PROJECT / name, tmp_path)
    return tmp_path


def make(clone: Path, *arguments: str) -> str:
    """What make prints; with -n, what it would do."""
    command = ["/usr/bin/env", "make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("target", "tools", "node"),
    [
        ("demo", False, True),
        ("local", False, True),
        ("synth", False, True),
        ("deploy", False, True),
        ("settings", False, False),
        ("unit", True, False),
        ("lint", True, True),
        ("test", True, True),
        ("test-package", True, True),
        ("bench", True, True),
    ],
)
def test_a_command_installs_only_what_it_needs(clone: Path, target: str, *, tools: bool, node: bool) -> None:
    plan = make(clone, "-n", target)
    assert "-r requirements.txt" in plan
    assert ("-r requirements-dev.txt" in plan, "npm ci" in plan) == (tools, node)
    assert ("browser of the tests" in plan) == (target == "test-package")


def test_what_is_installed_is_not_repeated(clone: Path) -> None:
    (clone / ".venv").mkdir()
    (clone / ".venv" / ".packages").touch()
    plan = make(clone, "-n", "test")
    assert "-m venv" not in plan
    assert "-r requirements-dev.txt" in plan
    assert "npm ci" in plan


@pytest.mark.parametrize("target", ["local", "deploy"])
def test_settings_are_given_as_arguments(clone: Path, target: str) -> None:
    assert make(clone, "-n", target, "ARGS=-c stage=prod").rstrip().endswith(" -c stage=prod")


@pytest.mark.parametrize("runs", [True, False])
def test_the_deployed_python_has_to_run(clone: Path, runs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyenv's python3.13 is on PATH also while 3.13 is not selected, and fails then."""
    python = clone / "bin" / "python3.13"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\n" + ("echo Python 3.13.0\n" if runs else "exit 127\n"))
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{python.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYENV_ROOT", str(clone))
    if runs:
        plan = make(clone, "-n", "test-deployed")
        assert "python3.13 -m venv --clear .venv-3.13" in plan
        assert f"{clone}/.venv-3.13/bin/python -m pytest" in plan
        assert plan.rstrip().endswith("tests/unit tests/integration")
    else:
        assert make(clone, "test-deployed").startswith("Nothing was tested on Python 3.13")


def test_continuous_integration_does_what_the_readme_says() -> None:
    commands = re.findall(r"^make .*", (PROJECT / ".ci" / "run").read_text(), flags=re.MULTILINE)
    assert commands == ["make lint test", "make test-package", "make test-deployed"]
    written = (PROJECT / "README.md").read_text().splitlines()
    assert all(any(line.startswith(f"{command} ") for line in written) for command in commands)


def test_bare_make_lists_the_commands(clone: Path) -> None:
    listed = re.findall(r"^  make ([a-z-]+)", make(clone), flags=re.MULTILINE)
    phony = re.findall(r"^\.PHONY: (.+)$", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE)
    assert sorted(listed) == sorted(" ".join(phony).split())


def test_lock_files_agree_on_versions() -> None:
    everything, *others = (
        pinned(lock) for lock in ("requirements-dev.txt", "requirements.txt", "lambda/csv_ingest/requirements.txt")
    )
    for other in others:
        assert {name: everything.get(name) for name in other} == other


def test_a_step_shows_output_only_if_it_fails() -> None:
    script = "print('noise'); raise SystemExit({})"
    good, bad = (
        subprocess.run(
            [*PROGRESS, "Installing", sys.executable, "-c", script.format(code)],
            capture_output=True,
            text=True,
            check=False,
        )
        for code in (0, 3)
    )
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "Installing ...\n")
    assert bad.returncode == 3
    assert bad.stderr.startswith("Installing ...\nnoise\nInstalling: failed with exit code 3: ")


def test_a_long_step_goes_on_telling(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.01)
    printed: list[str] = []

    def told_twice() -> bool:
        printed.append(capfd.readouterr().err)
        return "".join(printed).count("Waiting ... 0 s: 3 of 8\n") >= 2

    with progress.working("Waiting") as show:
        show("3 of 8")
        wait_until(told_twice, "the step tells again")
    assert "".join(printed).startswith("Waiting ...\n")


def test_a_terminal_has_one_line_for_a_step() -> None:
    mine, theirs = pty.openpty()
    subprocess.run([*PROGRESS, "Installing", sys.executable, "-c", ""], stderr=theirs, check=True)
    os.close(theirs)
    assert os.read(mine, 1_000).decode() == "\r\x1b[KInstalling ...\r\x1b[K"
    os.close(mine)


def pinned(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w-]+)==(\S+)", (PROJECT / lock).read_text(), flags=re.MULTILINE))
