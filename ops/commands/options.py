"""The options of several commands, and the feeds that they name."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import click

from ..pipeline import DeployedFeed, NoFeed, Pipeline


class Find(Protocol):
    """Finds the pipeline. A command calls it after its options were checked.

    Says if the deployment is of another release. Raises OtherRelease, unless the command works on any release.
    """

    def __call__(self, *, of_any_release: bool = False) -> Pipeline: ...


as_json = click.option("--json", "json_", is_flag=True, help="Print JSON, for scripts.")
prefix = click.option("--prefix", default="", help="Only objects whose key begins with this.")
feed = click.option("--feed", metavar="NAME", help="Only this feed; without it, all feeds.")

# A message that is being redriven stays hidden for five minutes, and ten of them are received together.
rate = click.option(
    "--rate", default=10.0, show_default=True, type=click.FloatRange(min=0.1), help="Deliveries per second, at most."
)

timeout = click.option(
    "--timeout", default=600, show_default=True, type=click.IntRange(min=0), help="Seconds to wait for the outcome."
)

yes = click.option("--yes", is_flag=True, help="Do not ask.")


def ask(*, yes: bool) -> None:
    """Ask on standard error whether to go on; without a yes, ends the command: exit code 1, and nothing was done."""
    try:
        if yes or click.confirm("Go on?", err=True):
            return
    except click.Abort:  # the input has ended, as that of a script, or Ctrl-C was pressed
        click.echo(err=True)
    raise click.ClickException("nothing was done; with --yes, the command does not ask")


class _Since(click.ParamType[datetime]):
    """A time in UTC: so long ago, or a date or a time in ISO 8601."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            if ago := re.fullmatch("([0-9]+)([mhdw])", value):
                return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            given = datetime.fromisoformat(value)
            return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time: give one such as 7d, 12h or 2026-11-21T08:00", param, ctx)


_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

SINCE = _Since()


def feed_named(pipeline: Pipeline, name: str | None) -> DeployedFeed | None:
    """The feed that was named, or None if none was; ends the command, as called wrongly, if there is no such feed."""
    try:
        return None if name is None else pipeline.feed_named(name)
    except NoFeed as error:
        raise click.UsageError(str(error)) from error


def feeds_named(pipeline: Pipeline, name: str | None) -> Sequence[DeployedFeed]:
    """The feed that was named, as `feed_named`, or all feeds."""
    named = feed_named(pipeline, name)
    return [named] if named else pipeline.feeds


def one_feed(pipeline: Pipeline, name: str | None) -> DeployedFeed:
    """The feed that was named, as `feed_named`, or the only one; ends the command if none of several was named."""
    feeds = feeds_named(pipeline, name)
    if len(feeds) > 1:
        raise click.UsageError(f"--feed is needed; the feeds are: {', '.join(each.name for each in feeds)}")
    return feeds[0]
