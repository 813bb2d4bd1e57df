"""The documentation says what the code does."""

import re
from dataclasses import fields

from local.server import PROJECT
from ops.__main__ import main
from stacks.gates.rules import RULES
from stacks.setting_types import to_text
from stacks.settings import Settings

README = (PROJECT / "README.md").read_text()
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]


def test_the_readme_has_every_setting_with_its_default_what_is_allowed_and_what_it_does() -> None:
    rows = [
        f"| `{setting.name}` | `{to_text(setting.default)}` | {setting.metadata['type'].allowed}"
        f" | {setting.metadata['doc']} |"
        for setting in fields(Settings)
    ]
    documented = re.findall(r"^\| `\w+` \| `.*` \| .* \| .* \|$", README, flags=re.MULTILINE)
    assert documented == rows


def test_every_make_command_of_the_documentation_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE))
    for page in PAGES:
        # In a code block a command begins a line; in the text it stands between backticks.
        commands = re.findall(r"(?:^|`)(?:\$ )?make ([a-z][a-z ]*)", page.read_text(), flags=re.MULTILINE)
        assert page.name != "README.md" or commands
        for target in " ".join(commands).split():
            assert target in targets, f"{page.name}: make {target}"


def test_every_verb_of_the_documentation_exists_and_every_verb_is_documented() -> None:
    named = {verb for page in PAGES for verb in re.findall(r"python -m ops ([a-z]+)", page.read_text())}
    assert named == set(main.commands)


def test_every_file_that_the_documentation_links_to_exists() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_gate_is_documented_with_its_reason_and_its_fix() -> None:
    page = (PROJECT / "docs" / "gates.md").read_text()
    rows = [f"| `{rule.id}` | {rule.why} | {rule.fix} |" for rule in RULES]
    assert re.findall(r"^\| `.*` \| .* \| .* \|$", page, flags=re.MULTILINE) == rows


def test_the_readme_quotes_the_figures_of_the_last_bench() -> None:
    measured = [line for line in (PROJECT / "docs" / "benchmarks.md").read_text().splitlines() if line.startswith("|")]
    assert len(measured) > 10
    assert "\n".join(measured) in README
