"""`redrive`."""

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import click

from ops import display, failures, waiting
from ops.commands import options
from ops.commands.status import print_uploads
from ops.failure import NO_REASON, Failure
from ops.pipeline import Pipeline
from ops.redrive import Redriven, redrive_all
from ops.status import UploadStatus


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

    A message is deleted after its event was accepted. Exit code 1 if a message had to be kept; with --wait, unless
    every upload is complete without a rejected row.
    """
    if discard and not prefix:
        raise click.UsageError("--discard needs --prefix: name what nobody will want any more")
    if wait_ and (dry_run or discard):
        raise click.UsageError("--wait has nothing to wait for: nothing is delivered")
    pipeline = find()
    if not dry_run and not discard:
        options.refuse_if_paused(pipeline)
    begun = failures.clock(pipeline)
    with display.working("reading the failure queue"):
        done = redrive_all(pipeline, prefix=prefix, dry_run=dry_run, discard=discard, rate=rate)
    if not json_:
        _print(done, prefix)
    elif not wait_:
        display.print_json(list(map(_as_json, done)))
    _print_next(pipeline, done, prefix, dry_run=dry_run)
    good = dry_run or all(each.is_good for each in done)
    if wait_:
        ended = _wait(pipeline, done, begun, timeout)
        print_uploads(ended, json_=json_)
        good = good and all(each.is_good for each in ended)
    sys.exit(0 if good else 1)


def _wait(pipeline: Pipeline, done: Sequence[Redriven], begun: datetime, timeout: int) -> list[UploadStatus]:
    delivered = [each.failure for each in done if each.action == "delivered"]
    versions = list(dict.fromkeys(version for failure in delivered for version in failure.versions))
    with display.working("waiting") as show:
        return waiting.wait(pipeline, versions, begun=begun, seconds=timeout, progress=show)


def _as_json(redriven: Redriven) -> dict[str, str]:
    failure = redriven.failure
    return {
        "keys": ", ".join(failure.keys),
        "condition": failure.condition,
        "reason": failure.reason,
        "action": redriven.action,
        "sent_at": failure.sent_at.isoformat(),
        "function": failure.function,
    }


def _print(done: Sequence[Redriven], prefix: str) -> None:
    """Show what was done; messages of one upload that say the same are shown together."""
    if not done:
        about = f" about a key that begins with '{prefix}'" if prefix else ""
        display.say(f"There is no message{about} in the failure queue.")
        return
    groups: dict[tuple[object, ...], list[Failure]] = {}
    for redriven in sorted(done, key=lambda each: each.failure.sent_at):
        failure = redriven.failure
        uploads = tuple((subject.key, subject.version) for subject in failure.subjects)
        same = uploads, failure.function, failure.condition, failure.reason, redriven.action
        groups.setdefault(same, []).append(failure)
    for (*_, action), group in groups.items():
        _print_group(group, str(action))


def _print_next(pipeline: Pipeline, done: Sequence[Redriven], prefix: str, *, dry_run: bool) -> None:
    """Say, beside the result, how much was done and what can be done next."""
    if not done:
        if hidden := failures.count(pipeline).hidden:
            display.say(f"{hidden:,} are hidden for up to five minutes: another command looks at them.", err=True)
        return
    actions = Counter(each.action.partition(":")[0] for each in done)
    sums = ", ".join(f"{number:,} {action}" for action, number in actions.items())
    display.say(f"{_count(done)}: {sums}", err=True)
    if dry_run:
        chosen = ["--prefix", prefix] if prefix else []
        display.say(f"To deliver them again: {display.command('redrive', *chosen, '--wait')}", err=True)


def _print_group(group: list[Failure], action: str) -> None:
    first = group[0]
    display.say(", ".join(subject.key for subject in first.subjects) or f"(no upload: an event of {first.function})")
    until = f" to {display.when(group[-1].sent_at)}" if len(group) > 1 else ""
    display.say(f"  {first.condition}, {display.when(first.sent_at)}{until} UTC, {_messages(group)}")
    display.say(f"  {first.reason or NO_REASON}")
    display.say(f"  {action}")


def _messages(group: list[Failure]) -> str:
    jobs = sorted(subject.part for failure in group for subject in failure.subjects if subject.part)
    parts = ", ".join(f"{job.number:,}{' (check)' if job.is_check else ''}" for job in jobs)
    return f"{_count(group)}, of part {parts}" if parts else _count(group)


def _count(messages: Sequence[object]) -> str:
    return "1 message" if len(messages) == 1 else f"{len(messages):,} messages"
