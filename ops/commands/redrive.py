"""`redrive`."""

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import click

from ops import display, failures, waiting
from ops.brake import paused
from ops.commands import options
from ops.commands.messages import as_json, counted, print_messages
from ops.commands.uploads import print_uploads
from ops.pipeline import Pipeline
from ops.redrive import Redriven, redrive_all


@click.command(
    name="redrive",
    epilog="Example: python -m ops redrive --dry-run --prefix incoming/",
    context_settings={"token_normalize_func": lambda name: "prefix" if name == "key-prefix" else name},  # its old name
)
@click.option("--dry-run", is_flag=True, help="List the messages, and leave them in the queue.")
@click.option("--discard", is_flag=True, help="Delete the messages instead; needs --prefix.")
@options.prefix
@options.rate
@click.option("--wait", "wait_", is_flag=True, help="Wait for the uploads, and say what became of them.")
@options.timeout
@options.as_json
@click.pass_obj
def redrive_command(
    find: options.Find,
    *,
    dry_run: bool,
    discard: bool,
    prefix: str,
    rate: float,
    wait_: bool,
    timeout: int,
    json_: bool,
) -> None:
    """Deliver the events in the failure queue again.

    Each event goes to the function of its feed. A message is deleted after its event was accepted. Exit code 1 if a
    message had to be kept; with --wait, unless every upload is complete without a rejected row.
    """
    delivers = not dry_run and not discard
    if discard and not prefix:
        raise click.UsageError("--discard needs --prefix: name what nobody will want any more")
    if wait_ and not delivers:
        raise click.UsageError("--wait has nothing to wait for: nothing is delivered")
    pipeline = find()
    stopped = paused(pipeline.feeds) if delivers else []
    if len(stopped) == len(pipeline.feeds):
        options.refuse_if_paused(pipeline, stopped)
    begun = failures.clock(pipeline)
    with display.working("reading the failure queue"):
        done = redrive_all(pipeline, prefix=prefix, dry_run=dry_run, discard=discard, rate=rate, paused=stopped)
    if not json_:
        print_messages(done, prefix)
    elif not wait_:
        display.print_json(list(map(as_json, done)))
    _print_next(pipeline, done, prefix, dry_run=dry_run)
    are_complete = _wait(pipeline, done, begun, timeout, json_=json_) if wait_ else True
    are_gone = dry_run or all(each.is_good for each in done)
    sys.exit(0 if are_gone and are_complete else 1)


def _wait(pipeline: Pipeline, done: Sequence[Redriven], begun: datetime, timeout: int, *, json_: bool) -> bool:
    """Wait for the uploads and show them; returns whether each is complete without a rejected row."""
    delivered = [each.failure for each in done if each.action == "delivered"]
    versions = list(dict.fromkeys(version for failure in delivered for version in failure.versions))
    with display.working("waiting") as show:
        ended = waiting.wait(pipeline, versions, begun=begun, seconds=timeout, progress=show)
    print_uploads(ended, json_=json_)
    return all(each.is_good for each in ended)


def _print_next(pipeline: Pipeline, done: Sequence[Redriven], prefix: str, *, dry_run: bool) -> None:
    """Say, beside the result, how much was done and what can be done next."""
    if not done:
        if hidden := failures.count(pipeline).hidden:
            display.say(f"{hidden:,} are hidden for up to five minutes: another command looks at them.", err=True)
        return
    actions = Counter(each.action.partition(":")[0] for each in done)
    sums = ", ".join(f"{number:,} {action}" for action, number in actions.items())
    display.say(f"{counted(done)}: {sums}", err=True)
    if dry_run:
        chosen = ["--prefix", prefix] if prefix else []
        display.say(f"To deliver them again: {display.command('redrive', *chosen, '--wait')}", err=True)
