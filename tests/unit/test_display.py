"""What other people wrote is shown as it is, and cannot do anything to who reads it."""

import json
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest.escaping import escaped, shell_word
from local.processes import PROJECT
from ops.display import print_json
from ops.wording import counted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("May + June é 日本 👍.csv", "May + June é 日本 👍.csv"),
        ("\x1b[2J", r"\u001b[2J"),
        ("a\r\n\tb", r"a\u000d\u000a\u0009b"),
        ("\x7f\x9b\x00", r"\u007f\u009b\u0000"),
        ("\u202e\u2066\u2069\u200e\u200f\u061c", r"\u202e\u2066\u2069\u200e\u200f\u061c"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\udcff\ud800", r"\udcff\ud800"),
        ("a\u200bb\u200d\ufeff\u00ad\u00a0", r"a\u200bb\u200d\ufeff\u00ad\u00a0"),
        ("\U000e0041", r"\udb40\udc41"),
    ],
)
def test_what_cannot_be_seen_is_an_escape(text: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert escaped(text) == shown
    print_json({text: [text]})
    printed = capsys.readouterr().out
    assert printed.replace("\n", "").isprintable()
    assert json.loads(printed) == {text: [text]}


@given(st.text())
def test_any_text_is_one_visible_line(text: str) -> None:
    assert escaped(text).isprintable()
    assert escaped(escaped(text)) == escaped(text)
    assert json.loads(escaped(json.dumps(text, ensure_ascii=False))) == text


@pytest.mark.parametrize("key", ["a b.csv", "it's.csv", "$(x)`y`\\n.csv", "\x1b[31m'\\.csv", "a\nb.csv"])
def test_bash_reads_a_suggested_key_as_it_was(key: str) -> None:
    word = shell_word(key)
    assert word.isprintable()
    assert (
        subprocess.run(["/bin/bash", "-c", f"printf %s {word}"], capture_output=True, check=True).stdout.decode() == key
    )


def test_what_moves_on_a_terminal_is_escaped_and_uncoloured() -> None:
    screen, keyboard = os.openpty()
    program = "from ops import display\nwith display.working('a\\x1b[31mb') as show: show('')"
    subprocess.run([sys.executable, "-c", program], stderr=keyboard, check=True)
    os.close(keyboard)
    os.set_blocking(screen, False)
    shown = os.read(screen, 4096).decode()
    os.close(screen)
    assert r"a\u001b[31mb ..." in shown
    assert set(re.findall(r"\x1b\[[\d;]*(.)", shown)) == {"K"}, "a line is erased, and nothing is coloured"


def test_one_thing_is_no_plural() -> None:
    assert [counted(number, "write unit") for number in (0, 1, 2_000)] == [
        "0 write units",
        "1 write unit",
        "2,000 write units",
    ]
    sources = [file for folder in ("ops", "local") for file in (PROJECT / folder).rglob("*.py")]
    fixed = [found for file in sources for found in re.findall(r"\{[^{}]*:,\} (?:[a-z]+ )?[a-z]+s\b", file.read_text())]
    assert fixed == [], "say a count with `counted`"


@pytest.mark.parametrize("columns", ["40", ""])
def test_progress_is_never_cut_in_a_pipe(columns: str) -> None:
    what = "reading " + "x" * 300
    program = f"from ops import display\nwith display.working({what!r}): pass"
    environment = os.environ | ({"COLUMNS": columns} if columns else {})
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == f"{what} ...\n"


def test_a_line_is_no_part_of_the_progress_on_a_terminal() -> None:
    screen, keyboard = os.openpty()
    program = (
        "from ops import display\nwith display.working('w' * 300): display.say_meanwhile('a\\x1b[31m ' + 'b' * 300)"
    )
    subprocess.run([sys.executable, "-c", program], stderr=keyboard, check=True)
    os.close(keyboard)
    os.set_blocking(screen, False)
    shown = os.read(screen, 4096).decode()
    os.close(screen)
    assert f"\r\x1b[Ka\\u001b[31m {'b' * 300}\r\n" in shown
    assert f"{'w' * 79}\r\x1b" in shown, "cut to the width of the terminal"
