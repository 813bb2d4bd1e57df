"""`pause` and `resume`."""

import click

from .. import brake, display
from ..pipeline import DeployedFeed, Pipeline
from . import options


@click.command(name="pause", epilog="Example: csv-ingest pause --feed orders")
@options.feed
@click.pass_obj
def pause_command(find: options.Find, *, feed: str | None) -> None:
    """Start no delivery until `resume`: the emergency brake.

    Deliveries that run end. New events go to the failure queue at once, without retries.
    """
    pipeline = find(of_any_release=True)
    for each in options.feeds_named(pipeline, feed):
        brake.pause(each)
        display.say(f"Paused{_of_feed(pipeline, each)}.")
    chosen = ["--feed", feed] if feed else []
    display.say("Events that arrive now go to the failure queue at once, without retries, and raise its alarm.")
    display.say(f"To end the pause: {display.command('resume', *chosen)}")
    display.say(f"After it, deliver these events: {display.command('redrive', '--wait')}")


@click.command(name="resume", epilog="Example: csv-ingest resume && csv-ingest redrive")
@options.feed
@click.pass_obj
def resume_command(find: options.Find, *, feed: str | None) -> None:
    """End the pause: release the brake.

    The reserved concurrency is what the stack says, again.
    """
    pipeline = find(of_any_release=True)
    for each in options.feeds_named(pipeline, feed):
        reserved = brake.resume(pipeline, each)
        reservation = "no reservation" if reserved is None else f"a reserved concurrency of {reserved}"
        display.say(f"Resumed{_of_feed(pipeline, each)}, with {reservation}.")
    display.say(f"Deliver what arrived meanwhile: {display.command('redrive', '--wait')}")


def _of_feed(pipeline: Pipeline, feed: DeployedFeed) -> str:
    return "" if len(pipeline.feeds) == 1 else f" the feed {feed.name}"
