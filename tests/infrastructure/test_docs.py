"""The documentation says what the code does, and its links and names lead somewhere."""

import hashlib
import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from bench import costs
from bench.__main__ import CPU_PROMISES
from csv_ingest import RELEASE
from csv_ingest.notices.notice import Kind, Notice
from gates.rules import RULES
from local.processes import PROJECT
from ops.commands import main
from stacks.settings import DEPLOYMENT_SETTINGS, FEED_SETTINGS

DOCS = PROJECT / "docs"
README = PROJECT / "README.md"
CHANGELOG = PROJECT / "CHANGELOG.md"
GATES = PROJECT / "gates/README.md"
PAGES = [*sorted(PROJECT.glob("*.md")), *sorted(DOCS.glob("*.md")), GATES]
FOLDERS = "bench|docs|examples|gates|lambda|local|ops|stacks|tests"

WORDS = {
    "README.md": 900,
    "docs/architecture.md": 2_800,
    "docs/benchmarks.md": 900,
    "docs/costs.md": 1_800,
    "docs/decisions.md": 4_000,
    "docs/extending.md": 700,
    "docs/feeds.md": 1_300,
    "docs/files.md": 2_000,
    "docs/merging.md": 1_200,
    "docs/own-app.md": 1_200,
    "docs/postgresql.md": 2_000,
    "docs/reading.md": 1_200,
    "docs/reference.md": 1_800,
    "docs/runbook.md": 3_500,
    "docs/settings.md": 2_400,
    "docs/upgrading.md": 600,
    "gates/README.md": 1_500,
}
"""How many words a page may have: who writes more has to leave out something."""

every_page = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(PROJECT)) for page in PAGES])


def test_settings_page_has_every_setting() -> None:
    rows = [
        f"| `{name}` | `{setting.metadata['type'].to_text(setting.default)}` | {setting.metadata['type'].allowed}"
        f" | {setting.metadata['doc']} |"
        for name, setting in (DEPLOYMENT_SETTINGS | FEED_SETTINGS).items()
    ]
    page = (DOCS / "settings.md").read_text()
    assert re.findall(r"^\| `\w+` \| `.*` \| .* \| .* \|$", page, flags=re.MULTILINE) == rows


@pytest.mark.parametrize(("page", "words"), WORDS.items())
def test_each_page_is_as_short_as_planned(page: str, words: int) -> None:
    text = (PROJECT / page).read_text()
    assert sum(bool(re.search(r"[^\W_]", word)) for word in text.split()) <= words


def test_no_page_is_without_a_limit() -> None:
    others = {"CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}
    assert {str(page.relative_to(PROJECT)) for page in PAGES} - others == WORDS.keys()


def test_readme_leads_to_every_page() -> None:
    pages = set(re.findall(r"\]\((docs/[\w-]+\.md)", README.read_text()))
    assert pages == {f"docs/{page.name}" for page in DOCS.glob("*.md")}


def test_changelog_begins_with_this_release() -> None:
    releases = re.findall(r"^## (\S+)$", CHANGELOG.read_text(), flags=re.MULTILINE)
    assert releases[0] == RELEASE
    assert releases == sorted(releases, key=lambda each: [int(part) for part in each.split(".")], reverse=True)


def test_readme_names_make_commands() -> None:
    assert _make_targets(README)


@every_page
def test_make_commands_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(_make_targets(page)) <= targets


def test_every_verb_is_documented_and_exists() -> None:
    named = {verb for page in PAGES for verb in re.findall(r"(?:`|bin/)csv-ingest ([a-z]+)", page.read_text())}
    assert named <= set(main.commands)
    section = (DOCS / "reference.md").read_text().partition("\n## Commands\n")[2].partition("\n## ")[0]
    assert set(main.commands) <= set(re.findall(r"`([a-z]+)", section))


def test_the_example_installs_this_release() -> None:
    requirements = (PROJECT / "examples" / "own_app" / "requirements.txt").read_text()
    assert f"./csv_ingest-{RELEASE}-py3-none-any.whl\n" in requirements


@every_page
def test_files_named_in_backticks_exist(page: Path) -> None:
    named = set(re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", page.read_text()))
    assert sorted(name for name in named if not (PROJECT / name).exists()) == []


def test_every_gate_is_documented_with_reason_and_fix() -> None:
    page = GATES.read_text()
    rows = [f"| `{rule.id}` | {rule.why} | {rule.fix} |" for rule in RULES]
    assert re.findall(r"^\| `.*` \| .* \| .* \|$", page, flags=re.MULTILINE) == rows


def test_speed_in_readme_is_what_bench_promises() -> None:
    # The bounds in the code, and not docs/benchmarks.md, which each `make bench` writes anew.
    text = " ".join(README.read_text().split())
    assert [words for words, _ in CPU_PROMISES.values() if words.rpartition(" (")[0] not in text] == []


def test_each_event_has_an_example_of_the_schema() -> None:
    schema, *others = sorted((DOCS / "events").glob("*.json"), key=lambda path: path.name != "schema.json")
    examples = [json.loads(path.read_text()) for path in others]
    for example in examples:
        jsonschema.Draft202012Validator(json.loads(schema.read_text())).validate(example)
        assert example["detail"].keys() == json.loads(Notice(kind=Kind.FAILED).detail("", "")).keys()
    assert {example["detail-type"] for example in examples} == set(Kind)


def test_costs_are_those_that_are_calculated() -> None:
    text = (DOCS / "costs.md").read_text()
    assert [table for table in (costs.month(), costs.million()) if table not in text] == []


def test_the_license_is_the_one_that_is_named() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    [file] = [PROJECT / name for name in project["license-files"]]
    # The text of https://www.apache.org/licenses/LICENSE-2.0.txt.
    standard = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    assert (project["license"], hashlib.sha256(file.read_bytes()).hexdigest()) == ("Apache-2.0", standard)


def _make_targets(page: Path) -> list[str]:
    # In a code block a command begins a line; in the text it stands between backticks.
    commands = re.findall(r"(?:^|`)(?:\$ )?make ([a-z][a-z -]*)", page.read_text(), flags=re.MULTILINE)
    return " ".join(commands).split()
