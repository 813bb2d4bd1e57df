"""A file with many rejected rows costs no more than its rows, and every rejected row can still be listed."""

import random

import pytest

from csv_ingest.model import Tuning
from ops.audit import audit
from ops.forgetting import forget, forgetting_of
from ops.pipeline import Pipeline
from ops.repair import repair
from tests.integration.commands import reported
from tests.integration.faults import Calls, Killed
from tests.integration.invoking import Invocations
from tests.integration.parts import deliver_all
from tests.integration.settings import set_feed
from tests.integration.world import BOTH_DESTINATIONS, World

TUNING = WHOLE = Tuning(max_rejects=10, batch_rows=25, checkpoint_rows=25)
IN_PARTS = Tuning(max_rejects=10, batch_rows=25, block_bytes=64, part_lines=20, whole_parts=1)

GOOD = "".join(f"{n},a\n" for n in range(60))
BAD = ",no id\n" * 60
MIXED = "id,name\n" + GOOD + BAD + "".join(f"{n},other\n" for n in range(30))
"""Sixty rows without an id, and thirty with the id of another one."""

EXPECTED = [*range(62, 122), *range(122, 152)]


@pytest.fixture(autouse=True)
def _all_have_one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.erasing.CLOCKS", 0)


def test_too_many_reject_the_file_before_a_row_is_stored(world: World, queue: Invocations) -> None:
    set_feed(max_rejected="50%")
    event = world.ingest("a.csv", "id,name\n1,a\n" + BAD * 2)
    record = world.file("a.csv")
    assert record["status"] == "REJECTED"
    assert record["reason"].startswith(
        "of the first 121 rows, 120 would be rejected, and max_rejected=50% allows fewer"
    )
    assert (world.rows(), world.rejects("a.csv"), queue.events) == ({}, [], [])
    [failure] = world.failures()
    assert failure["responsePayload"]["errorMessage"] == record["reason"]
    set_feed(max_rejected=None)
    world.deliver(event)
    assert world.file("a.csv")["rows_rejected"] == 120


def test_the_setting_does_not_reach_accepted_content(world: World) -> None:
    world.ingest("a.csv", "id,name\n1,a\n,b\n")
    set_feed(max_rejected="0")
    world.ingest("b.csv", "id,name\n1,a\n,b\n")
    assert world.file("b.csv")["status"] == "COMPLETE"


def test_a_small_file_is_read_once(world: World) -> None:
    event = world.upload("a.csv", MIXED)
    calls = Calls(world.s3)
    world.deliver(event)
    assert calls.names.count("GetObject") == 1


@BOTH_DESTINATIONS
@pytest.mark.parametrize("tuning", [WHOLE, IN_PARTS], indirect=True)
@pytest.mark.usefixtures("commanded")
def test_the_first_ones_are_recorded_and_all_are_listed(
    world: World, queue: Invocations, pipeline: Pipeline, tuning: Tuning
) -> None:
    world.ingest("a.csv", MIXED)
    deliver_all(world, queue, shuffle=random.Random(1), times=2)  # noqa: S311 - no secret
    record = world.file("a.csv")
    assert (record["status"], record["rows_read"], record["rows_rejected"]) == ("COMPLETE", 150, 90)
    recorded = [line for line, _ in world.rejects("a.csv")]
    assert 0 < len(recorded) <= 2 * tuning.max_rejects
    assert 90 - len(recorded) <= record["rejects_unrecorded"] < 90
    assert [each["line"] for each in reported("rejects", "a.csv", code=0)] == EXPECTED
    assert audit(pipeline).findings == []
    if world.in_dynamodb:  # in PostgreSQL, the owner deletes the rows
        assert forget(forgetting_of(pipeline, "a.csv")) == 60
        assert world.tables() == ({}, {})


def test_a_record_that_is_lost_is_found_nevertheless(world: World, pipeline: Pipeline) -> None:
    world.ingest("a.csv", "id,name\n" + GOOD + BAD[:42])
    assert world.file("a.csv")["rows_rejected"] == 6
    lost = [key for key in world.tables()[1] if "#reject#" in key[1]][:2]
    for entry in lost:
        world.delete_entry(*entry)
    found = audit(pipeline).findings
    assert [each.kind for each in found] == ["unaccounted"] * 2
    repair(pipeline, found)
    assert len(world.rejects("a.csv")) == 6


@pytest.mark.parametrize("world", ["dynamodb", "merge"], indirect=True)
def test_a_record_lost_among_many_is_counted(world: World, pipeline: Pipeline) -> None:
    world.ingest("a.csv", MIXED)
    before = world.file("a.csv")["rejects_unrecorded"]
    world.delete_entry(*next(key for key in world.tables()[1] if "#reject#" in key[1]))
    found = audit(pipeline).findings
    assert [each.kind for each in found] == ["sums"]
    repair(pipeline, found)
    assert world.file("a.csv")["rejects_unrecorded"] == before + 1
    assert audit(pipeline).findings == []


def test_a_killed_delivery_records_no_more_of_them(world: World) -> None:
    event = world.ingest("a.csv", MIXED)
    expected = world.tables()
    calls = Calls(*world.engines)
    for number in range(4, 18, 3):
        world.empty()
        with pytest.raises(Killed), calls.fault("die_before", number):
            world.deliver(event)
        world.deliver(event)
        assert world.tables() == expected, f"killed at call {number}"
