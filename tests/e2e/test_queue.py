"""The local AWS queues asynchronous invocations as AWS does: they wait, without a timeout and without a failure."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import boto3
import pytest

from local.deployment import Deployment
from local.ministack import AT_ONCE
from local.processes import PROJECT
from local.server import LocalAws
from local.waiting import wait_until
from tests.integration.commands import reported

FUNCTION = "sleeper"
TIMEOUT = 2
"""Seconds that the function may take; an event of these tests takes a quarter of it."""

CODE = """
import time

def handler(event, context):
    began = time.time()
    time.sleep(event["seconds"])
    with open(event["file"], "a") as file:
        file.write(f"{began} {time.time()}\\n")
"""

Interval = tuple[float, float]


class Sleeper:
    """A function that notes when it began and ended, with a queue for its failures."""

    def __init__(self, file: Path, failures: str) -> None:
        self._file = file
        self._failures = failures
        self._lambda = boto3.client("lambda")

    def invoke(self, kind: Literal["Event", "RequestResponse"] = "Event") -> None:
        payload = json.dumps({"seconds": TIMEOUT / 4, "file": str(self._file)}).encode()
        self._lambda.invoke(FunctionName=FUNCTION, InvocationType=kind, Payload=payload)

    def reserve(self, concurrency: int) -> None:
        self._lambda.put_function_concurrency(FunctionName=FUNCTION, ReservedConcurrentExecutions=concurrency)

    def runs(self) -> list[Interval]:
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        return [(float(began), float(ended)) for began, ended in map(str.split, lines)]

    def failed(self) -> int:
        attributes = boto3.client("sqs").get_queue_attributes(
            QueueUrl=self._failures, AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"])


@pytest.fixture
def sleeper(aws: LocalAws, tmp_path: Path) -> Iterator[Sleeper]:  # noqa: ARG001
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("sleeper.py", CODE)
    lambda_, sqs = boto3.client("lambda"), boto3.client("sqs")
    failures = sqs.create_queue(QueueName="sleeper-failures")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=failures, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    lambda_.create_function(
        FunctionName=FUNCTION,
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/none",
        Handler="sleeper.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=TIMEOUT,
    )
    lambda_.get_waiter("function_active_v2").wait(FunctionName=FUNCTION)
    lambda_.put_function_event_invoke_config(
        FunctionName=FUNCTION, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    yield Sleeper(tmp_path / "runs", failures)
    lambda_.delete_function(FunctionName=FUNCTION)
    sqs.delete_queue(QueueUrl=failures)


def test_many_events_run_a_few_at_once(sleeper: Sleeper) -> None:
    """The last of them waits for longer than the function's timeout, which does not count while an event waits."""
    events = 5 * AT_ONCE
    for _ in range(events):
        sleeper.invoke()
    wait_until(lambda: len(sleeper.runs()) == events, "all events ran")
    assert _most_at_once(sleeper.runs()) == AT_ONCE
    assert sleeper.failed() == 0


def test_events_beyond_the_reserved_concurrency_wait(sleeper: Sleeper) -> None:
    sleeper.reserve(1)
    for _ in range(3):
        sleeper.invoke()
    wait_until(lambda: len(sleeper.runs()) == 3, "all events ran")
    assert _most_at_once(sleeper.runs()) == 1
    assert sleeper.failed() == 0


def test_a_paused_function_fails_events_that_wait(sleeper: Sleeper) -> None:
    events = 10 * AT_ONCE
    for _ in range(events):
        sleeper.invoke()
    sleeper.reserve(0)
    wait_until(lambda: len(sleeper.runs()) + sleeper.failed() == events, "each event ran or failed")
    assert sleeper.failed() > events / 2


def test_a_synchronous_invocation_does_not_wait(sleeper: Sleeper) -> None:
    for _ in range(4 * AT_ONCE):
        sleeper.invoke()
    sleeper.invoke("RequestResponse")
    assert 0 < len(sleeper.runs()) < 4 * AT_ONCE
    wait_until(lambda: len(sleeper.runs()) == 4 * AT_ONCE + 1, "all events ran")


def test_a_burst_of_files_settles_by_itself(deployment: Deployment, tmp_path: Path) -> None:
    generate = [sys.executable, "-m", "local", "generate", str(tmp_path), "--files", "30", "--rows", "20"]
    subprocess.run(generate, cwd=PROJECT, check=True)
    records = reported("upload", *map(str, sorted(tmp_path.iterdir())), "--to", "burst/", code=0)
    assert [record["rows_stored"] for record in records] == [20] * 30
    times = [(_seconds(record["started_at"]), _seconds(record["settled_at"])) for record in records]
    assert _most_at_once(times) <= AT_ONCE
    assert not any("burst" in json.dumps(failure) for failure in deployment.failures())


def test_a_ministack_without_its_internals_does_not_start(tmp_path: Path) -> None:
    services = tmp_path / "ministack" / "services"
    services.mkdir(parents=True)
    for module in ("../__init__", "__init__", "lambda_svc", "eventbridge", "s3"):
        (services / f"{module}.py").touch()
    command = [sys.executable, "-m", "local.ministack"]
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        start_new_session=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "invoke_async_with_retry" in done.stderr


def _most_at_once(intervals: Sequence[Interval]) -> int:
    return max(sum(began <= time < ended for began, ended in intervals) for time, _ in intervals)


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
