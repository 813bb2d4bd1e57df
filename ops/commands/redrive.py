"""`redrive`."""

import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial

import click

from csv_ingest.uploads import ObjectVersion
from ops import brake, display, failures
from ops.commands import messages, options, uploads
from ops.failure import CONDITIONS, REJECTION, Failure
from ops.feed import DeployedFeed
from ops.pipeline import Pipeline
from ops.redrive import Redriven, redrive_all
from ops.wording import counted


@click.command(
    name="redrive",
    epilog="Example: python -m ops redrive --dry-run --prefix incoming/",
    context_settings={"token_normalize_func": lambda name: "prefix" if name == "key-prefix" else name},  # its old name
)
@click.option("--dry-run", is_flag=True, help="List the messages, and leave them in the queue.")
@click.option("--discard", is_flag=True, help="Delete the messages instead; needs --prefix.")
@options.prefix
@click.option("--only", multiple=True, type=click.Choice(CONDITIONS), help="Only messages with this condition.")
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
    delivers = not dry_run and not discard
    _require_sense(discards_all=discard and not prefix, waits_in_vain=wait_ and not delivers)
    pipeline = find()
    stopped = _paused(pipeline) if delivers else []
    begun = failures.clock(pipeline)
    with display.working("reading the failure queue"):
        wanted = partial(_is_chosen, prefix=prefix, only=only)
        done = redrive_all(pipeline, wanted=wanted, dry_run=dry_run, discard=discard, rate=rate, paused=stopped)
    if not json_:
        messages.print_messages(done, prefix, only)
    elif not wait_:
        display.print_json(list(map(messages.as_json, done)))
    hidden = 0 if done else failures.count(pipeline).hidden
    _print_sums(done, hidden)
    if dry_run:
        options.say_if_paused(pipeline, pipeline.feeds)
        _print_next([each.failure for each in done if each.failure.event is not None], prefix)
    are_complete = not wait_ or uploads.wait_and_print(
        pipeline, _delivered(done), begun=begun, seconds=timeout, json_=json_
    )
    sys.exit(0 if are_complete and _are_gone(done, hidden=hidden if dry_run else 0) else 1)


def _require_sense(*, discards_all: bool, waits_in_vain: bool) -> None:
    if discards_all:
        raise click.UsageError("--discard needs --prefix: name what nobody will want any more")
    if waits_in_vain:
        raise click.UsageError("--wait has nothing to wait for: nothing is delivered")


def _paused(pipeline: Pipeline) -> Sequence[DeployedFeed]:
    """The feeds that are paused; ends the command if all are."""
    found = brake.paused(pipeline.feeds)
    if len(found) == len(pipeline.feeds):
        options.refuse_if_paused(pipeline, found)
    return found


def _are_gone(done: Sequence[Redriven], *, hidden: int) -> bool:
    return not hidden and all(each.is_good for each in done)


def _is_chosen(failure: Failure, *, prefix: str, only: Sequence[str]) -> bool:
    has_prefix = not prefix or any(key.startswith(prefix) for key in failure.keys)
    return has_prefix and (not only or failure.condition in only)


def _delivered(done: Sequence[Redriven]) -> list[ObjectVersion]:
    """The object versions that were delivered, each once."""
    delivered = [each.failure for each in done if each.action == "delivered"]
    return list(dict.fromkeys(version for failure in delivered for version in failure.versions))


def _print_sums(done: Sequence[Redriven], hidden: int) -> None:
    """Say, beside the result, how much was done."""
    if hidden:
        found = f"{counted(hidden, 'message')} hidden for up to five minutes"
        display.say(f"{found}: another command looks at the queue.", err=True)
    if not done:
        return
    actions = Counter(each.action.partition(":")[0] for each in done)
    sums = ", ".join(f"{number:,} {action}" for action, number in actions.items())
    display.say(f"{counted(len(done), 'message')}: {sums}", err=True)


def _print_next(found: Sequence[Failure], prefix: str) -> None:
    """Say, beside a list of messages that could be delivered, what can be done with them."""
    chosen = ["--prefix", prefix] if prefix else []
    rejected = [each for each in found if each.condition == REJECTION]
    others = {each.condition for each in found} - {REJECTION}
    if rejected:
        vain = "delivered in vain until the file or the settings are corrected"
        display.say(f"{counted(len(rejected), 'message')} with the condition {REJECTION}: {vain}.", err=True)
        after = display.command("redrive", *chosen, "--only", REJECTION, "--wait")
        display.say(f"After the settings were corrected: {after}", err=True)
        key = next((subject.key for each in rejected for subject in each.subjects), prefix)
        acknowledge = display.command("acknowledge", "--reason", "...", key=key)
        display.say(f"If nobody needs the file any more: {acknowledge}", err=True)
        discard = display.command("redrive", "--discard", "--prefix", key)
        display.say(f"To delete its messages alone: {discard}", err=True)
    if others:
        only = [word for each in CONDITIONS if each in others for word in ("--only", each)] if rejected else []
        again = display.command("redrive", *chosen, *only, "--wait")
        display.say(f"To deliver {'the others' if rejected else 'them'} again: {again}", err=True)
