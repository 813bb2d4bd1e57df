"""One delivery after another, as Lambda makes them: what is in the tables, and what it cost."""

import json
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from csv_ingest import aws as function_aws
from csv_ingest.errors import MalformedEvent, OutOfTime, RowsNotWritten, UnreadableFile
from csv_ingest.handler import handler, logger
from csv_ingest.store import MAX_KEY
from local.examples import EXAMPLES, expected_rows, orders, sample_event, upload_event
from tests.unit.conftest import World, invocation
from tests.unit.faults import Calls, Killed, accept_every_statement, throttle_statements


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """What the function prints, and Lambda so keeps in its log group: log lines and metrics."""
    # Looked up at each write, because the logger was made when stdout was another one.
    stdout = SimpleNamespace(write=lambda text: sys.stdout.write(text), flush=lambda: None)  # noqa: PLW0108
    monkeypatch.setattr(logger.registered_handler, "stream", stdout)
    return lambda: "".join(capsys.readouterr())


def etag_of(event: Mapping[str, Any]) -> str:
    return str(event["Records"][0]["s3"]["object"]["eTag"])


@pytest.mark.parametrize("name", ["orders.csv", "REPORT.CSV", "excel.csv", "notes.csv"])
def test_every_row_of_a_file_is_in_the_table_as_the_csv_module_reads_it(world: World, name: str) -> None:
    content = (EXAMPLES / name).read_bytes()
    event = world.upload(f"from vendor+1/{name}", content)
    world.deliver(event)
    rows, _ = world.tables()
    expected = expected_rows(content, etag_of(event))
    assert {pk: (int(item["line"]["N"]), item["data"]["S"]) for pk, item in rows.items()} == expected
    assert {item["etag"]["S"] for item in rows.values()} == {etag_of(event)}
    assert world.file(f"from vendor+1/{name}") == {
        "object_key": f"from vendor+1/{name}",
        "entry": etag_of(event),
        "status": "COMPLETE",
        "version_id": event["Records"][0]["s3"]["object"]["versionId"],
        "size": len(content),
        "rows_read": len(expected),
        "rows_stored": len(expected),
        "rows_rejected": 0,
    }


def test_5000_rows_take_at_most_210_requests_to_dynamodb_and_a_second_delivery_one(world: World) -> None:
    event = world.upload("large.csv", orders(5_000))
    calls = Calls(world.dynamodb)
    world.deliver(event)
    assert len(calls.names) <= 210
    assert Counter(calls.names) == {"BatchExecuteStatement": 200, "GetItem": 1, "UpdateItem": 2}
    world.upload("large.csv", orders(5_000))
    calls.names.clear()
    world.deliver(event)
    assert calls.names == ["GetItem"]
    assert len(world.rows()) == 5_000


def test_the_version_that_the_event_names_is_read_also_after_it_was_overwritten(world: World) -> None:
    first = world.upload("a.csv", "id,name\n1,first\n")
    second = world.upload("a.csv", "id,name\n1,second\n")
    world.deliver(second)
    world.deliver(first)
    rows, _ = world.tables()
    assert {pk: json.loads(item["data"]["S"])["name"] for pk, item in rows.items()} == {
        f"{etag_of(first)}#1": "first",
        f"{etag_of(second)}#1": "second",
    }


def test_several_records_of_one_event_are_all_ingested_even_if_one_of_them_fails(world: World) -> None:
    good, bad, last = (world.upload(f"{n}.csv", text) for n, text in enumerate(["id\n1\n", "\0", "id\n3\n"]))
    with pytest.raises(UnreadableFile, match="NUL"):
        world.deliver({"Records": good["Records"] + bad["Records"] + last["Records"]})
    assert sorted(world.rows()) == ["1", "3"]


def test_two_failures_in_one_event_are_both_named(world: World) -> None:
    records = world.upload("a.csv", b"\xff")["Records"] + world.upload("b.csv", "id,id\n")["Records"]
    with pytest.raises(ExceptionGroup) as error:
        world.deliver({"Records": records})
    assert [type(each) for each in error.value.exceptions] == [UnreadableFile, UnreadableFile]


def test_a_file_that_cannot_be_read_is_never_settled(world: World) -> None:
    event = world.upload("a.csv", b"id\n1\n\xff")
    for _ in range(3):
        with pytest.raises(UnreadableFile, match="byte 5"):
            world.deliver(event)
    assert world.file("a.csv")["status"] == "PROCESSING"


def test_bad_rows_are_recorded_with_line_and_reason_and_the_others_are_stored(world: World) -> None:
    long_id = "x" * MAX_KEY
    big = "y" * 410_000
    event = world.upload("a.csv", f"id,name\n1,a\n,b\n3\n4,d,e\n{long_id},f\n6,{big}\n7,g\n")
    world.deliver(event)
    assert sorted(world.rows()) == ["1", "7"]
    assert [line for line, _ in world.rejects("a.csv")] == [3, 4, 5, 6, 7]
    reasons = " ".join(reason for _, reason in world.rejects("a.csv"))
    for said in ("no id", "1 fields, expected 2", "3 fields, expected 2", "2,048", "409,600"):
        assert said in reasons
    record = world.file("a.csv")
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (7, 2, 5)
    before = world.tables()
    world.deliver(event)
    assert world.tables() == before


def test_the_largest_key_and_the_largest_item_that_dynamodb_takes_are_stored(world: World) -> None:
    id_ = "x" * (MAX_KEY - 33)
    event = world.upload("a.csv", f"id,name\n{id_},\n1,{'é' * 204_700}\n")
    world.deliver(event)
    assert world.file("a.csv")["rows_rejected"] == 0
    assert set(world.rows()) == {id_, "1"}


@pytest.mark.parametrize("gap", [0, 3, 30, 60])
def test_an_id_used_twice_keeps_its_first_row_and_rejects_another_one(world: World, gap: int) -> None:
    between = "".join(f"b{number},x\n" for number in range(gap))
    event = world.upload("a.csv", f"id,name\n1,first\n1,first\n{between}1,second\n")
    world.deliver(event)
    assert json.loads(world.rows()["1"])["name"] == "first"
    assert world.rejects("a.csv") == [(gap + 4, "the id of line 2, with other values")]
    record = world.file("a.csv")
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (gap + 3, gap + 2, 1)


def test_two_keys_with_the_same_bytes_are_two_files_and_one_set_of_rows(world: World) -> None:
    for key in ("a.csv", "b.csv"):
        world.deliver(world.upload(key, "id\n1\n2\n"))
    assert sorted(world.rows()) == ["1", "2"]
    assert [world.file(key)["rows_stored"] for key in ("a.csv", "b.csv")] == [2, 2]


BROKEN_UP = "id,name\n" + "".join(f"{n % 97},{n // 97}\n" for n in range(115)) + ",no id\n1\n2\n7,0\n98,x\n"
"""120 rows: good ones, ids used again with the same and with other values, and rejects of each other kind."""


def deliver_until_it_succeeds(world: World, event: dict[str, Any], calls: Calls) -> None:
    """Lambda's view of a crash: the process is gone, the event is delivered again."""
    try:
        world.deliver(event)
    except Killed:
        calls.die_before = calls.die_after = None
        world.deliver(event)


def test_a_process_killed_before_or_after_any_of_its_calls_leaves_no_trace_after_the_retry(world: World) -> None:
    undisturbed = world.upload("a.csv", BROKEN_UP)
    calls = Calls(world.s3, world.dynamodb)
    world.deliver(undisturbed)
    total = len(calls.names)
    assert total >= 10
    rows, files = world.tables()
    for moment in ("die_before", "die_after"):
        for number in range(1, total + 1):
            _empty(world)
            calls.names.clear()
            setattr(calls, moment, number)
            deliver_until_it_succeeds(world, undisturbed, calls)
            assert len(calls.names) > number, "the fault did not happen"
            assert world.tables() == (rows, files), f"{moment} call {number}"


def _empty(world: World) -> None:
    rows, files = world.tables()
    for pk in rows:
        world.dynamodb.delete_item(TableName=world.rows_table, Key={"pk": {"S": pk}})
    for key, entry in files:
        world.dynamodb.delete_item(TableName=world.files_table, Key={"object_key": {"S": key}, "entry": {"S": entry}})


def test_two_deliveries_that_overlap_anywhere_end_in_the_tables_of_one(world: World) -> None:
    event = world.upload("a.csv", BROKEN_UP)
    calls = Calls(world.s3, world.dynamodb)
    world.deliver(event)
    expected = world.tables()
    total = len(calls.names)
    for number in range(1, total + 1):
        _empty(world)

        def overtake(request: Any, number: int = number, seen: list[Any] = [], **_: Any) -> None:  # noqa: B006, ARG001
            seen.append(1)
            if len(seen) == number:
                world.deliver(event)  # a whole second delivery, between two calls of the first

        for client in (world.s3, world.dynamodb):
            client.meta.events.register("before-send", overtake, unique_id="overtake")
        world.deliver(event)
        for client in (world.s3, world.dynamodb):
            client.meta.events.unregister("before-send", overtake, unique_id="overtake")
        assert world.tables() == expected, f"overtaken before call {number}"


@pytest.mark.parametrize(
    "code",
    [
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "InternalServerError",
        "TransactionConflict",
    ],
)
def test_statements_throttled_inside_a_200_are_sent_again_and_only_those(world: World, code: str) -> None:
    sent: Counter[str] = Counter()

    def twice_for_every_third(statement: Mapping[str, Any]) -> bool:
        id_ = statement["Parameters"][0]["S"].partition("#")[2]
        sent[id_] += 1
        return int(id_) % 3 == 0 and sent[id_] <= 2

    event = world.upload("a.csv", "id\n" + "".join(f"{n}\n" for n in range(1, 61)))
    throttle_statements(world.dynamodb, code, twice_for_every_third)
    world.deliver(event)
    assert len(world.rows()) == 60
    assert {id_: times for id_, times in sent.items() if times > 1} == {str(n): 3 for n in range(3, 61, 3)}


def test_what_stays_throttled_until_the_time_is_over_is_raised_and_the_rest_is_kept(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n2\n3\n")
    throttle_statements(world.dynamodb, "ThrottlingError", lambda s: s["Parameters"][0]["S"].endswith("#2"))
    with pytest.raises(RowsNotWritten, match="refused 1 of 3 items: ThrottlingError"):
        world.deliver(event, seconds_left=1.6)
    assert sorted(world.rows()) == ["1", "3"]
    assert world.file("a.csv")["status"] == "PROCESSING"


def test_an_error_that_will_not_pass_is_raised_at_once(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n2\n")
    throttle_statements(world.dynamodb, "AccessDenied", lambda s: s["Parameters"][0]["S"].endswith("#2"))
    calls = Calls(world.dynamodb)
    with pytest.raises(RowsNotWritten, match="AccessDenied"):
        world.deliver(event)
    assert calls.names.count("BatchExecuteStatement") == 1


def test_an_invocation_stops_before_lambda_ends_it(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n")
    with pytest.raises(OutOfTime, match="after 0 rows"):
        world.deliver(event, seconds_left=1)


def test_nothing_of_a_row_reaches_the_logs(world: World, printed: Callable[[], str]) -> None:
    secret = "4111-1111"  # noqa: S105 - a card number, not a password
    for content in (
        f"id,name\n{secret},{secret}\n{secret},x\n,{secret}\n{secret}\n",
        f'id,name\n{secret},"{secret}',
        f"{secret},name\n{secret},1\n",
        f"id,name\n{secret},".encode() + b"\xff",
    ):
        event = world.upload("a.csv", content)
        with suppress(UnreadableFile):
            world.deliver(event)
    output = printed()
    assert '"message":"complete"' in output
    assert secret not in output


def test_memory_does_not_grow_with_the_size_of_the_file(world: World) -> None:
    accept_every_statement(world.dynamodb)
    world.deliver(world.upload("warm.csv", orders(100)))
    peaks = []
    for key, rows in (("small.csv", 1_000), ("large.csv", 20_000)):
        event = world.upload(key, orders(rows))
        tracemalloc.start()
        try:
            world.deliver(event)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000, "the large file has 2,500,000 bytes more"


def metrics_in(output: str) -> dict[str, float]:
    lines = [json.loads(line) for line in output.splitlines() if line.startswith('{"_aws"')]
    return {
        metric["Name"]: sum(line[metric["Name"]])
        for line in lines
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }


def test_the_metrics_say_what_a_delivery_did(world: World, printed: Callable[[], str]) -> None:
    event = world.upload("a.csv", "id,name\n1,a\n1,a\n,b\n2,c\n")
    world.deliver(event)
    assert metrics_in(printed()) == {
        "Deliveries": 1,
        "FilesComplete": 1,
        "RowsRead": 4,
        "RowsStored": 3,
        "RowsAlreadyPresent": 1,
        "RowsRejected": 1,
    }
    world.deliver(event)
    assert metrics_in(printed()) == {"Deliveries": 1, "FilesSettledBefore": 1}


@pytest.fixture
def aws_without_anything(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account in which an S3 bucket exists and nothing else, in moto: any other call would fail."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("ROWS_TABLE", "FILES_TABLE", "ID_COLUMN", "DELIMITER", "ENCODING"):
        monkeypatch.setenv(name, "-")
    monkeypatch.setenv("UPLOAD_BUCKET", "uploads")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        for cached in (function_aws.settings, function_aws.s3, function_aws.dynamodb):
            cached.cache_clear()
        boto3.client("s3").create_bucket(Bucket="uploads")
        yield
    for cached in (function_aws.settings, function_aws.s3, function_aws.dynamodb):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (sample_event("s3-test-event.json"), "test event"),
        (sample_event("console-template.json"), "foreign bucket"),
        (upload_event("someone-elses", "a.csv", etag="e", version_id="v", size=1), "foreign bucket"),
    ],
)
@pytest.mark.usefixtures("aws_without_anything")
def test_what_is_no_upload_of_ours_is_ignored_with_a_logged_reason(
    event: dict[str, Any], reason: str, printed: Callable[[], str]
) -> None:
    handler(event, invocation())
    output = printed()
    assert '"message":"ignored"' in output
    assert f'"reason":"{reason}"' in output
    assert metrics_in(output) == {"Deliveries": 1, "DeliveriesIgnored": 1}


@pytest.mark.usefixtures("aws_without_anything")
def test_an_event_that_is_not_understood_is_raised_and_not_ignored() -> None:
    with pytest.raises(MalformedEvent):
        handler({"Records": [{"s3": {"bucket": {"name": "uploads"}, "object": {"key": "a.csv"}}}]}, invocation())


def test_an_object_version_that_does_not_exist_is_raised(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n")
    world.s3.delete_object(Bucket=world.bucket, Key="a.csv", VersionId=event["Records"][0]["s3"]["object"]["versionId"])
    with pytest.raises(ClientError, match="NoSuchVersion"):
        world.deliver(event)
