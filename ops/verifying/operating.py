"""What people and schedules do: a pause, a redrive, the sweep; and an event that nobody understands."""

import json
from datetime import datetime

import boto3
from botocore.config import Config

from csv_ingest import ledger, queues
from csv_ingest.failure import Failure
from ops import brake, redrive
from ops.verifying.report import Failed, Skipped
from ops.verifying.sample import Sample
from ops.verifying.trial import Trial

PAUSED_SECONDS = 60.0
"""A feed is paused no longer, whatever happens."""


def send_malformed(trial: Trial) -> str:
    """Put an event that nobody understands into Lambda's queue; `malformed` looks what became of it."""
    s3 = {"bucket": {"name": trial.pipeline.upload_bucket}, "object": {"key": trial.key("malformed")}}
    event = {"verify": trial.run, "Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}]}
    queues.dispatch(trial.pipeline.clients.lambda_, trial.feed.function, event)
    return ""


def malformed(trial: Trial) -> str:
    """That event is in the failure queue, after Lambda's three attempts."""

    def is_it(failure: Failure) -> bool:
        return (failure.event or {}).get("verify") == trial.run

    found = trial.failure(is_it, "an event that no delivery understands")
    if found.condition != "RetriesExhausted":
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
    brake.pause(trial.feed)
    try:
        version = trial.upload(key, sample.file(sample.records(5, "paused")))
        trial.failure(is_it, f"{key}, uploaded during a pause", seconds=PAUSED_SECONDS)
    finally:
        reserved = brake.resume(trial.pipeline, trial.feed)
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


def _is_of_pause(trial: Trial, failure: Failure, paused_at: datetime) -> bool:
    """Whether an event was given up since the pause began, because of it."""
    is_of_feed = any(trial.feed.takes(subject.key) for subject in failure.subjects)
    return failure.condition == "ZeroReservedConcurrency" and failure.sent_at >= paused_at and is_of_feed


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
