"""The sections of the page that list files. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from .. import display
from ..wording import counted
from . import figures
from .facts import Fact, Material
from .markup import Markup, element, table
from .parts import left_out, seconds, section

SHOWN_WAITING = 100

LONGEST_REASON = 300
"""Characters of a file's reason that are shown; `status KEY` shows all."""


def waiting(found: Material) -> Markup:
    """What is under way, the longest first, and the failure queue."""
    queue = f"The failure queue holds {counted(found.failures, 'message')}."
    if not found.waiting:
        return section("What waits", element("p", f"No file is under way. {queue}"))
    longest_first = sorted(found.waiting, key=lambda fact: fact.at)
    rows = [
        [_named(fact), fact.feed, _when(fact), _age(found.until - fact.at)] for fact in longest_first[:SHOWN_WAITING]
    ]
    heads = ["file", "feed", "last delivered (UTC)", "#ago"]
    return section(
        "What waits",
        element("p", f"Under way: {counted(len(found.waiting), 'file')}, of any age. {queue}"),
        table("Files under way", heads, rows, class_="files waiting"),
        left_out(len(found.waiting), SHOWN_WAITING, "file"),
    )


def _age(time: timedelta) -> str:
    return seconds(max(time.total_seconds(), 0.0))


def files(facts: Sequence[Fact]) -> Markup:
    """A line for each of the files, those that are not well first."""
    shown = figures.worst_first(facts)[: figures.LISTED]
    rows = [
        [
            _named(fact),
            element("span", fact.outcome.value, class_=f"outcome {fact.outcome.name.lower()}"),
            _when(fact),
            "" if fact.seconds is None else seconds(fact.seconds),
            f"{fact.read:,}",
            f"{fact.stored:,}",
            f"{fact.rejected:,}",
        ]
        for fact in shown
    ]
    heads = ["file", "outcome", "since (UTC)", "#took", "#read", "#stored", "#rejected"]
    made = table("Files, those that are not well first", heads, rows, class_="files all")
    return section("The files", made, left_out(len(facts), figures.LISTED, "file"))


def _named(fact: Fact) -> Markup:
    """The key, never cut, and why the file is as it is."""
    why = fact.why if len(fact.why) <= LONGEST_REASON else f"{fact.why[: LONGEST_REASON - 1]}…"
    said = [why, f"{counted(fact.superseded, 'row')} superseded" if fact.superseded else ""]
    if fact.is_acknowledged:
        said.append("acknowledged")
    lines = [element("small", each) for each in said if each]
    return Markup(element("span", fact.key, class_="key") + "".join(lines))


def _when(fact: Fact) -> Markup:
    return element("span", display.when(fact.at), class_="when")
