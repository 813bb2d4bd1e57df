"""A file whose deliveries get nowhere is given up, with the last reason, and not tried for ever."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from csv_ingest.events import Event
from csv_ingest.ledger import MAX_ATTEMPTS
from csv_ingest.model import OutOfTime, RowsNotWritten
from tests.integration.faults import Calls, Killed, throttle_statements
from tests.integration.world import World

ROWS = "id\n" + "".join(f"{n}\n" for n in range(200))


def deliver_in_vain(world: World, event: Event, times: int, error: type[BaseException] = OutOfTime) -> None:
    for _ in range(times):
        with pytest.raises(error):
            world.deliver(event, seconds_left=1)


def test_a_file_that_never_gets_planned_is_rejected(world: World) -> None:
    event = world.upload("a.csv", ROWS)
    deliver_in_vain(world, event, MAX_ATTEMPTS)
    assert world.file("a.csv")["last_error"] == "out of time at byte 0 of the file"
    assert world.failures() == []
    world.an_hour_later("a.csv")
    world.deliver(event)
    record = world.file("a.csv")
    assert record["status"] == "REJECTED"
    assert record["reason"] == (
        f"{MAX_ATTEMPTS} deliveries in a row made no progress; the last one: out of time at byte 0 of the file"
    )
    [failure] = world.failures()
    assert failure["responsePayload"]["errorMessage"] == record["reason"]
    assert world.rows() == {}


def test_a_delivery_that_is_killed_counts_without_a_reason(world: World) -> None:
    world = world.tuned(begun_planned_bytes=0)
    event = world.upload("a.csv", ROWS)
    with Calls(world.s3).fault("die_before", 1):
        deliver_in_vain(world, event, MAX_ATTEMPTS, Killed)
    world.an_hour_later("a.csv")
    world.deliver(event)
    assert world.file("a.csv")["reason"].endswith("it was throttled, paused or killed before it could tell")


def test_a_reason_from_aws_is_its_code_alone(world: World) -> None:
    """The message of an answer may quote what was asked for."""
    event = world.upload("a.csv", ROWS)
    with Calls(world.s3).fault("fail_at", 1):
        deliver_in_vain(world, event, 1, ClientError)
    assert world.file("a.csv")["last_error"] == "GetObject answered AccessDenied"


def test_a_redriven_file_has_all_its_attempts_again(world: World) -> None:
    event = world.upload("a.csv", ROWS)
    deliver_in_vain(world, event, MAX_ATTEMPTS)
    world.an_hour_later("a.csv")
    world.deliver(event)
    assert world.file("a.csv")["status"] == "REJECTED"
    world.deliver(event)
    assert world.file("a.csv")["status"] == "COMPLETE"
    assert "attempts" not in world.file("a.csv")


@pytest.mark.parametrize("progress", ["planned", "checkpoint"])
def test_progress_counts_the_attempts_anew(world: World, progress: str) -> None:
    world = world.tuned(checkpoint_rows=25, in_flight=1)
    event = world.upload("a.csv", ROWS)
    deliver_in_vain(world, event, MAX_ATTEMPTS - 1)
    throttle = Capacity(0 if progress == "planned" else 60)
    throttle_statements(world.dynamodb, "AccessDenied", throttle.is_used_up)
    with pytest.raises(RowsNotWritten):
        world.deliver(event)
    throttle.left = 10_000
    assert world.file("a.csv")["status"] == "PROCESSING"
    deliver_in_vain(world, event, MAX_ATTEMPTS - 1)
    world.deliver(event)
    assert world.file("a.csv")["rows_stored"] == 200


def test_deliveries_that_overlap_have_not_failed(world: World) -> None:
    """A burst of copies of one event: each comes while those before it read the file."""
    event = world.upload("a.csv", ROWS)
    copies = iter(range(MAX_ATTEMPTS + 1))

    def deliver_another(**_: Any) -> None:
        if next(copies, None) is not None:
            world.deliver(event)

    world.s3.meta.events.register("provide-client-params.s3.GetObject", deliver_another)
    world.deliver(event)
    assert next(copies, None) is None
    assert world.file("a.csv")["status"] == "COMPLETE"
    assert world.failures() == []


def test_the_last_error_is_of_the_last_delivery(world: World) -> None:
    event = world.upload("a.csv", ROWS)
    deliver_in_vain(world, event, 1)
    with Calls(world.s3).fault("die_before", 1):
        deliver_in_vain(world, event, 1, Killed)
    assert "last_error" not in world.file("a.csv")


class Capacity:
    """How many statements a table still takes."""

    def __init__(self, left: int) -> None:
        self.left = left

    def is_used_up(self, _statement: Any) -> bool:
        self.left -= 1
        return self.left < 0
