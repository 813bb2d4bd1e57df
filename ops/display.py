"""The output for people and scripts: every line passes through `escaped`."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from csv_ingest import commands
from csv_ingest.escaping import escaped

from . import progress


def say(text: str, *, err: bool = False) -> None:
    """Print one line, to standard output or standard error, however long it is."""
    click.echo(escaped(text), err=err)


def say_coloured(text: str, word: str, colour: str | None) -> None:
    """Print one line, as `say`, to standard output; on a terminal, the first `word` of it has a colour.

    Not if NO_COLOR is set: https://no-color.org.
    """
    line = escaped(text)
    if colour and not os.environ.get("NO_COLOR"):
        line = line.replace(word, click.style(word, fg=colour), 1)
    click.echo(line)  # where there is no terminal, it leaves colours out


def say_meanwhile(text: str) -> None:
    """Print one line to standard error while `working` shows how far something is."""
    click.echo(f"{progress.ERASE if sys.stderr.isatty() else ''}{escaped(text)}", err=True)


def print_json(value: Any) -> None:
    """Print JSON; a parser reads the value as it was, with every character."""
    # Only the line ends between the values are left as they are: within texts, json.dumps has escaped them.
    for line in json.dumps(value, ensure_ascii=False, indent=2).split("\n"):
        say(line)


def print_json_list(values: Iterable[Any]) -> None:
    """Print a list as `print_json` does, and each value as soon as it is there."""
    separator = "["
    for value in values:
        click.echo(separator)
        lines = json.dumps(value, ensure_ascii=False, indent=2).split("\n")
        click.echo("\n".join(f"  {escaped(line)}" for line in lines), nl=False)
        separator = ","
    click.echo("\n]" if separator == "," else "[]")


def command(*words: str, key: str = "") -> str:
    """A command for the reader to run next, on the same stack, as `commands.command` writes it."""
    return commands.command(stack(), *words, key=key)


def stack() -> str:
    """What `--stack` is, or would be."""
    named: str = click.get_current_context().find_root().params["stack"]
    return named


def when(time: datetime | None) -> str:
    """A time for people, UTC, 19 characters."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if time else ""


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Say what is going on and for how long, and, by the function that is yielded, how far it is."""
    with progress.working(escaped(what)) as show:
        yield lambda detail: show(escaped(detail))
