"""One delivery after another, as Lambda makes them: what is in the tables, and what it cost."""

import csv
import gzip
import io
import json
import sys
import threading
import traceback
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from csv_ingest.destinations.dynamodb import MAX_ITEM, MAX_KEY
from csv_ingest.events import Event, object_version, upload_event
from csv_ingest.handler import handler
from csv_ingest.model import MAX_RECORD, MalformedEvent, ObjectVersion, OutOfTime, RowsNotWritten
from csv_ingest.reporting import logger
from local.examples import EXAMPLES, expected_rows, orders, sample_event
from ops.pipeline import wait_until
from tests.integration.faults import (
    Calls,
    Killed,
    accept_every_statement,
    between_calls,
    leave_unprocessed,
    throttle_requests,
    throttle_statements,
)
from tests.integration.world import World, forget_clients, invocation


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """What the function prints, and Lambda so keeps in its log group: log lines and metrics."""
    # Looked up at each write, because the logger was made when stdout was another one.
    stdout = SimpleNamespace(write=lambda text: sys.stdout.write(text), flush=lambda: None)  # noqa: PLW0108
    monkeypatch.setattr(logger.registered_handler, "stream", stdout)
    return lambda: "".join(capsys.readouterr())


def version_of(event: Event) -> ObjectVersion:
    return object_version(event["Records"][0])


def etag_of(event: Event) -> str:
    return version_of(event).etag


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
        "format": '{"id_column": "id", "delimiter": ",", "encoding": "utf-8"}',
    }


def test_5000_rows_take_at_most_210_requests_to_dynamodb_and_a_second_delivery_one(world: World) -> None:
    event = world.upload("large.csv", orders(5_000))
    calls = Calls(world.dynamodb)
    world.deliver(event)
    assert len(calls.names) <= 210
    assert Counter(calls.names) == {"BatchExecuteStatement": 200, "GetItem": 1, "UpdateItem": 8}
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
    good, bad, last = (world.upload(f"{n}.csv", f"id\n{n}\n") for n in range(3))
    world.s3.delete_object(Bucket=world.bucket, Key="1.csv", VersionId=version_of(bad).version_id)
    with pytest.raises(ClientError, match="NoSuchVersion"):
        world.deliver({"Records": good["Records"] + bad["Records"] + last["Records"]})
    assert sorted(world.rows()) == ["0", "2"]


def test_two_failures_in_one_event_are_both_named(world: World) -> None:
    record = world.upload("a.csv", "id\n")["Records"][0]
    with pytest.raises(
        ExceptionGroup, match=r"2 records of one event failed: .*ObjectRemoved.*; .*ObjectRemoved"
    ) as error:
        world.deliver({"Records": [record | {"eventName": "ObjectRemoved:Delete"}] * 2})
    assert [type(each) for each in error.value.exceptions] == [MalformedEvent, MalformedEvent]


BROKEN = {
    "encoding": (b"id\n1\n\xff", "byte 5 (0xff) is not utf-8"),
    "header": (b"key,name\n1,a\n", "header: no column is named 'id'; the columns are 'key', 'name'"),
    "quote": (b"id\n" + b"1\n" * 100 + b'"2', "the record that starts on line 102: unexpected end of data"),
    "NUL": (b"id\n1\n2\0\n", "line 3 has a NUL byte"),
    "gzip": (gzip.compress(b"id\n1\n")[:-4], "not a whole gzip file"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_cannot_be_read_is_rejected_and_no_row_of_it_is_stored(world: World, kind: str) -> None:
    content, reason = BROKEN[kind]
    event = world.upload("a.csv.gz" if kind == "gzip" else "a.csv", content)
    world.deliver(event)
    record = world.file(version_of(event).key)
    assert record["status"] == "REJECTED"
    assert record["reason"].startswith(reason)
    assert world.rows() == {}
    [failure] = world.failures()
    assert failure["requestContext"]["condition"] == "Rejected"
    assert failure["requestContext"]["requestId"] == "request-1"
    assert failure["requestPayload"] == event
    assert failure["responsePayload"]["errorMessage"] == record["reason"]


def test_a_file_is_not_recorded_as_rejected_before_somebody_is_told(world: World) -> None:
    event = world.upload("a.csv", "\0")
    calls = Calls(world.s3, world.dynamodb, world.sqs)
    world.deliver(event)
    for number in range(1, len(calls.names) + 1):
        world.empty()
        calls.names.clear()
        calls.die_after = number
        with pytest.raises(Killed):
            world.deliver(event)
        calls.die_after = None
        statuses = [record.get("status") for record in world.tables()[1].values()]
        if {"S": "REJECTED"} in statuses:
            assert world.failures()


def test_a_rejected_file_is_ingested_once_the_settings_are_right(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    event = world.upload("a.csv", "id;name\n1;Müller\n2;x\n".encode("cp1252"))
    world.deliver(event)
    assert world.file("a.csv")["status"] == "REJECTED"
    monkeypatch.setenv("ENCODING", "cp1252")
    monkeypatch.setenv("DELIMITER", ";")
    world.deliver(event)
    record = world.file("a.csv")
    assert (record["status"], record["rows_stored"]) == ("COMPLETE", 2)
    assert "reason" not in record
    assert json.loads(world.rows()["1"]) == {"id": "1", "name": "Müller"}


def test_a_file_is_finished_as_it_was_begun_also_if_the_settings_change(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = world.upload("a.csv", "id,name\n" + "".join(f"{n},é\n" for n in range(200)))
    calls = Calls(world.dynamodb)
    calls.die_after = 6
    with pytest.raises(Killed):
        world.deliver(event)
    calls.die_after = None
    assert 0 < len(world.rows()) < 200
    monkeypatch.setenv("ENCODING", "cp1252")
    monkeypatch.setenv("ID_COLUMN", "name")
    world.deliver(event)
    assert {json.loads(data)["name"] for data in world.rows().values()} == {"é"}
    assert world.file("a.csv")["rows_stored"] == len(world.rows()) == 200


def test_two_deliveries_under_different_settings_at_once_still_read_the_file_in_one_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment in the middle: the first has found the file readable as UTF-8 and has yet to say so."""
    event = world.upload("a.csv", "id,name\n" + "".join(f"{n},é\n" for n in range(200)))
    calls = Calls(world.s3, world.dynamodb)

    def overtake() -> None:
        monkeypatch.setenv("ENCODING", "cp1252")
        calls.die_after = len(calls.names) + 7
        with suppress(Killed):
            world.deliver(event)
        calls.die_after = None
        assert 0 < len(world.rows()) < 200

    with between_calls(4, overtake, world.s3, world.dynamodb):
        world.deliver(event)
    assert {json.loads(data)["name"] for data in world.rows().values()} == {"é".encode().decode("cp1252")}
    assert (world.file("a.csv")["rows_stored"], world.file("a.csv")["rows_rejected"]) == (200, 0)


def test_bytes_stored_under_other_settings_are_rejected_by_name_and_not_overwritten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.deliver(world.upload("a.csv", "id,name\n1,é\n"))
    monkeypatch.setenv("ENCODING", "cp1252")
    world.deliver(world.upload("b.csv", "id,name\n1,é\n"))
    [(line, reason)] = world.rejects("b.csv")
    assert line == 2
    assert "read under other settings" in reason
    assert json.loads(world.rows()["1"])["name"] == "é"


def test_a_gzip_file_is_read_as_what_is_in_it(world: World) -> None:
    content = orders(60)
    event = world.upload("a.CSV.GZ", gzip.compress(content))
    world.deliver(event)
    rows, _ = world.tables()
    expected = expected_rows(content, version_of(event).etag)
    assert {pk: (int(item["line"]["N"]), item["data"]["S"]) for pk, item in rows.items()} == expected


@pytest.mark.parametrize("content", ["", "\n", "id,name", "id,name\n"])
def test_a_file_without_rows_is_complete_with_none(world: World, content: str) -> None:
    world.deliver(world.upload("a.csv", content))
    record = world.file("a.csv")
    assert (record["status"], record["rows_read"], record["rows_stored"]) == ("COMPLETE", 0, 0)


def test_other_bytes_than_the_events_are_never_stored_under_its_name(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n")
    event["Records"][0]["s3"]["object"]["eTag"] = "0" * 32
    with pytest.raises(ClientError, match="PreconditionFailed"):
        world.deliver(event)
    assert world.rows() == {}


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


@pytest.mark.parametrize("excess", [0, 1])
def test_the_largest_key_and_the_largest_item_that_dynamodb_takes_are_stored(world: World, excess: int) -> None:
    id_ = "x" * (MAX_KEY - 33 + excess)
    # pk, etag, line and data are names of 14 bytes; the ETag is in two values; a number is counted as 21 bytes.
    overhead = 14 + (32 + len("#1")) + 32 + 21 + len('{"id":"1","name":""}')
    fit = (MAX_ITEM - overhead) // 2 * 2
    text = "é" * (fit // 2) + "x" * (MAX_ITEM - overhead - fit + excess)
    world.deliver(world.upload("a.csv", f"id,name\n{id_},\n1,{text}\n"))
    assert world.file("a.csv")["rows_rejected"] == 2 * excess
    assert set(world.rows()) == (set() if excess else {id_, "1"})


@pytest.mark.parametrize("gap", [0, 3, 30, 60])
def test_an_id_used_twice_keeps_its_first_row_and_rejects_another_one(world: World, gap: int) -> None:
    between = "".join(f"b{number},x\n" for number in range(gap))
    event = world.upload("a.csv", f"id,name\n1,first\n1,first\n{between}1,second\n")
    world.deliver(event)
    assert json.loads(world.rows()["1"])["name"] == "first"
    assert world.rejects("a.csv") == [(gap + 4, "duplicate id: line 2 has it with different values")]
    record = world.file("a.csv")
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (gap + 3, gap + 2, 1)


def test_a_request_that_is_slow_is_not_overtaken_by_another_one_with_the_same_id(world: World) -> None:
    event = world.upload("a.csv", "id,name\n1,first\n" + "".join(f"b{n},x\n" for n in range(40)) + "1,second\n")
    second_was_sent = threading.Event()

    def slow(request: Any, **_: Any) -> None:
        if b"second" in request.body:
            second_was_sent.set()
        elif b"first" in request.body and second_was_sent.wait(timeout=0.5):
            wait_until(lambda: "1" in world.rows(), "the second is in the table")

    world.dynamodb.meta.events.register("before-send.dynamodb.BatchExecuteStatement", slow)
    world.deliver(event)
    assert json.loads(world.rows()["1"])["name"] == "first"
    assert world.rejects("a.csv") == [(43, "duplicate id: line 2 has it with different values")]


def test_two_keys_with_the_same_bytes_are_two_files_and_one_set_of_rows(world: World) -> None:
    for key in ("a.csv", "b.csv"):
        world.deliver(world.upload(key, "id\n1\n2\n"))
    assert sorted(world.rows()) == ["1", "2"]
    assert [world.file(key)["rows_stored"] for key in ("a.csv", "b.csv")] == [2, 2]


BROKEN_UP = "id,name\n" + "".join(f"{n % 97},{n // 97}\n" for n in range(115)) + ",no id\n1\n2\n7,0\n98,x\n"
"""120 rows: good ones, ids used again with the same and with other values, and rejects of each other kind."""


def deliver_until_it_succeeds(world: World, event: dict[str, Any], calls: Calls) -> None:
    """Lambda's view of a fault: the process is gone or has raised, the event is delivered again."""
    try:
        world.deliver(event)
    except (Killed, ClientError):
        calls.die_before = calls.die_after = calls.fail_at = None
        world.deliver(event)
    calls.lose_answer_of = None


@pytest.mark.parametrize("content", [BROKEN_UP, "id\n1\n\0"], ids=["120 rows", "unreadable"])
@pytest.mark.parametrize("fault", ["die_before", "die_after", "fail_at", "lose_answer_of"])
def test_a_fault_at_any_call_leaves_no_trace_after_the_retry(world: World, content: str, fault: str) -> None:
    world = world.tuned(checkpoint_rows=50)
    event = world.upload("a.csv", content)
    calls = Calls(world.s3, world.dynamodb, world.sqs)
    world.deliver(event)
    total = len(calls.names)
    assert total >= 5
    expected = world.tables()
    for number in range(1, total + 1):
        world.empty()
        calls.names.clear()
        setattr(calls, fault, number)
        deliver_until_it_succeeds(world, event, calls)
        assert len(calls.names) > total, "the fault did not happen"
        assert world.tables() == expected, f"{fault} {number}"
        told = [failure["requestContext"]["condition"] for failure in world.failures()]
        assert set(told) == ({"Rejected"} if content != BROKEN_UP else set()), f"{fault} {number}"


@pytest.mark.parametrize("content", [BROKEN_UP, "id\n1\n\0"], ids=["120 rows", "unreadable"])
def test_two_deliveries_that_overlap_anywhere_end_in_the_tables_of_one(world: World, content: str) -> None:
    event = world.upload("a.csv", content)
    calls = Calls(world.s3, world.dynamodb)
    world.deliver(event)
    expected = world.tables()
    for number in range(1, len(calls.names) + 1):
        world.empty()
        with between_calls(number, lambda: world.deliver(event), world.s3, world.dynamodb):
            world.deliver(event)
        assert world.tables() == expected, f"overtaken before call {number}"


# The second delivery, inside the first, takes the first one's metrics with it: there is one Powertools in a process.
@pytest.mark.filterwarnings("ignore:No application metrics to publish")
def test_a_complete_file_stays_complete_whatever_a_late_delivery_does(world: World) -> None:
    event = world.upload("a.csv", BROKEN_UP)
    calls = Calls(world.s3, world.dynamodb)
    world.deliver(event)
    expected = world.tables()
    for number in range(2, len(calls.names) + 1):
        world.empty()
        calls.names.clear()

        def overtake() -> None:
            world.deliver(event)
            calls.die_before = len(calls.names) + 1  # the first delivery still makes the call that it was about to make

        with between_calls(number, overtake, world.s3, world.dynamodb), suppress(Killed):
            world.deliver(event)
        calls.die_before = None
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


@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException"])
def test_a_request_throttled_as_a_whole_is_sent_again(world: World, code: str) -> None:
    event = world.upload("a.csv", "id,name\n" + "".join(f"{n % 30},\n" for n in range(60)))
    throttle_requests(world.dynamodb, "BatchExecuteStatement", code, 2)
    throttle_requests(world.dynamodb, "BatchGetItem", code, 2)
    world.deliver(event)
    assert (world.file("a.csv")["rows_stored"], len(world.rows())) == (60, 30)


def test_present_rows_that_dynamodb_leaves_unread_are_read_again(world: World) -> None:
    event = world.upload("a.csv", "id,name\n1,a\n2,b\n3,c\n1,a\n2,x\n3,c\n")
    sizes = leave_unprocessed(world.dynamodb)
    world.deliver(event)
    assert sizes == [3, 2, 1]
    assert world.rejects("a.csv") == [(6, "duplicate id: line 3 has it with different values")]


def test_a_delivery_that_runs_out_of_time_or_is_throttled_is_continued_and_not_repeated(world: World) -> None:
    """Every attempt gets 50 statements through, of 200: work goes forward, never round in circles."""
    event = world.upload("a.csv", "id\n" + "".join(f"{n}\n" for n in range(1, 201)))
    written: Counter[str] = Counter()

    def exhausted(statement: Mapping[str, Any]) -> bool:
        if written.total() >= 50:
            return True
        written[statement["Parameters"][0]["S"]] += 1
        return False

    throttle_statements(world.dynamodb, "ThrottlingError", exhausted)
    attempted: Counter[str] = Counter()
    for done in (50, 100, 150):
        written.clear()
        with pytest.raises(RowsNotWritten):
            world.deliver(event, seconds_left=1.8)
        attempted += written
        assert (world.file("a.csv")["rows_read"], len(world.rows())) == (done, done)
    written.clear()
    world.deliver(event)
    attempted += written
    assert world.file("a.csv")["status"] == "COMPLETE"
    assert set(attempted.values()) == {1}, "a row that was known to be stored was sent again"


def test_what_stays_throttled_until_the_time_is_over_is_raised_and_the_rest_is_kept(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n2\n3\n")
    throttle_statements(world.dynamodb, "ThrottlingError", lambda s: s["Parameters"][0]["S"].endswith("#2"))
    with pytest.raises(RowsNotWritten, match="refused 1 of 3 items: ThrottlingError"):
        world.deliver(event, seconds_left=1.6)
    assert sorted(world.rows()) == ["1", "3"]
    assert world.file("a.csv")["status"] == "PROCESSING"


def test_an_error_that_will_not_pass_is_raised_at_once(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n2\n3\n")
    throttle_statements(world.dynamodb, "ThrottlingError", lambda s: s["Parameters"][0]["S"].endswith("#1"))
    throttle_statements(world.dynamodb, "AccessDenied", lambda s: s["Parameters"][0]["S"].endswith("#2"))
    calls = Calls(world.dynamodb)
    with pytest.raises(RowsNotWritten, match="AccessDenied"):
        world.deliver(event)
    assert calls.names.count("BatchExecuteStatement") == 1


def test_an_invocation_stops_before_lambda_ends_it(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n")
    with pytest.raises(OutOfTime, match="before its first row"):
        world.deliver(event, seconds_left=1)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    content=st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: b"id,name\n1,a\n" + tail),
    key=st.sampled_from(["a.csv", "a.csv.gz"]),
)
def test_any_bytes_end_complete_or_rejected(world: World, content: bytes, key: str) -> None:
    world.empty()
    world.deliver(world.upload(key, content))
    record = world.file(key)
    if record["status"] == "REJECTED":
        assert record["reason"]
        assert world.rows() == {}
    else:
        assert record["status"] == "COMPLETE"
        assert record["rows_read"] == record["rows_stored"] + record["rows_rejected"]
        assert len(world.rejects(key)) == record["rows_rejected"]


cells = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.tuples(cells, cells), max_size=60))
def test_any_text_comes_back_from_the_table_cell_by_cell(world: World, rows: list[tuple[str, str]]) -> None:
    world.empty()
    file = io.StringIO(newline="")
    written = [[f"{number}{a}", a, b] for number, (a, b) in enumerate(rows)]
    csv.writer(file).writerows([["id", "a", "b"], *written])
    world.deliver(world.upload("a.csv", file.getvalue()))
    stored = sorted(world.tables()[0].values(), key=lambda item: int(item["line"]["N"]))
    assert [list(json.loads(item["data"]["S"]).values()) for item in stored] == written
    assert [item["pk"]["S"].partition("#")[2] for item in stored] == [row[0] for row in written]


def test_nothing_of_a_row_reaches_the_logs(world: World, printed: Callable[[], str]) -> None:
    secret = "4111-1111"  # noqa: S105 - a card number, not a password
    good = f"id,name\n{secret},{secret}\n{secret},x\n,{secret}\n{secret}\n"
    for content in (
        good,
        f'id,name\n{secret},"{secret}',
        f"{secret},name\n{secret},1\n",
        f"id,name\n{secret},\0",
        f"id,name\n{secret},{'x' * MAX_RECORD}",
        f"id,name\n{secret},".encode() + b"\xff",
    ):
        world.deliver(world.upload("a.csv", content))
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
    # The rejected row is told again: the first delivery might have been killed before it could.
    assert metrics_in(printed()) == {"Deliveries": 1, "FilesSettledBefore": 1, "RowsRejected": 1}
    world.deliver(world.upload("b.csv", "\0"))
    assert metrics_in(printed()) == {"Deliveries": 1, "FilesRejected": 1}


@pytest.fixture
def aws_without_anything(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account in which an S3 bucket exists and nothing else, in moto: any other call would fail."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("ROWS_TABLE", "FILES_TABLE", "FAILURE_QUEUE", "ID_COLUMN", "DELIMITER", "ENCODING", "MAX_FILE_MB"):
        monkeypatch.setenv(name, "-")
    monkeypatch.setenv("UPLOAD_BUCKET", "uploads")
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
