"""`status --watch`: a screen that is drawn again in its place, or, where there is no terminal, a line per change."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from rich import cells
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from csv_ingest.escaping import escaped

from .. import changes, display, failures, watching, wording
from ..alarms import Alarm
from ..pipeline import DeployedFeed, Pipeline
from ..watching import FeedLook, FileLook, Look

FILES = 20
"""Files in flight that are named where there is no terminal."""

HEADER = f"{'feed':<20} {'in flight':>9} {'complete':>10} {'rejected':>9} {'rows/s':>9}"
"""61 columns, and `  paused` after them."""


def watch(pipeline: Pipeline, feeds: Sequence[DeployedFeed], *, interval: float, until_idle: bool) -> int:
    """Watch until Ctrl-C or, with `until_idle`, until nothing is in flight; returns the exit code."""
    console = Console(file=sys.stdout, markup=False, emoji=False, highlight=False)
    on_terminal = sys.stdout.isatty() and not console.is_dumb_terminal
    begun, begun_here = failures.clock(pipeline), time.monotonic()
    looks = watching.looks(
        pipeline,
        feeds,
        now=lambda: begun + timedelta(seconds=time.monotonic() - begun_here),
        wait=lambda: time.sleep(interval),
        shown=lambda: console.height // 2 if on_terminal else FILES,
        until_idle=until_idle,
    )
    last = None
    try:
        for look in _drawn(console, pipeline.stack, looks) if on_terminal else _said(looks):
            last = look
    except KeyboardInterrupt:
        pass  # so a watch ends
    return 0 if last and last.is_well else 1


def _said(looks: Iterable[Look]) -> Iterator[Look]:
    """Print a line per change; yields each look after that."""
    before = None
    for look in looks:
        for line in changes.changes(before, look):
            display.say(f"{display.when(look.at)}  {line}")
        yield look
        before = look


def _drawn(console: Console, stack: str, looks: Iterable[Look]) -> Iterator[Look]:
    """Draw each look in the place of the one before; yields each look after that."""
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for look in looks:
            live.update(Group(*screen(look, stack, console.width, console.height)), refresh=True)
            yield look


def screen(look: Look, stack: str, width: int, height: int) -> list[Text]:
    """The lines of a look, each cut to the width; fewer than the height, if that is 21 or more."""
    begin = [
        _line(f"{stack}, {display.when(look.at)} UTC, counts since {look.since:%H:%M:%S}; Ctrl-C ends it"),
        _line(""),
        _line(HEADER),
        *_bounded([_of_feed(feed) for feed in look.feeds], height // 4, "feed"),
        _line(""),
    ]
    end = [
        _line(changes.in_queue(look.failures), "red" if any(look.failures) else ""),
        _line("alarms that are on:", "red") if look.alarms else _line("no alarm is on"),
        *_bounded([_of_alarm(alarm) for alarm in look.alarms], height // 4, "alarm"),
    ]
    # Two lines a file; one for how many more there are, one that is empty, and one where the cursor is.
    files = look.files[: max(1, (height - len(begin) - len(end) - 3) // 2)]
    middle = [line for file in files for line in _of_file(file, width)]
    if more := max(0, look.in_flight - len(files)):
        middle.append(_line(f"and {wording.counted(more, 'more file')} in flight"))
    lines = [*begin, *middle, *([_line("")] if middle else []), *end]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def _of_feed(feed: FeedLook) -> Text:
    tally = feed.tally
    numbers = f"{feed.in_flight:>9,} {tally.complete:>10,} {tally.rejected:>9,} {tally.rows_per_second:>9,.0f}"
    line = _line(f"{feed.name:<20} {numbers}")
    return line.append("  paused", style="yellow") if feed.is_paused else line


def _of_file(file: FileLook, width: int) -> list[Text]:
    """A line with the end of the key, as much as there is room for, and one about the file."""
    key = escaped(file.record.object_key)
    while cells.cell_len(key) > width:
        key = f"...{key[4:]}"
    begun = f"since {display.when(file.record.started_at)[-8:]}: " if file.record.started_at else ""
    return [_line(key), _line(f"  {begun}{file.progress}", "yellow" if file.record.last_error else "")]


def _of_alarm(alarm: Alarm) -> Text:
    return _line(f"  {alarm.name}: {alarm.meaning}", "red")


def _bounded(lines: list[Text], most: int, noun: str) -> list[Text]:
    """The first of the lines, and how many more there are."""
    if len(lines) <= max(most, 2):
        return lines
    shown = lines[: max(most, 2) - 1]
    return [*shown, _line(f"and {wording.counted(len(lines) - len(shown), f'more {noun}')}")]


def _line(text: str, style: str = "") -> Text:
    """A line with nothing in it that steers the terminal; rich does not look for markup in a Text."""
    return Text(escaped(text), style, no_wrap=True)
