"""What the command line says of itself."""

import re

import pytest
from click.testing import CliRunner

from ops.commands import main


def output(*arguments: str) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("verb", [[], *([verb] for verb in main.commands)])
def test_help_fits_into_eighty_columns_uncut(verb: list[str]) -> None:
    text = output(*verb, "--help")
    assert f"Example: csv-ingest {verb[0]}" in text if verb else True
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"\w ?\.\.\.$", text.partition("Options:")[2], flags=re.MULTILINE)


@pytest.mark.parametrize("verb", ["audit", "backfill", "redrive"])
def test_a_prefix_has_one_name(verb: str) -> None:
    assert re.findall(r"--[a-z-]*prefix", output(verb, "--help").partition("Options:")[2])[0] == "--prefix"
    assert "--key-prefix" not in output(verb, "--help")
