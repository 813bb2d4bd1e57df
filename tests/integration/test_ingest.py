"""A whole file, delivered as Lambda does: what is in the tables, and what it cost."""

import csv
import gc
import gzip
import io
import itertools
import json
import threading
import tracemalloc
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csv_ingest.destinations.dynamodb import MAX_ITEM, MAX_KEY
from local.deployment import TableRow
from local.examples import EXAMPLES, expected_rows, orders
from local.waiting import wait_until
from tests.integration.faults import Calls, accept_every_statement
from tests.integration.invoking import version_of
from tests.integration.settings import set_feed
from tests.integration.world import World


@pytest.mark.parametrize("name", ["orders.csv", "REPORT.CSV", "excel.csv", "notes.csv"])
def test_rows_are_stored_as_the_csv_module_reads_them(world: World, name: str) -> None:
    content = (EXAMPLES / name).read_bytes()
    event = world.ingest(f"from vendor+1/{name}", content)
    rows, _ = world.tables()
    expected = expected_rows(content, version_of(event).etag)
    assert {pk: TableRow.of(item) for pk, item in rows.items()} == expected
    assert {item["etag"]["S"] for item in rows.values()} == {version_of(event).etag}
    assert world.file(f"from vendor+1/{name}") == {
        "object_key": f"from vendor+1/{name}",
        "entry": version_of(event).etag,
        "status": "COMPLETE",
        "version_id": event["Records"][0]["s3"]["object"]["versionId"],
        "size": len(content),
        "rows_read": len(expected),
        "rows_stored": len(expected),
        "rows_rejected": 0,
        "format": '{"id_column": "id", "delimiter": ",", "encoding": "utf-8", "rules": 2}',
        "place": f"DynamoDB:{world.rows_table}",
        "feed_status": "default#COMPLETE",
    }


def test_5000_rows_take_210_requests_and_a_redelivery_one(world: World) -> None:
    event = world.upload("large.csv", orders(5_000))
    calls = Calls(world.dynamodb)
    world.deliver(event)
    assert Counter(calls.names) == {"BatchExecuteStatement": 200, "GetItem": 1, "UpdateItem": 9}
    world.upload("large.csv", orders(5_000))
    calls.names.clear()
    world.deliver(event)
    assert calls.names == ["GetItem"]
    assert len(world.rows()) == 5_000


def test_an_overwritten_version_is_still_read(world: World) -> None:
    first = world.upload("a.csv", "id,name\n1,first\n")
    second = world.ingest("a.csv", "id,name\n1,second\n")
    world.deliver(first)
    rows, _ = world.tables()
    assert {pk: json.loads(item["data"]["S"])["name"] for pk, item in rows.items()} == {
        f"{version_of(first).etag}#1": "first",
        f"{version_of(second).etag}#1": "second",
    }


def test_bytes_that_differ_from_the_event_are_never_stored(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n")
    event["Records"][0]["s3"]["object"]["eTag"] = "0" * 32
    with pytest.raises(ClientError, match="PreconditionFailed"):
        world.deliver(event)
    assert world.rows() == {}


def test_a_gzip_file_is_unpacked(world: World) -> None:
    content = orders(60)
    event = world.ingest("a.CSV.GZ", gzip.compress(content))
    rows, _ = world.tables()
    expected = expected_rows(content, version_of(event).etag)
    assert {pk: TableRow.of(item) for pk, item in rows.items()} == expected


@pytest.mark.parametrize("content", ["", "\n", "id,name", "id,name\n"])
def test_a_file_without_rows_is_complete_with_none(world: World, content: str) -> None:
    world.ingest("a.csv", content)
    record = world.file("a.csv")
    assert (record["status"], record["rows_read"], record["rows_stored"]) == ("COMPLETE", 0, 0)


def test_bad_rows_are_recorded_and_the_others_stored(world: World) -> None:
    long_id = "x" * MAX_KEY
    big = "y" * 410_000
    event = world.ingest("a.csv", f"id,name\n1,a\n,b\n3\n4,d,e\n{long_id},f\n6,{big}\n7,g\n")
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
def test_the_largest_key_and_the_largest_item_are_stored(world: World, excess: int) -> None:
    id_ = "x" * (MAX_KEY - 33 + excess)
    # pk, etag, line and data are names of 14 bytes; the ETag is in two values; the number 3 takes two bytes.
    overhead = 14 + (32 + len("#1")) + 32 + 2 + len('{"id":"1","name":""}')
    fit = (MAX_ITEM - overhead) // 2 * 2
    text = "é" * (fit // 2) + "x" * (MAX_ITEM - overhead - fit + excess)
    world.ingest("a.csv", f"id,name\n{id_},\n1,{text}\n")
    assert world.file("a.csv")["rows_rejected"] == 2 * excess
    assert set(world.rows()) == (set() if excess else {id_, "1"})


@pytest.mark.parametrize("gap", [0, 3, 30, 60])
def test_of_two_rows_with_one_id_the_first_wins(world: World, gap: int) -> None:
    between = "".join(f"b{number},x\n" for number in range(gap))
    world.ingest("a.csv", f"id,name\n1,first\n1,first\n{between}1,second\n")
    assert json.loads(world.rows()["1"])["name"] == "first"
    assert world.rejects("a.csv") == [(gap + 4, "duplicate id: line 2 has it with different values")]
    record = world.file("a.csv")
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (gap + 3, gap + 2, 1)


def test_a_slow_request_is_not_overtaken_for_its_id(world: World) -> None:
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


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    content=st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: b"id,name\n1,a\n" + tail),
    key=st.sampled_from(["a.csv", "a.csv.gz"]),
)
def test_any_bytes_end_complete_or_rejected(world: World, content: bytes, key: str) -> None:
    world.empty()
    world.ingest(key, content)
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
def test_any_text_comes_back_from_the_table(world: World, rows: list[tuple[str, str]]) -> None:
    world.empty()
    file = io.StringIO(newline="")
    written = [[f"{number}{a}", a, b] for number, (a, b) in enumerate(rows)]
    csv.writer(file).writerows([["id", "a", "b"], *written])
    world.ingest("a.csv", file.getvalue())
    stored = sorted(world.tables()[0].values(), key=lambda item: int(item["line"]["N"]))
    assert [list(json.loads(item["data"]["S"]).values()) for item in stored] == written
    assert [item["pk"]["S"].partition("#")[2] for item in stored] == [row[0] for row in written]


def test_memory_does_not_grow_with_the_file(world: World) -> None:
    accept_every_statement(world.dynamodb)
    world.ingest("warm.csv", orders(2_000))
    requests = itertools.count()

    def collect(**_: Any) -> None:
        """botocore leaves circles, which are no memory of the file."""
        if next(requests) % 50 == 0:
            gc.collect()

    events: Any = world.dynamodb.meta.events
    events.register("after-call.dynamodb.BatchExecuteStatement", collect)
    world = world.tuned(part_lines=500, whole_parts=1)  # of longer files, no row is kept
    peaks = []
    for key, rows in (("small.csv.gz", 2_000), ("large.csv.gz", 10_000)):
        event = world.upload(key, gzip.compress(orders(rows)))
        tracemalloc.start()
        try:
            world.deliver(event)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000, "the large file has 1,000,000 bytes more"


def test_a_first_load_that_merges_costs_no_more_requests(world: World) -> None:
    """But for one to the ledger. 25 rows that were there need one request to be read, and one to be replaced."""
    content = "id,name\n" + "".join(f"{n},x\n" for n in range(1_000))
    calls = Calls(world.dynamodb)
    made = []
    for mode in ("append", "merge"):
        set_feed(write_mode=mode)
        calls.names.clear()
        world.ingest(f"{mode}.csv", content)
        made.append(sorted(calls.names))
    assert made[1] == sorted([*made[0], "GetItem"]), "the ledger has two places for the record"
    calls.names.clear()
    world.ingest("merge.csv", content.replace("x", "y"))
    refused = calls.names.count("BatchExecuteStatement") - 1_000 // 25
    assert 1 <= refused <= 8, "those that were on their way when it was found out"
    assert len(calls.names) == len(made[1]) + 1_000 // 25 + refused
