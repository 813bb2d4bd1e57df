"""What people and schedules do: a pause, a redrive, the sweep; and an event that nobody understands."""

import json
import time
from datetime import datetime

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from csv_ingest import ledger, queues
from csv_ingest.failure import Failure

from .. import brake, redrive
from .report import Failed, Skipped
from .sample import Sample
from .trial import Trial

PAUSED = "ZeroReservedConcurrency"
"""The condition of a message about an event that came during a pause."""

EFFECT_SECONDS = 5.0

PAUSED_SECONDS = 60.0
"""A feed is paused no longer, whatever happens."""


def send_malformed(trial: Trial) -> str:
    """Put an event that nobody understands into Lambda's queue; `malformed` looks what became of it."""
    s3 = {"bucket": {"name": trial.pipeline.upload_bucket}, "object": {"key": trial.key("malformed")}}
    event = {"verify": trial.run, "Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}]}
    trial.awaits_malformed = True
    queues.dispatch(trial.pipeline.clients.lambda_, trial.feed.function, event)
    return ""


def malformed(trial: Trial) -> str:
    """That event is in the failure queue, after Lambda's three attempts."""
    found = trial.failure(trial.is_malformed, "an event that no delivery understands")
    trial.awaits_malformed = False
    if found.condition not in ("RetriesExhausted", PAUSED):  # an attempt can have come during the pause
        raise Failed(f"Lambda gave up the malformed event for {found.condition}, not for its retries: see the runbook")
    return found.reason


def pause(trial: Trial) -> str:
    """During a pause, an upload goes to the failure queue; after it, a redrive ingests it.

    And what others upload meanwhile.
    """
    sample, key = Sample(trial), trial.key("paused")

    def is_it(failure: Failure) -> bool:
        return key in failure.keys

    paused_at = trial.now()
    try:
        brake.pause(trial.feed)
        _let_it_take_effect(trial)
        version = trial.upload(key, sample.file(sample.records(5, "paused")))
        trial.failure(is_it, f"{key}, uploaded during a pause", seconds=PAUSED_SECONDS, unless_settled=version)
    finally:
        reserved = _resume(trial)
        _let_it_take_effect(trial)
        begun = trial.now()
        redrive.redrive_all(
            trial.pipeline, wanted=lambda failure: is_it(failure) or _is_of_pause(trial, failure, paused_at)
        )
    if reserved != trial.feed.settings.reserved_concurrency:
        raise Failed(f"after `resume`, the feed {trial.feed.name} reserves {reserved}: deploy again")
    found = trial.settled(version, begun)
    if found.record.status != ledger.COMPLETE:
        raise Failed(f"{key} is {found.record.status} after its redrive: {found.record.reason}")
    return f"{reserved or 'none'} reserved again"


def _resume(trial: Trial) -> int | None:
    try:
        return brake.resume(trial.pipeline, trial.feed)
    except (ClientError, BotoCoreError) as error:
        name = trial.feed.name
        raise Failed(f"the feed {name} is STILL PAUSED: {error}: run `csv-ingest resume --feed {name}`") from error


def _let_it_take_effect(trial: Trial) -> None:
    """Wait for some seconds: Lambda does not say when the concurrency of a function is another one."""
    if not trial.is_local:
        time.sleep(EFFECT_SECONDS)


def _is_of_pause(trial: Trial, failure: Failure, paused_at: datetime) -> bool:
    """Whether an event was given up since the pause began, because of it."""
    is_of_feed = any(trial.feed.takes(subject.key) for subject in failure.subjects)
    return failure.condition == PAUSED and failure.sent_at >= paused_at and is_of_feed


def sweep(trial: Trial) -> str:
    """The sweep runs to its end."""
    # It can take its 15 minutes, and a second attempt would be a second run.
    lambda_ = boto3.client("lambda", config=Config(read_timeout=910, retries={"total_max_attempts": 1}))
    try:
        answer = lambda_.invoke(FunctionName=trial.pipeline.sweep, Qualifier=queues.LIVE, Payload=b"{}")
    except lambda_.exceptions.TooManyRequestsException as error:
        raise Skipped("it is running at the moment") from error
    if "FunctionError" in answer:
        told = json.loads(answer["Payload"].read() or b"{}")
        raise Failed(f"the sweep failed: {told.get('errorType')}: {told.get('errorMessage')}: see SweepFailing")
    return ""
