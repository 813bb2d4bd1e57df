"""What a delivery logs and counts; which events are ignored, and which are errors."""

import csv
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from moto import mock_aws
from pg8000.exceptions import DatabaseError

from csv_ingest.csvfile import MAX_RECORD
from csv_ingest.events import upload_event
from csv_ingest.feed import Feed
from csv_ingest.handler import handler
from csv_ingest.model import DeliveryFailed, ItemsNotRead, MalformedEvent, ObjectVersion, OutOfTime, RowsNotWritten
from local.examples import sample_event
from tests.integration.faults import throttle_statements
from tests.integration.invoking import invocation, metrics_in
from tests.integration.pool import forget_clients
from tests.integration.settings import PASSWORD
from tests.integration.world import BOTH_DESTINATIONS, World

SECRET = "4111-1111"  # noqa: S105 - a card number, not a password


def test_nothing_of_a_row_reaches_the_logs(world: World, printed: Callable[[], str]) -> None:
    secret = SECRET
    good = f"id,name\n{secret},{secret}\n{secret},x\n,{secret}\n{secret}\n"
    for content in (
        good,
        f'id,name\n{secret},"{secret}',
        f"{secret},name\n{secret},1\n",
        f"id,name\n{secret},\0",
        f"id,name\n{secret},{'x' * MAX_RECORD}",
        f"id,name\n{secret},".encode() + b"\xff",
    ):
        world.ingest("a.csv", content)
    for code in ("ThrottlingError", "AccessDenied"):
        throttle_statements(world.dynamodb, code, lambda _: True)
        try:
            world.deliver(world.upload(f"{code}.csv", f"{good}{code},\n"), seconds_left=1.6)
        except RowsNotWritten:
            traceback.print_exc()  # as Lambda does
    output = printed()
    for said in ('"message":"complete"', '"message":"rejected"', '"message":"failed"', "RowsNotWritten: "):
        assert said in output
    assert secret not in output


def test_a_delivery_logs_one_line_with_its_metrics(world: World, printed: Callable[[], str]) -> None:
    world.ingest("a.csv", "id\n1\n")
    [line] = map(json.loads, printed().splitlines())
    assert (line["message"], line["object_key"], line["stored"]) == ("complete", "a.csv", 1)
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    assert (line["Deliveries"], line["RowsStored"], line["FilesComplete"]) == ([1], [1], [1])
    bad, empty = world.upload("b.csv", "\0"), world.upload("c.csv", "id\n")
    world.deliver({"Records": bad["Records"] + empty["Records"]})
    assert [json.loads(line)["message"] for line in printed().splitlines()] == ["rejected", "complete"]


@pytest.mark.parametrize("world", ["dynamodb", "merge", "postgresql"], indirect=True)
def test_no_level_logs_rows_or_passwords(
    world: World, printed: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    """Lambda's log level is that of the root logger, if the log format is JSON."""
    caplog.set_level(logging.DEBUG)
    for content in (f"id,name\n1,{SECRET}\n1,{SECRET}x\n,{SECRET}\n", f"{SECRET},name\n1,2\n"):
        world.ingest("a.csv", content)
    assert world.failures()[0]["responsePayload"]["errorMessage"].count(SECRET)
    output = printed() + caplog.text
    assert '"message":"complete"' in output
    for secret in (SECRET, PASSWORD):
        assert secret not in output


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and all that whoever prints it may print as well."""
    yield error
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for other in (error.__cause__, error.__context__, *members):
        if other:
            yield from chain(other)


def told_by(error: BaseException) -> str:
    """Every text of an error."""
    texts = [f"{each} {each!r} {each.args} {vars(each)}" for each in chain(error)]
    return "\n".join([*texts, *traceback.format_exception(error)])


def refused(world: World, error: Exception) -> None:
    """Have the next write of rows end with an error, in the handling of another one."""

    def refuse(*_: Any, **__: Any) -> None:
        error.__context__ = KeyError(SECRET)
        raise error from ValueError(SECRET)

    world.statements.before.append(refuse)
    world.dynamodb.meta.events.register("before-call.dynamodb.BatchExecuteStatement", refuse)


QUOTING = [
    ClientError({"Error": {"Code": "ValidationException", "Message": SECRET}}, "BatchExecuteStatement"),
    DatabaseError({"C": "23514", "M": SECRET, "D": SECRET}),
    ResponseParserError(f"Unable to parse response: b'{SECRET}'"),
    UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, "made up"),
    RowsNotWritten("told"),
    ValueError(SECRET),
    csv.Error(SECRET),
]


@BOTH_DESTINATIONS
@pytest.mark.parametrize("error", QUOTING, ids=lambda error: type(error).__name__)
def test_no_error_brings_a_row_along(world: World, error: Exception, printed: Callable[[], str]) -> None:
    """Nor does one in whose handling it was raised: who prints an error prints all of them."""
    refused(world, error)
    event = world.upload("a.csv", f"id,name\n1,{SECRET}\n")
    with pytest.raises((ClientError, DeliveryFailed, ItemsNotRead, RowsNotWritten)) as raised:
        world.deliver(event)
    assert SECRET not in told_by(raised.value) + printed() + world.file("a.csv")["last_error"]
    with pytest.raises(ExceptionGroup) as several:
        world.deliver({"Records": event["Records"] * 2})
    assert SECRET not in told_by(several.value)


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_running_out_of_time_brings_no_row_along(world: World) -> None:
    """While an answer of the database is handled, which quotes one."""
    left = [30.0]

    def refuse(_sql: str) -> None:
        left[0] = 0
        raise DatabaseError({"C": "40001", "D": SECRET})

    world.statements.before.append(refuse)
    event = world.upload("a.csv", "id\n1\n")
    with pytest.raises(OutOfTime) as raised:
        world.deliver(event, seconds_left=iter(lambda: left[0], None))
    assert SECRET not in told_by(raised.value)


def test_a_file_that_cannot_be_rejected_is_not_quoted(world: World) -> None:
    """The queue refuses the message, while the error about the file is handled."""

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "made up"}}, "SendMessage")

    world.sqs.meta.events.register("before-call.sqs.SendMessage", refuse)
    event = world.upload("a.csv", f"id,name\n1,{SECRET}".encode() + b"\xff")
    with pytest.raises(ClientError, match=r"AccessDenied.*: made up") as raised:
        world.deliver(event)
    assert SECRET not in told_by(raised.value)


def test_the_metrics_say_what_a_delivery_did(world: World, printed: Callable[[], str]) -> None:
    event = world.ingest("a.csv", "id,name\n1,a\n1,a\n,b\n2,c\n")
    assert metrics_in(printed()) == {
        "Deliveries": 1,
        "FilesComplete": 1,
        "RowsRead": 4,
        "RowsStored": 3,
        "RowsAlreadyPresent": 1,
        "RowsRejected": 1,
    }
    world.deliver(event)
    # The rejected row is told again: the first delivery might have been killed before it could.
    assert metrics_in(printed()) == {"Deliveries": 1, "FilesSettledBefore": 1, "RowsRejected": 1}
    world.ingest("b.csv", "\0")
    assert metrics_in(printed()) == {"Deliveries": 1, "FilesRejected": 1}


@pytest.fixture
def aws_without_anything(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account in which an S3 bucket exists and nothing else, in moto: any other call would fail."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("ROWS_TABLE", "FILES_TABLE", "FAILURE_QUEUE"):
        monkeypatch.setenv(name, "-")
    monkeypatch.setenv("UPLOAD_BUCKET", "uploads")
    monkeypatch.setenv("FEED", Feed().to_json())
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        forget_clients()
        boto3.client("s3").create_bucket(Bucket="uploads")
        yield
    forget_clients()


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (sample_event("s3-test-event.json"), "test event"),
        (sample_event("console-template.json"), "foreign bucket"),
        (upload_event(ObjectVersion("someone-elses", "a.csv", "v", "e", 1)), "foreign bucket"),
    ],
)
@pytest.mark.usefixtures("aws_without_anything")
def test_foreign_events_are_ignored_with_a_logged_reason(
    event: dict[str, Any], reason: str, printed: Callable[[], str]
) -> None:
    handler(event, invocation())
    output = printed()
    assert '"message":"ignored"' in output
    assert f'"reason":"{reason}"' in output
    assert metrics_in(output) == {"Deliveries": 1, "DeliveriesIgnored": 1}


@pytest.mark.usefixtures("aws_without_anything")
def test_a_malformed_event_is_raised_and_not_ignored() -> None:
    with pytest.raises(MalformedEvent):
        handler({"Records": [{"s3": {"bucket": {"name": "uploads"}, "object": {"key": "a.csv"}}}]}, invocation())


def test_a_missing_object_version_is_raised(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n")
    world.delete_object(event)
    with pytest.raises(ClientError, match="NoSuchVersion"):
        world.deliver(event)


def test_one_failing_record_does_not_stop_the_others(world: World) -> None:
    good, bad, last = (world.upload(f"{n}.csv", f"id\n{n}\n") for n in range(3))
    world.delete_object(bad)
    with pytest.raises(ClientError, match="NoSuchVersion"):
        world.deliver({"Records": good["Records"] + bad["Records"] + last["Records"]})
    assert sorted(world.rows()) == ["0", "2"]


def test_two_failures_in_one_event_are_both_named(world: World) -> None:
    record = world.upload("a.csv", "id\n")["Records"][0]
    with pytest.raises(
        ExceptionGroup, match=r"2 records of one event failed: the eventName .*; the eventName "
    ) as error:
        world.deliver({"Records": [record | {"eventName": "ObjectRemoved:Delete"}] * 2})
    assert [type(each) for each in error.value.exceptions] == [MalformedEvent, MalformedEvent]
