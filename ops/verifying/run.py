"""One run: the checks in their order, and what was uploaded for them forgotten at the end."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from csv_ingest.commands import command
from csv_ingest.model import OwnerNeeded, PipelineError

from .. import erasing, forgetting, redrive
from . import account, engine, files, logs, operating, telling
from .report import Failed, Outcome, Result, Skipped
from .trial import Trial

Check = Callable[[Trial], str]

BEFORE: dict[str, Check] = {
    "concurrency": account.concurrency,
    "bootstrap": account.bootstrap,
    "versions of the bucket": account.versioning,
    "notifications of the bucket": account.notifications,
    "key of the bucket": account.key,
    "roles of the functions": account.roles,
    "what expires is deleted": account.expiry,
    "tables in PostgreSQL": account.schema,
}
"""Nothing is uploaded as long as one of them fails."""

CHECKS: dict[str, Check] = {
    "DynamoDB: insertions": engine.insertion,
    "DynamoDB: conditions": engine.condition,
    "DynamoDB: one key twice": engine.same_key_twice,
    "DynamoDB: conflicts": engine.conflicts,
    "a malformed event is sent": operating.send_malformed,
    "a small file": files.small,
    "the same file again": files.again,
    "a packed file": files.packed,
    "bad rows": files.bad_rows,
    "a large file, in parts": files.large,
    "an unreadable file, and a redrive": files.unreadable,
    "a pause, and a redrive": operating.pause,
    "the sweep": operating.sweep,
    "an event on the bus": telling.event,
    "an alarm": telling.alarm,
    "the malformed event": operating.malformed,
    "the rows, compared": files.as_uploaded,
    "REPORT lines": logs.reports,
}

AT_ONCE = 10  # files that are forgotten at a time: each waits for running deliveries


def verify(trial: Trial, tell: Callable[[Result], None]) -> list[Result]:
    """Make the checks one after the other, each told as soon as it is made; returns their results.

    If one of those before the first upload fails, the others are not made. What they have uploaded is forgotten,
    however this ends.
    """
    results: list[Result] = []

    def note(result: Result) -> None:
        results.append(result)
        tell(result)

    try:
        for name, check in BEFORE.items():
            note(_made(trial, name, check))
        good = all(result.outcome is not Outcome.FAILED for result in results)
        for name, check in CHECKS.items():
            note(_made(trial, name, check) if good else Result(name, Outcome.SKIPPED, "first what failed above"))
    finally:
        note(clean(trial))
    return results


def _made(trial: Trial, name: str, check: Check) -> Result:
    trial.progress(name)
    try:
        return Result(name, Outcome.PASSED, check(trial))
    except Skipped as reason:
        return Result(name, Outcome.SKIPPED, str(reason))
    except (Failed, PipelineError) as error:
        return Result(name, Outcome.FAILED, str(error))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        said = f"{error.operation_name} answered {code}: whoever runs this needs the permission, or AWS is disturbed"
        return Result(name, Outcome.FAILED, said)
    except (BotoCoreError, Boto3Error) as error:
        return Result(name, Outcome.FAILED, f"AWS was not reached: {error}")


def clean(trial: Trial) -> Result:
    """Forget what a run has uploaded, and its messages in the failure queue; says what is left, and what to do."""
    trial.progress("forgetting what was uploaded")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = [each for each in pool.map(lambda key: _forget(trial, key), trial.keys) if each]
    found += [each for each in (_discard(trial), _late(trial)) if each]
    is_failed = any(outcome is Outcome.FAILED for outcome, _ in found)
    outcome = Outcome.FAILED if is_failed else Outcome.SKIPPED if found else Outcome.PASSED
    return Result("nothing is left", outcome, "; ".join(said for _, said in found))


Left = tuple[Outcome, str]
"""What is left: SKIPPED if nothing is wrong about that."""


def _forget(trial: Trial, key: str) -> Left | None:
    again = command(trial.stack, "forget", key=key)
    try:
        forgetting.forget(forgetting.forgetting_of(trial.pipeline, key))
    except OwnerNeeded as statement:
        said = f"{key}: as the owner of the table, run `{statement}`, then `{again}`"
        return Outcome.SKIPPED, said
    except (erasing.NotErasable, PipelineError, ClientError, BotoCoreError) as error:
        return Outcome.FAILED, f"{key}: {error}: run `{again}`"
    return None


def _discard(trial: Trial) -> Left | None:
    try:
        redrive.redrive_all(trial.pipeline, wanted=trial.is_own, discard=True)
    except (ClientError, BotoCoreError) as error:
        return Outcome.FAILED, f"messages in the failure queue: {error}: run `{_to_discard(trial)}`"
    return None


def _late(trial: Trial) -> Left | None:
    if not trial.awaits_malformed:
        return None
    said = f"in some minutes, a message about a malformed event comes to the failure queue: run `{_to_discard(trial)}`"
    return Outcome.SKIPPED, said


def _to_discard(trial: Trial) -> str:
    return command(trial.stack, "redrive", "--discard", "--prefix", trial.folder)
