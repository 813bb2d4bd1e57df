"""Uploads to the deployed stack, each a way in which rows were lost before; the sweep, an alarm, the policies."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from csv_ingest.events import upload_event
from csv_ingest.model import ObjectVersion
from local.deployment import Deployment
from local.examples import expected_rows, orders, sample_event
from local.processes import PROJECT
from local.server import LocalAws
from local.waiting import wait_until, wait_until_settled
from tests.e2e.deployed import (
    LARGE,
    SECONDS,
    forget_record,
    function_of,
    functions_of,
    rows_of,
    sweep_of,
    upload,
    wrong_permissions,
)
from tests.e2e.inbox import Inbox
from tests.integration.commands import invoke, reported


def test_a_repeated_upload_and_event_change_nothing(deployment: Deployment) -> None:
    content = orders(60)
    first = upload(deployment, "again +.csv", content)
    record = wait_until_settled(deployment.pipeline, first, seconds=SECONDS).attributes
    rows = rows_of(deployment, first)
    second = upload(deployment, "again +.csv", content)

    def recognised(version: ObjectVersion) -> bool:
        return any(line["version_id"] == version.version_id for line in deployment.logged("settled before"))

    wait_until(lambda: recognised(second), "the second upload is recognised")
    assert deployment.invoke(upload_event(first)) is None
    assert recognised(first)
    after = deployment.pipeline.files.record(first).attributes
    assert {**after, "compared_at": ""} == {**record, "compared_at": "", "version_id": second.version_id}
    assert rows_of(deployment, first) == rows


@pytest.mark.parametrize(
    ("event", "reason"), [("s3-test-event.json", "test event"), ("console-template.json", "foreign bucket")]
)
def test_what_is_no_upload_is_ignored_with_a_reason(deployment: Deployment, event: str, reason: str) -> None:
    assert deployment.invoke(sample_event(event)) is None
    assert reason in [line["reason"] for line in deployment.logged("ignored")]


WIDE = ["id,name\n", *(f"{number},{'a' * 10_000}\n" for number in range(450))]
"""The lines of a file of 4.5 MB, which is ingested in parts."""


def test_a_killed_function_leaves_each_row_once(deployment: Deployment, aws: LocalAws) -> None:
    content = orders(12_000)
    version = upload(deployment, "killed.csv", content)
    wait_until(lambda: len(rows_of(deployment, version)) > 0, "the first rows are stored")
    for process in functions_of(aws):
        process.kill()
    assert 0 < len(rows_of(deployment, version)) < 12_000, "it was not in the middle"
    assert deployment.pipeline.files.record(version).status == "PROCESSING"
    record = wait_until_settled(deployment.pipeline, version, seconds=SECONDS).attributes
    assert rows_of(deployment, version) == expected_rows(content, version.etag)
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (12_000, 12_000, 0)


def test_a_large_file_survives_a_part_that_fails(deployment: Deployment) -> None:
    """One part meets an item that is no row, fails three times, and is redriven when that is gone."""
    pipeline = deployment.pipeline
    etag = hashlib.md5(LARGE, usedforsecurity=False).hexdigest()
    alien: Any = {"pk": {"S": f"{etag}#ORDER-0004000"}}
    pipeline.clients.dynamodb.put_item(TableName=pipeline.feeds[0].rows_table, Item=alien)
    version = upload(deployment, "parts/large.csv", LARGE)
    assert version.etag == etag
    failure = deployment.failure_of("parts%2Flarge.csv")
    number = failure["requestPayload"]["Records"][0]["part"]["number"]
    assert number > 0

    def others_are_done() -> bool:
        record = pipeline.files.record(version)
        return bool(record.parts_done == record.part_count - 1)

    wait_until(others_are_done, "all other parts are done", seconds=SECONDS)
    [waiting] = [each for each in reported("status", code=1) if each["object_key"] == version.key]
    assert waiting["status"] == "PROCESSING"
    assert f"{waiting['parts_done']} of {waiting['parts']} parts" in invoke("status", version.key, code=None).stdout
    pipeline.clients.dynamodb.delete_item(TableName=pipeline.feeds[0].rows_table, Key=alien)
    [redriven] = reported("redrive", "--key-prefix", "parts/", code=0)
    assert (redriven["keys"], redriven["action"]) == (f"parts/large.csv (part {number})", "delivered")
    record = wait_until_settled(pipeline, version, seconds=SECONDS).attributes
    assert rows_of(deployment, version) == expected_rows(LARGE, version.etag)
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (5_000, 5_000, 0)
    assert record["parts_done"] == record["parts"] == 5
    assert reported("audit", "--prefix", "parts/", code=0)["findings"] == []


def test_of_two_lines_in_different_parts_the_first_wins(deployment: Deployment) -> None:
    pipeline = deployment.pipeline
    lines = [*WIDE, "7,z\n"]
    content = "".join(lines).encode()
    etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
    # As if the last part had been first.
    later: Any = {
        "pk": {"S": f"{etag}#7"},
        "etag": {"S": etag},
        "line": {"N": str(len(lines))},
        "data": {"S": '{"id":"7","name":"z"}'},
    }
    pipeline.clients.dynamodb.put_item(TableName=pipeline.feeds[0].rows_table, Item=later)
    version = upload(deployment, "parts/repeated.csv", content)
    record = wait_until_settled(pipeline, version, seconds=SECONDS).attributes
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (len(lines) - 1, len(lines) - 2, 1)
    assert rows_of(deployment, version) == expected_rows(content, etag, bad_lines={len(lines)})
    [(line, reason)] = [(each["line"], each["reason"]) for each in reported("rejects", version.key, code=0)]
    assert (line, reason) == (len(lines), "duplicate id: line 9 has it with different values")


def test_a_deployment_changes_nothing_before_its_version(deployment: Deployment) -> None:
    """It changes the code of `$LATEST` in one call, and its environment in another: here, uploads come in between."""
    lambda_, [feed] = deployment.pipeline.clients.lambda_, deployment.pipeline.feeds
    lambda_.update_function_configuration(FunctionName=feed.function, Environment={"Variables": {}})
    try:
        version = upload(deployment, "parts/meanwhile.csv", "".join(WIDE).encode())
        record = wait_until_settled(deployment.pipeline, version, seconds=SECONDS)
        assert (record.status, record.part_count > 1) == ("COMPLETE", True)
    finally:
        lambda_.update_function_configuration(FunctionName=feed.function, Environment={"Variables": feed.environment})


def test_the_deployed_sweep_leaves_young_uploads_alone(deployment: Deployment) -> None:
    upload(deployment, "young.csv", b"id\n1\n")
    sweep = sweep_of(deployment)
    answer = deployment.pipeline.clients.lambda_.invoke(FunctionName=sweep["FunctionName"], Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
    *_, swept = deployment.logged("swept", function=sweep["FunctionName"])  # `verify` had it run, too
    assert (swept["uploads"], swept["unsettled"], swept["delivered"]) == (0, 0, 0)


def test_an_object_of_no_feed_is_told_by_name(deployment: Deployment, inbox: Inbox) -> None:
    version = upload(deployment, "misspelt.Csv", b"id\n1\n")
    deployment.pipeline.clients.lambda_.invoke(FunctionName=deployment.pipeline.sweep, Payload=b"{}")
    told = inbox.event("CSV Objects Ignored", "misspelt.Csv")
    assert (told["version_id"], told["objects"]) == (version.version_id, 1)
    assert "this ends in .Csv" in told["reason"]
    deployment.pipeline.clients.s3.delete_object(Bucket=version.bucket, Key=version.key, VersionId=version.version_id)


AN_HOUR_LATER = """if True:
    import datetime, types, csv_ingest.sweep as sweep

    context = types.SimpleNamespace(
        aws_request_id="1", function_name="sweep", invoked_function_arn="", memory_limit_in_mb=512,
        get_remaining_time_in_millis=lambda: 60_000,
    )
    sweep.handler({}, context, grace=-datetime.timedelta(minutes=1))
"""


def test_the_sweep_delivers_an_old_upload_without_event(deployment: Deployment, recorded_calls: Path) -> None:
    """The deployed sweep's handler, in a process with its environment. Only its idea of what is old is another one."""
    pipeline = deployment.pipeline
    version = upload(deployment, "lost.csv", b"id\n1\n")
    wait_until_settled(pipeline, version, seconds=SECONDS)
    forget_record(pipeline, version)
    sweep = sweep_of(deployment)
    environment = {
        **os.environ,
        **sweep["Environment"]["Variables"],
        "PYTHONPATH": os.pathsep.join(str(PROJECT / path) for path in ("tests/recording", "lambda")),
        "RECORDED_CALLS": str(recorded_calls),
        "AWS_LAMBDA_FUNCTION_NAME": sweep["FunctionName"],
    }
    subprocess.run([sys.executable, "-c", AN_HOUR_LATER], env=environment, capture_output=True, check=True)
    assert wait_until_settled(pipeline, version, seconds=SECONDS).attributes["status"] == "COMPLETE"


@pytest.fixture
def subscriber(deployment: Deployment) -> Iterator[str]:
    """A queue that is told what the alarm topic is told."""
    queue = deployment.pipeline.clients.sqs.create_queue(QueueName="oncall")["QueueUrl"]
    arn = deployment.pipeline.clients.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])[
        "Attributes"
    ]["QueueArn"]
    boto3.client("sns").subscribe(TopicArn=deployment.pipeline.alarm_topic, Protocol="sqs", Endpoint=arn)
    yield queue
    deployment.pipeline.clients.sqs.delete_queue(QueueUrl=queue)


def test_an_alarm_that_is_raised_reaches_who_subscribed(deployment: Deployment, subscriber: str) -> None:
    cloudwatch = boto3.client("cloudwatch")
    alarm = cloudwatch.describe_alarms()["MetricAlarms"][0]
    # The local queue publishes no metrics, so that the alarm has to be raised by hand.
    cloudwatch.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="a test")
    messages: list[Any] = []

    def told() -> bool:
        messages.extend(deployment.pipeline.clients.sqs.receive_message(QueueUrl=subscriber).get("Messages", []))
        return bool(messages)

    wait_until(told, "the subscriber is told")
    assert json.loads(json.loads(messages[0]["Body"])["Message"])["AlarmName"] == alarm["AlarmName"]


def test_the_policies_are_what_the_functions_called(deployment: Deployment, recorded_calls: Path) -> None:
    """Every AWS call of the tests above, by the deployed functions, against the policies of their roles."""
    wrong = wrong_permissions(deployment, recorded_calls)
    wrong.pop(function_of(deployment, "csv_ingest.notifier.handler")["FunctionName"], None)  # see test_notices.py
    assert wrong == {}, "this test needs those before it"
