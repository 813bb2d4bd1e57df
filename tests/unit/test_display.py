"""What other people wrote is shown as it is, and cannot do anything to who reads it."""

import json
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.display import _as_word, escaped, print_json


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
    word = _as_word(key)
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
