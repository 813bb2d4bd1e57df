"""The documentation says what the code does."""

import re
from dataclasses import fields
from typing import Any

from local.server import PROJECT
from stacks.settings import Settings

README = (PROJECT / "README.md").read_text()


def as_written(default: Any) -> str:
    """A default value as one would write it after `-c key=`."""
    if default is None:
        return "none"
    return ",".join(default) if isinstance(default, tuple) else str(default)


def test_the_readme_has_every_setting_with_its_default_what_is_allowed_and_what_it_does() -> None:
    rows = [
        f"| `{setting.name}` | `{as_written(setting.default)}` | {setting.metadata['kind'].allowed}"
        f" | {setting.metadata['doc']} |"
        for setting in fields(Settings)
    ]
    documented = re.findall(r"^\| `\w+` \| `.*` \| .* \| .* \|$", README, flags=re.MULTILINE)
    assert documented == rows


def test_every_make_command_of_the_readme_exists() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    named = {target for line in re.findall(r"make ([a-z ]+)", README) for target in line.split()}
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    assert {"demo", "test", "lint", "deploy"} <= named & targets


def test_every_file_that_the_documentation_links_to_exists() -> None:
    for page in (PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"
