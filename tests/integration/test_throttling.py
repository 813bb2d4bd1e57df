"""A throttled table, and the end of an invocation's time: work goes forward and is not repeated."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from csv_ingest.model import OutOfTime, RowsNotWritten
from tests.integration.faults import Calls, leave_unprocessed, throttle_requests, throttle_statements
from tests.integration.world import World


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
def test_only_the_throttled_statements_are_sent_again(world: World, code: str) -> None:
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


def test_keys_that_dynamodb_leaves_unprocessed_are_read_again(world: World) -> None:
    event = world.upload("a.csv", "id,name\n1,a\n2,b\n3,c\n1,a\n2,x\n3,c\n")
    sizes = leave_unprocessed(world.dynamodb)
    world.deliver(event)
    assert sizes == [3, 2, 1]
    assert world.rejects("a.csv") == [(6, "duplicate id: line 3 has it with different values")]


def test_a_throttled_delivery_is_continued_and_not_repeated(world: World) -> None:
    """Every attempt gets 50 statements through, of 200: work goes forward, never round in circles."""
    world = world.tuned(in_flight=1)  # otherwise what gets through need not be the first 50
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


def test_rows_throttled_until_the_deadline_raise_an_error(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n2\n3\n")
    throttle_statements(world.dynamodb, "ThrottlingError", lambda s: s["Parameters"][0]["S"].endswith("#2"))
    with pytest.raises(RowsNotWritten, match="refused 1 of 3 items: ThrottlingError"):
        world.deliver(event, seconds_left=1.6)
    assert sorted(world.rows()) == ["1", "3"]
    assert world.file("a.csv")["status"] == "PROCESSING"


def test_a_permanent_error_is_raised_at_once(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n2\n3\n")
    throttle_statements(world.dynamodb, "ThrottlingError", lambda s: s["Parameters"][0]["S"].endswith("#1"))
    throttle_statements(world.dynamodb, "AccessDenied", lambda s: s["Parameters"][0]["S"].endswith("#2"))
    calls = Calls(world.dynamodb)
    with pytest.raises(RowsNotWritten, match="AccessDenied"):
        world.deliver(event)
    assert calls.names.count("BatchExecuteStatement") == 1


def test_an_invocation_stops_before_lambda_ends_it(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n")
    with pytest.raises(OutOfTime, match="out of time at byte 0 of the file"):
        world.deliver(event, seconds_left=1)
