"""Parts that are lost, killed or out of time, and files in parts that are repaired."""

import itertools
import json
from collections.abc import Mapping
from contextlib import suppress

import pytest
from botocore.exceptions import ClientError

from csv_ingest import clients
from csv_ingest.model import OutOfTime, TableAltered
from ops.audit import audit
from ops.repair import repair
from tests.integration.faults import Calls, Killed
from tests.integration.invoking import Invocations, version_of
from tests.integration.parts import CONTENT, DUPLICATE_IDS, SMALL_PARTS, deliver_all, number_of
from tests.integration.settings import set_feed
from tests.integration.world import World

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")

TUNING = SMALL_PARTS


FEW = {
    "different ids": "id,name\n" + "".join(f"{n},a\n" for n in range(50)) + ",no id\n",
    "repeated ids": "id,name\n" + "".join(f"{n % 20},{n // 40}\n" for n in range(50)),
}


COLUMNS: Mapping[str, Mapping[str, str]] = {"different ids": {}, "repeated ids": {"name": "integer"}}


@pytest.mark.parametrize(
    ("world", "content", "fault"),
    [
        *(("dynamodb", *each) for each in itertools.product(FEW, ["die_before", "fail_at"])),
        ("dynamodb", "repeated ids", "lose_answer_of"),  # each time, botocore waits before it sends the request again
        *(("postgresql", "repeated ids", fault) for fault in ("die_after", "fail_at", "lose_answer_of")),
    ],
    indirect=["world"],
)
def test_a_fault_at_any_call_leaves_no_trace(world: World, queue: Invocations, content: str, fault: str) -> None:
    """Each delivery in turn is hit at one of its calls, and delivered again as Lambda does."""
    world.declare(COLUMNS[content])
    world = world.tuned(part_lines=30)
    event = world.upload("a.csv", FEW[content])
    calls = Calls(*world.engines, clients.lambda_())

    def play(hit: int) -> set[int]:
        """Returns the calls of any delivery at which it can be hit."""
        waiting, numbers = [event], set[int]()
        while waiting:
            current = waiting.pop(0)
            world.deliver_despite(calls, fault, hit, current)
            numbers |= set(calls.numbers(fault))
            waiting += queue.events
            queue.events.clear()
        return numbers

    numbers = play(10_000)
    expected = world.tables()
    assert len(numbers) > 3
    for hit in sorted(numbers):
        world.empty()
        play(hit)
        assert world.tables() == expected, f"{fault} {hit}"
        world.failures()


def test_a_lost_part_leaves_the_file_unsettled_until_redriven(world: World, queue: Invocations) -> None:
    world.ingest("a.csv", CONTENT)
    lost = queue.events.pop(3)
    deliver_all(world, queue)
    record = world.file("a.csv")
    assert (record["status"], record["parts_done"]) == ("PROCESSING", record["parts"] - 1)
    assert [finding.kind for finding in audit(world.pipeline()).findings] == ["unsettled"]
    world.deliver(lost)
    record = world.file("a.csv")
    assert (record["status"], record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (
        "COMPLETE",
        122,
        120,
        2,
    )


def test_a_redelivered_file_dispatches_only_unfinished_parts(world: World, queue: Invocations) -> None:
    event = world.ingest("a.csv", CONTENT)
    lost = {number_of(each) for each in queue.events[2:4]}
    del queue.events[2:4]
    deliver_all(world, queue)
    calls = Calls(world.s3)
    world.deliver(event)
    assert {number_of(each) for each in queue.events} == lost
    assert calls.names == [], "the plan is not made again"
    deliver_all(world, queue)
    assert world.file("a.csv")["status"] == "COMPLETE"


def test_a_deployment_does_not_change_a_recorded_plan(world: World, queue: Invocations) -> None:
    """Killed after the plan, before the record says so: the next one, with other parts and settings, keeps to it."""
    event = world.upload("a.csv", "id,name\n" + "".join(f"{n},é\n" for n in range(120)))
    calls = Calls(world.dynamodb)
    with pytest.raises(Killed), calls.fault("die_before", 7):
        world.deliver(event)
    assert calls.names[-2:] == ["BatchExecuteStatement", "GetItem"]
    set_feed(encoding="cp1252")
    world.tuned(part_lines=33).deliver(event)
    assert len(queue.events) == 6
    set_feed(id_column="name")
    deliver_all(world, queue)
    assert {json.loads(data)["name"] for data in world.rows().values()} == {"é"}
    assert len(world.rows()) == world.file("a.csv")["rows_stored"] == 120


def test_a_part_out_of_time_continues_from_its_checkpoint(world: World, queue: Invocations) -> None:
    world = world.tuned(part_lines=100)
    world.ingest("a.csv", CONTENT)
    part = queue.events.pop(0)
    with pytest.raises(OutOfTime, match="after 2 requests"):
        world.deliver(part, seconds_left=itertools.chain([30] * 3, itertools.repeat(1)))
    assert len(world.rows()) == 50
    calls = Calls(world.dynamodb)
    world.deliver(part)
    assert "BatchGetItem" not in calls.names, "nothing is written twice"
    deliver_all(world, queue)
    assert world.file("a.csv")["rows_stored"] == 120


def test_the_retry_dispatches_a_check_that_was_begun(world: World, queue: Invocations) -> None:
    world.ingest("a.csv", DUPLICATE_IDS)
    *others, last = queue.events
    queue.events.clear()
    for each in others:
        world.deliver(each)
    calls = Calls(world.dynamodb, clients.lambda_())
    queue.refuse_after = 2
    with pytest.raises(ClientError):
        world.deliver(last)
    queue.refuse_after = None
    first, *_ = queue.events
    queue.events.clear()
    world.deliver(first)
    assert world.file("a.csv")["parts_checked"] == 1
    calls.names.clear()
    world.deliver(last)
    assert len(queue.events) == world.file("a.csv")["parts"] - 1
    deliver_all(world, queue)
    assert world.file("a.csv")["status"] == "COMPLETE"


def test_a_row_missing_from_a_part_is_restored(world: World, queue: Invocations) -> None:
    world.ingest("a.csv", CONTENT)
    deliver_all(world, queue)
    before = world.tables()
    delete_row(world, "77")
    pipeline = world.pipeline()
    assert [finding.kind for finding in audit(pipeline).findings] == ["missing"]
    assert repair(pipeline, audit(pipeline).findings).rows == 1
    assert not queue.events
    assert world.tables() == before


def test_a_row_deleted_before_its_check_can_be_repaired(world: World, queue: Invocations) -> None:
    world.ingest("a.csv", DUPLICATE_IDS)
    while not number_of(queue.events[0])[0]:
        world.deliver(queue.events.pop(0))
    delete_row(world, "7")
    for each in list(queue.events):
        with suppress(TableAltered):
            world.deliver(each)
    queue.events.clear()
    assert world.file("a.csv")["last_error"] == (
        "1 of 20 rows are not in the table after they were written: somebody deleted them; "
        "`csv-ingest audit --repair` writes them again"
    )
    pipeline = world.pipeline()
    pipeline.clients.lambda_ = queue.client
    assert sorted(finding.kind for finding in audit(pipeline).findings) == ["missing", "unsettled"]
    repair(pipeline, audit(pipeline).findings)
    deliver_all(world, queue)
    assert audit(pipeline).findings == []
    assert "last_error" not in world.file("a.csv")


@pytest.mark.parametrize("content", [CONTENT, DUPLICATE_IDS], ids=["different ids", "duplicate ids"])
def test_parts_are_counted_again_for_a_deleted_record(world: World, queue: Invocations, content: str) -> None:
    event = world.ingest("a.csv", content)
    deliver_all(world, queue)
    before = world.tables()
    world.delete_entry("a.csv", version_of(event).etag)
    world.deliver(event)
    deliver_all(world, queue)
    world.deliver(event)
    assert world.tables() == before
    assert audit(world.pipeline()).findings == []


def test_later_lines_are_no_findings_between_parts(world: World, queue: Invocations) -> None:
    world.ingest("a.csv", DUPLICATE_IDS)
    for part in queue.events[:0:-1]:
        world.deliver(part)
    assert {finding.kind for finding in audit(world.pipeline()).findings} == {"unsettled"}


def delete_row(world: World, id_: str) -> None:
    [pk] = [pk for pk in world.tables()[0] if pk.endswith(f"#{id_}")]
    world.default_rows.delete(pk)
