"""The page of a report: its sections, in the order in which they are read. Pure."""

from collections.abc import Iterator
from pathlib import Path
from string import Template

from .. import display
from . import figures, listed, sections
from .drawings import drawings
from .facts import Material
from .markup import Markup, element, html

STYLE = Path(__file__).with_name("page.css")

# The policy has the browser load nothing and run nothing, whatever is in the page.
PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
$style</style>
</head>
<body>
<header>
<h1>$title</h1>
$about
</header>
<main>
$main
</main>
<footer>
$footer
</footer>
</body>
</html>
""")

NOT_HERE = (
    "Not here: uploads without a delivery, which the command status finds; and those that were settled before"
    " release 1.4."
)


def page_of(found: Material) -> str:
    """The page about what was read, in HTML."""
    title = f"Uploads of {found.stack}"
    return PAGE.substitute(
        title=html(title),
        style=STYLE.read_text(encoding="utf-8"),
        about=element("p", _about(found)),
        main="\n".join(_sections(found)),
        footer=element("p", "Made by ", element("code", "csv-ingest report"), f" from the ledger. {NOT_HERE}"),
    )


def _about(found: Material) -> str:
    names = ", ".join(found.feeds)
    feeds = f"the feed {names}" if len(found.feeds) == 1 else f"the feeds {names}"
    return f"From {display.when(found.since)} to {display.when(found.until)} UTC, {feeds}."


def _sections(found: Material) -> Iterator[Markup]:
    facts = found.facts
    yield sections.summary(found)
    if recent := [fact for fact in facts if fact.at >= found.since]:
        yield drawings(recent, figures.steps(recent, found.since, found.until))
        yield sections.durations(found.settled)
    yield listed.waiting(found)
    yield sections.rejects(found)
    if facts:
        yield sections.costs(found)
        yield listed.files(facts)
