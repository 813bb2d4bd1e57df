"""Uploads to the deployed stack, each of them a way in which rows were lost before."""

import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import boto3
import psutil
import pytest

from local.demo import GOOD, MULTIPART, Example
from local.deployment import Deployment, StoredRow, until
from local.examples import EXAMPLES, expected_rows, orders, sample_event, upload_event
from local.server import LocalAws


def upload(deployment: Deployment, key: str, content: bytes, *, multipart: bool = False) -> tuple[str, str]:
    """Put an object; returns its ETag and its version."""
    config = MULTIPART if multipart else None
    deployment.s3.upload_fileobj(io.BytesIO(content), deployment.upload_bucket, key, Config=config)
    head = deployment.s3.head_object(Bucket=deployment.upload_bucket, Key=key)
    return head["ETag"].strip('"'), head["VersionId"]


def rows_of(deployment: Deployment, etag: str) -> dict[str, StoredRow]:
    return {pk: row for pk, row in deployment.rows().items() if pk.startswith(f"{etag}#")}


@pytest.mark.parametrize("example", GOOD, ids=lambda example: example.lesson)
def test_every_row_of_an_upload_is_in_the_table(deployment: Deployment, example: Example) -> None:
    etag, version_id = upload(deployment, example.key, example.content, multipart=example.multipart)
    assert ("-" in etag) == example.multipart
    record = deployment.settled(example.key, etag)
    expected = expected_rows(example.content, etag)
    assert rows_of(deployment, etag) == expected
    assert record["status"] == "COMPLETE"
    assert record["version_id"] == version_id
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (len(expected), len(expected), 0)


def test_the_same_file_again_and_the_same_event_again_change_nothing(deployment: Deployment) -> None:
    content = orders(60)
    etag, version_id = upload(deployment, "again +.csv", content)
    record = deployment.settled("again +.csv", etag)
    rows = rows_of(deployment, etag)
    _, second_version = upload(deployment, "again +.csv", content)

    def recognised(version: str) -> bool:
        return any(line["version_id"] == version for line in deployment.logged("settled before"))

    until(lambda: recognised(second_version), "the second upload is recognised")
    event = upload_event(
        deployment.upload_bucket, quote_plus("again +.csv"), etag=etag, version_id=version_id, size=len(content)
    )
    assert deployment.deliver(event) is None
    assert recognised(version_id)
    assert deployment.file_record("again +.csv", etag) == record
    assert rows_of(deployment, etag) == rows


@pytest.mark.parametrize(
    ("event", "reason"),
    [("s3-test-event.json", "test event"), ("console-template.json", "foreign bucket")],
)
def test_what_is_no_upload_is_ignored_with_a_reason(deployment: Deployment, event: str, reason: str) -> None:
    assert deployment.deliver(sample_event(event)) is None
    assert reason in [line["reason"] for line in deployment.logged("ignored")]


def test_a_broken_file_ends_in_the_failure_queue_with_its_event_and_its_reason(deployment: Deployment) -> None:
    etag, version_id = upload(deployment, "broken é.csv", (EXAMPLES / "latin1.csv").read_bytes())
    failure = deployment.next_failure()
    [record] = failure["requestPayload"]["Records"]
    assert record["s3"]["object"]["key"] == quote_plus("broken é.csv")
    assert record["s3"]["object"]["versionId"] == version_id
    assert failure["requestContext"]["condition"] == "RetriesExhausted"
    assert failure["responsePayload"]["errorMessage"] == "byte 27 (0xfc) is not utf-8"
    assert deployment.file_record("broken é.csv", etag)["status"] == "PROCESSING"


def functions_of(aws: LocalAws) -> list[psutil.Process]:
    """The processes in which MiniStack runs functions."""
    return [child for child in psutil.Process(aws.pid).children() if "_worker.py" in " ".join(child.cmdline())]


def test_a_function_killed_in_the_middle_of_a_file_leaves_each_row_once(deployment: Deployment, aws: LocalAws) -> None:
    content = orders(12_000)
    etag, _ = upload(deployment, "killed.csv", content)
    until(lambda: len(rows_of(deployment, etag)) > 0, "the first rows are stored")
    for process in functions_of(aws):
        process.kill()
    assert 0 < len(rows_of(deployment, etag)) < 12_000, "it was not in the middle"
    assert deployment.file_record("killed.csv", etag)["status"] == "PROCESSING"
    record = deployment.settled("killed.csv", etag)
    assert rows_of(deployment, etag) == expected_rows(content, etag)
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (12_000, 12_000, 0)


@pytest.fixture
def subscriber(deployment: Deployment) -> Iterator[str]:
    """A queue that is told what the alarm topic is told."""
    queue = deployment.sqs.create_queue(QueueName="oncall")["QueueUrl"]
    arn = deployment.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    boto3.client("sns").subscribe(TopicArn=deployment.alarm_topic, Protocol="sqs", Endpoint=arn)
    yield queue
    deployment.sqs.delete_queue(QueueUrl=queue)


def test_an_alarm_that_is_raised_reaches_who_subscribed(deployment: Deployment, subscriber: str) -> None:
    cloudwatch = boto3.client("cloudwatch")
    [alarm] = cloudwatch.describe_alarms()["MetricAlarms"]
    # The local queue publishes no metrics, so that the alarm has to be raised by hand.
    cloudwatch.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="a test")
    messages: list[Any] = []

    def told() -> bool:
        messages.extend(deployment.sqs.receive_message(QueueUrl=subscriber).get("Messages", []))
        return bool(messages)

    until(told, "the subscriber is told")
    assert json.loads(json.loads(messages[0]["Body"])["Message"])["AlarmName"] == alarm["AlarmName"]
