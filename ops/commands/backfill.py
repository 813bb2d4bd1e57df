"""`backfill`."""

import sys

import click

from .. import display, redrive
from . import guards, options, uploads


@click.command(name="backfill", epilog="Example: csv-ingest backfill --prefix 2025/ --rate 5")
@click.option("--prefix", required=True, help="Only objects whose key begins with this; '' for all.")
@options.feed
@options.rate
@click.option("--again", is_flag=True, help="Also deliver what is settled: a complete file costs it one read.")
@options.as_json
@click.pass_obj
def backfill_command(
    find: options.Find, *, prefix: str, feed: str | None, rate: float, again: bool, json_: bool
) -> None:
    """Deliver objects that the trigger did not.

    They were there before the trigger was, or shall be delivered again. Interrupted, it is resumed by the same command:
    what is settled by then is passed over, at one read per upload. Exit code 1 if there is no such object.
    """

    def text(done: redrive.Backfilled) -> str:
        expired = f", {done.expired:,} left out: older than keep_rows_days" if done.expired else ""
        return f"{done.delivered:,} delivered, {done.settled_before:,} settled before{expired}"

    pipeline = find()
    only = options.feed_named(pipeline, feed)
    concerned = [each for each in ([only] if only else pipeline.feeds) if each.concerns(prefix)]
    guards.refuse_if_paused(pipeline, concerned)
    with display.working("backfill") as show:
        done = redrive.backfill(
            pipeline, prefix=prefix, feed=only, rate=rate, again=again, progress=lambda so_far: show(text(so_far))
        )
    nothing = not any(done)
    if json_:
        display.print_json(done._asdict())
    if nothing:
        display.say(f"There is no upload whose key begins with '{prefix}': nothing was delivered.", err=True)
        uploads.say_what_is_ignored(pipeline, prefix)
    elif not json_:
        display.say(text(done))
    if done.delivered:
        display.say(f"To see what became of them: {display.command('status')}", err=True)
    sys.exit(1 if nothing else 0)
