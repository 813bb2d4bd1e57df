"""How the messages of the failure queue are shown."""

from collections.abc import Sequence

from csv_ingest.failure import CONDITIONS, NO_REASON, REJECTION, Failure

from .. import display, redrive, wording


def as_json(redriven: redrive.Redriven) -> dict[str, str]:
    failure = redriven.failure
    return {
        "keys": ", ".join(failure.keys),
        "condition": failure.condition,
        "reason": failure.reason,
        "action": redriven.action,
        "sent_at": failure.sent_at.isoformat(),
        "function": failure.function,
    }


def print_messages(done: Sequence[redrive.Redriven], prefix: str, only: Sequence[str]) -> None:
    """Show what was done; messages of one upload that say the same are shown together."""
    if not done:
        about = f" about a key that begins with '{prefix}'" if prefix else ""
        condition = f" with the condition {' or '.join(only)}" if only else ""
        display.say(f"There is no message{about}{condition} in the failure queue.")
        return
    groups: dict[tuple[object, ...], list[Failure]] = {}
    for redriven in sorted(done, key=lambda each: each.failure.sent_at):
        failure = redriven.failure
        uploads = tuple((subject.key, subject.version) for subject in failure.subjects)
        same = uploads, failure.function, failure.condition, failure.reason, redriven.action
        groups.setdefault(same, []).append(failure)
    for (*_, action), group in groups.items():
        _print_group(group, str(action))


def _print_group(group: list[Failure], action: str) -> None:
    first = group[0]
    display.say(_about(first))
    until = f" to {display.when(group[-1].sent_at)}" if len(group) > 1 else ""
    display.say(f"  {first.condition}, {display.when(first.sent_at)}{until} UTC, {_messages(group)}")
    display.say(f"  {first.reason or NO_REASON}")
    display.say(f"  {action}")


def _about(message: Failure) -> str:
    if message.outcome_of:
        return f"{message.outcome_of} (its outcome could not be told)"
    return ", ".join(subject.key for subject in message.subjects) or f"(no upload: an event of {message.function})"


def _messages(group: list[Failure]) -> str:
    jobs = [subject.part for failure in group for subject in failure.subjects if subject.part]
    jobs.sort(key=lambda job: (job.number, job.is_check))
    parts = ", ".join(f"{job.number:,}{' (check)' if job.is_check else ''}" for job in jobs)
    messages = wording.counted(len(group), "message")
    return f"{messages}, of part{'s' if len(jobs) > 1 else ''} {parts}" if parts else messages


def print_next(done: Sequence[redrive.Redriven], prefix: str) -> None:
    """Say, beside a list of messages that could be delivered, what can be done with them."""
    found = [each.failure for each in done if each.failure.event is not None]
    chosen = ["--prefix", prefix] if prefix else []
    if rejected := [each for each in found if each.condition == REJECTION]:
        _print_next_of_rejected(rejected, chosen, prefix)
    if others := {each.condition for each in found} - {REJECTION}:
        known = [each for each in CONDITIONS if each in others and rejected]
        again = display.command("redrive", *chosen, *_only(known), "--wait")
        display.say(f"To deliver {'the others' if rejected else 'them'} again: {again}", err=True)


def _print_next_of_rejected(rejected: Sequence[Failure], chosen: Sequence[str], prefix: str) -> None:
    vain = "delivered in vain until the file or the settings are corrected"
    messages = wording.counted(len(rejected), "message")
    display.say(f"{messages} with the condition {REJECTION}: {vain}.", err=True)
    after = display.command("redrive", *chosen, *_only([REJECTION]), "--wait")
    display.say(f"After the settings were corrected: {after}", err=True)
    key = next((subject.key for each in rejected for subject in each.subjects), prefix)
    acknowledge = display.command("acknowledge", "--reason", "...", key=key)
    display.say(f"If nobody needs the file any more: {acknowledge}", err=True)
    discard = display.command("redrive", "--discard", "--prefix", key)
    display.say(f"To delete its messages alone: {discard}", err=True)


def _only(conditions: Sequence[str]) -> list[str]:
    return [word for each in conditions for word in ("--only", each)]
