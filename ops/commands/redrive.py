"""`redrive`."""

import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial

import click

from csv_ingest import failure

from .. import brake, display, failures, redrive, wording
from ..pipeline import DeployedFeed, Pipeline
from . import guards, messages, options, uploads


@click.command(
    name="redrive",
    epilog="Example: csv-ingest redrive --dry-run --prefix incoming/",
    context_settings={"token_normalize_func": lambda name: "prefix" if name == "key-prefix" else name},  # its old name
)
@click.option("--dry-run", is_flag=True, help="List the messages, and leave them in the queue.")
@click.option("--discard", is_flag=True, help="Delete the messages instead; needs --prefix or --only.")
@options.prefix
@click.option(
    "--only",
    multiple=True,
    metavar="CONDITION",
    type=click.Choice(failure.CONDITIONS),
    help="Only messages with this condition, such as Rejected.",
)
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
    only: Sequence[str],
    rate: float,
    wait_: bool,
    timeout: int,
    json_: bool,
) -> None:
    """Deliver the events in the failure queue again.

    Each event goes to the function of its feed. A message is deleted after its event was accepted. Exit code 1 if a
    message stays in the queue, as with --dry-run each does; with --wait, unless every upload is complete without a
    rejected row. A message that is Rejected is delivered in vain until its file or the settings are corrected.
    """
    _require_sense(discard=discard, prefix=prefix, only=only, wait_=wait_, dry_run=dry_run)
    pipeline = find()
    stopped = [] if dry_run or discard else _paused(pipeline)
    begun = failures.clock(pipeline)
    with display.working("reading the failure queue"):
        wanted = partial(_is_chosen, prefix=prefix, only=only)
        done = redrive.redrive_all(pipeline, wanted=wanted, dry_run=dry_run, discard=discard, rate=rate, paused=stopped)
    if not json_:
        messages.print_messages(done, prefix, only)
    elif not wait_:
        display.print_json(list(map(messages.as_json, done)))
    hidden = 0 if done else failures.count(pipeline).hidden
    _print_sums(done, hidden)
    is_good = all(each.is_good for each in done)
    if dry_run:
        guards.say_if_paused(pipeline, pipeline.feeds)
        messages.print_next(done, prefix)
        is_good &= not hidden
    if wait_:
        versions = redrive.delivered(done)
        is_good &= uploads.wait_and_print(pipeline, versions, begun=begun, seconds=timeout, json_=json_)
    sys.exit(int(not is_good))


def _require_sense(*, discard: bool, prefix: str, only: Sequence[str], wait_: bool, dry_run: bool) -> None:
    if discard and not prefix and not only:
        raise click.UsageError("--discard needs --prefix or --only: name what nobody will want any more")
    if wait_ and (dry_run or discard):
        raise click.UsageError("--wait has nothing to wait for: nothing is delivered")


def _paused(pipeline: Pipeline) -> Sequence[DeployedFeed]:
    """The feeds that are paused; ends the command if all are."""
    found = brake.paused(pipeline.feeds)
    if len(found) == len(pipeline.feeds):
        guards.refuse_if_paused(pipeline, found)
    return found


def _is_chosen(message: failure.Failure, *, prefix: str, only: Sequence[str]) -> bool:
    has_prefix = not prefix or any(key.startswith(prefix) for key in message.keys)
    return has_prefix and (not only or message.condition in only)


def _print_sums(done: Sequence[redrive.Redriven], hidden: int) -> None:
    if hidden:
        found = f"{wording.counted(hidden, 'message')} hidden for up to five minutes"
        display.say(f"{found}: another command looks at the queue.", err=True)
    if not done:
        return
    actions = Counter(each.action.partition(":")[0] for each in done)
    sums = ", ".join(f"{number:,} {action}" for action, number in actions.items())
    display.say(f"{wording.counted(len(done), 'message')}: {sums}", err=True)
