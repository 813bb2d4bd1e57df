"""Files that are delivered in parts: in whatever order, however often, the tables are those of one delivery."""

import gzip
import itertools
import json
import random
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csv_ingest import clients
from csv_ingest.events import Event, object_version, part_job, upload_event
from csv_ingest.model import ItemsNotRead, MalformedEvent, OutOfTime, PartJob, Phase, Tuning
from local.examples import expected_rows
from ops.audit import audit
from tests.integration.faults import Calls, Killed, between_calls
from tests.integration.world import Invocations, World

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


@pytest.fixture
def tuning() -> Tuning:
    """Files of hundreds of rows are split as others of hundreds of thousands."""
    return Tuning(block_bytes=64, part_lines=20, whole_parts=1)


def number_of(event: Event) -> tuple[bool, int]:
    job = part_job(event["Records"][0])
    assert job
    return job.phase is Phase.CHECK, job.number


def deliver_all(world: World, queue: Invocations, *, shuffle: random.Random | None = None, times: int = 1) -> int:
    """Deliver what is in Lambda's queue until there is nothing left; returns how many deliveries that were."""
    count = 0
    while queue.events:
        waiting = queue.events * times
        queue.events.clear()
        if shuffle:
            shuffle.shuffle(waiting)
        for event in waiting:
            world.deliver(event)
            count += 1
    return count


def without_parts(world: World) -> tuple[dict[str, Any], dict[tuple[str, str], Any]]:
    """The tables, but for how a file was divided."""
    rows, files = world.tables()
    kept = {key: item for key, item in files.items() if "#" not in key[1] or "#reject#" in key[1]}
    for item in kept.values():
        for name in ("parts", "parts_done", "parts_checked"):
            item.pop(name, None)
    return rows, kept


CONTENT = "id,name\n" + "".join(f'{n},"line\n{n}"\n' if n % 7 == 0 else f"{n},a\n" for n in range(120)) + ",no id\n1\n"
REPEATED = "id,name\n" + "".join(f"{n % 50},{n // 50}\n" for n in range(120)) + "".join(f"{n},0\n" for n in range(30))
"""Each id on several lines, first with other values, at the end with the first ones again."""


def test_a_large_file_is_delivered_in_parts_whose_rows_are_those_of_the_file(world: World, queue: Invocations) -> None:
    event = world.upload("a +.csv", CONTENT)
    world.deliver(event)
    assert world.rows() == {}
    total = len(queue.events)
    assert total >= 6
    assert sorted(number_of(each) for each in queue.events) == [(False, number) for number in range(total)]
    assert {object_version(each["Records"][0]) for each in queue.events} == {object_version(event["Records"][0])}
    for done, each in enumerate(queue.events):
        record = world.file("a +.csv")
        assert (record["status"], record["parts"], record["parts_done"]) == ("PROCESSING", total, done)
        assert record["rows_stored"] == len(world.rows())
        world.deliver(each)
    record = world.file("a +.csv")
    assert (record["status"], record["parts"], record["parts_done"]) == ("COMPLETE", total, total)
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (122, 120, 2)
    good = CONTENT.removesuffix(",no id\n1\n").encode()
    etag = object_version(event["Records"][0]).etag
    stored = {pk: (int(item["line"]["N"]), item["data"]["S"]) for pk, item in world.tables()[0].items()}
    assert stored == expected_rows(good, etag)
    assert audit(world.pipeline()).findings == []


def test_a_repeated_delivery_of_a_file_or_a_part_of_it_costs_one_read(world: World, queue: Invocations) -> None:
    event = world.upload("a.csv", CONTENT)
    world.deliver(event)
    part = queue.events[0]
    deliver_all(world, queue)
    before = world.tables()
    calls = Calls(world.s3, world.dynamodb, world.sqs)
    for each in (event, part):
        calls.names.clear()
        world.deliver(each)
        assert calls.names == ["GetItem"]
    assert world.tables() == before
    assert not queue.events


def test_a_part_delivered_twice_counts_once(world: World, queue: Invocations) -> None:
    world.deliver(world.upload("a.csv", CONTENT))
    first, second, *_ = queue.events
    world.deliver(first)
    done = world.file("a.csv")
    calls = Calls(world.s3, world.dynamodb)
    world.deliver(first)
    assert calls.names == ["GetItem"] * 3
    assert world.file("a.csv") == done
    # Both at once: the second one finishes the part while the first one is at it.
    number = len(calls.names)
    with between_calls(6, lambda: world.deliver(second), world.s3, world.dynamodb):
        world.deliver(second)
    assert len(calls.names) > number
    assert world.file("a.csv")["parts_done"] == 2
    deliver_all(world, queue)
    assert world.file("a.csv")["rows_read"] == 122


@pytest.mark.parametrize("content", [CONTENT, REPEATED], ids=["different ids", "repeated ids"])
@pytest.mark.parametrize("seed", range(3))
def test_parts_in_any_order_and_twice_lead_to_the_tables_of_one_delivery(
    world: World, queue: Invocations, content: str, seed: int
) -> None:
    event = world.upload("a.csv", content)
    world.tuned(whole_parts=1_000).deliver(event)
    expected = without_parts(world)
    world.empty()
    world.deliver(event)
    assert deliver_all(world, queue, shuffle=random.Random(seed), times=2) > 6  # noqa: S311
    assert without_parts(world) == expected
    assert audit(world.pipeline()).findings == []


rows_of_few_ids = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from("ab")).map(lambda row: f"{row[0]},{row[1]}\n"), min_size=8, max_size=30
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=rows_of_few_ids, order=st.randoms(use_true_random=False))
def test_whichever_part_comes_first_the_first_line_of_an_id_wins(
    world: World, queue: Invocations, rows: list[str], order: random.Random
) -> None:
    world = world.tuned(part_lines=2, block_bytes=8)
    world.empty()
    event = world.upload("a.csv", "id,name\n" + "".join(rows))
    world.tuned(whole_parts=1_000).deliver(event)
    expected = without_parts(world)
    world.empty()
    world.deliver(event)
    deliver_all(world, queue, shuffle=order)
    assert without_parts(world) == expected


def test_two_keys_with_the_same_bytes_and_repeated_ids_are_both_accounted_for(world: World, queue: Invocations) -> None:
    """Their parts write the same rows: what one of them moves, the other one has counted as its own."""
    content = "id,name\n" + "".join(f"{n},{n}\n" for n in range(100)) + "0,again\n"
    of: dict[str, list[Event]] = {}
    for key in ("a.csv", "b.csv"):
        world.deliver(world.upload(key, content))
        of[key] = list(queue.events)
        queue.events.clear()
    # The last line of b is stored, then replaced by the first line of a; b finds its own first line in the table.
    for event in (of["b.csv"][-1], of["a.csv"][0], *of["b.csv"][:-1]):
        world.deliver(event)
    deliver_all(world, queue)
    assert world.rejects("b.csv") == [(102, "duplicate id: line 2 has it with different values")]
    for event in of["a.csv"][1:]:
        world.deliver(event)
    deliver_all(world, queue)
    assert world.rejects("a.csv") == world.rejects("b.csv")
    assert audit(world.pipeline()).findings == []


FEW = {
    "different ids": "id,name\n" + "".join(f"{n},a\n" for n in range(50)) + ",no id\n",
    "repeated ids": "id,name\n" + "".join(f"{n % 20},{n // 40}\n" for n in range(50)),
}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        *itertools.product(FEW, ["die_before", "die_after", "fail_at"]),
        ("repeated ids", "lose_answer_of"),  # each time, botocore waits before it sends the request again
    ],
)
def test_a_fault_at_any_call_of_any_delivery_leaves_no_trace(
    world: World, queue: Invocations, content: str, fault: str
) -> None:
    """Each delivery in turn is hit at one of its calls, and delivered again as Lambda does."""
    world = world.tuned(part_lines=30)
    event = world.upload("a.csv", FEW[content])
    calls = Calls(world.s3, world.dynamodb, clients.lambda_())

    def play(hit: int) -> int:
        waiting, longest = [event], 0
        while waiting:
            current = waiting.pop(0)
            calls.names.clear()
            setattr(calls, fault, hit)
            try:
                world.deliver(current)
            except (Killed, ClientError):
                setattr(calls, fault, None)
                world.deliver(current)
            setattr(calls, fault, None)
            longest = max(longest, len(calls.names))
            waiting += queue.events
            queue.events.clear()
        return longest

    longest = play(10_000)
    expected = world.tables()
    for hit in range(1, longest + 1):
        world.empty()
        play(hit)
        assert world.tables() == expected, f"{fault} {hit}"
        world.failures()


def test_a_part_that_fails_for_good_leaves_the_file_unsettled_until_it_is_redriven(
    world: World, queue: Invocations
) -> None:
    world.deliver(world.upload("a.csv", CONTENT))
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


def test_the_file_delivered_again_starts_only_the_parts_that_are_not_done(world: World, queue: Invocations) -> None:
    event = world.upload("a.csv", CONTENT)
    world.deliver(event)
    lost = {number_of(each) for each in queue.events[2:4]}
    del queue.events[2:4]
    deliver_all(world, queue)
    calls = Calls(world.s3)
    world.deliver(event)
    assert {number_of(each) for each in queue.events} == lost
    assert calls.names == [], "the plan is not made again"
    deliver_all(world, queue)
    assert world.file("a.csv")["status"] == "COMPLETE"


def test_how_a_file_is_divided_and_read_stays_whatever_is_deployed_meanwhile(
    world: World, queue: Invocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the plan, before the record says so: the next one, with other parts and settings, keeps to it."""
    event = world.upload("a.csv", "id,name\n" + "".join(f"{n},é\n" for n in range(120)))
    calls = Calls(world.dynamodb)
    calls.die_before = 4
    with pytest.raises(Killed):
        world.deliver(event)
    assert calls.names[-2:] == ["BatchExecuteStatement", "GetItem"]
    calls.die_before = None
    monkeypatch.setenv("ENCODING", "cp1252")
    world.tuned(part_lines=33).deliver(event)
    assert len(queue.events) == 6
    monkeypatch.setenv("ID_COLUMN", "name")
    deliver_all(world, queue)
    assert {json.loads(data)["name"] for data in world.rows().values()} == {"é"}
    assert len(world.rows()) == world.file("a.csv")["rows_stored"] == 120


def test_a_part_out_of_time_goes_on_where_it_was(world: World, queue: Invocations) -> None:
    world = world.tuned(part_lines=100)
    world.deliver(world.upload("a.csv", CONTENT))
    part = queue.events.pop(0)
    with pytest.raises(OutOfTime, match="after 2 requests"):
        world.deliver(part, seconds_left=itertools.chain([30] * 3, itertools.repeat(1)))
    assert len(world.rows()) == 50
    calls = Calls(world.dynamodb)
    world.deliver(part)
    assert "BatchGetItem" not in calls.names, "nothing is written twice"
    deliver_all(world, queue)
    assert world.file("a.csv")["rows_stored"] == 120


def test_a_repaired_file_is_delivered_in_its_parts_again(world: World, queue: Invocations) -> None:
    event = world.upload("a.csv", CONTENT)
    world.deliver(event)
    deliver_all(world, queue)
    [pk] = [pk for pk in world.tables()[0] if pk.endswith("#77")]
    world.dynamodb.delete_item(TableName=world.rows_table, Key={"pk": {"S": pk}})
    pipeline = world.pipeline()
    assert [finding.kind for finding in audit(pipeline).findings] == ["missing"]
    assert pipeline.files.reopen(object_version(event["Records"][0]))
    world.deliver(event)
    assert len(queue.events) >= 6
    deliver_all(world, queue)
    assert audit(pipeline).findings == []
    assert world.file("a.csv")["rows_read"] == 122


def test_late_copies_of_parts_do_not_start_the_check_again(world: World, queue: Invocations) -> None:
    """Or each copy would start a check of all parts: a storm that grows with the square of the file."""
    event = world.upload("a.csv", REPEATED)
    world.deliver(event)
    world.deliver(event)
    total = world.file("a.csv")["parts"]
    assert len(queue.events) == 2 * total
    # In the order of Lambda's queue: the copies come after the parts, and before the checks that these start.
    assert deliver_all(world, queue) <= 4 * total
    assert world.file("a.csv")["status"] == "COMPLETE"


def test_a_check_that_was_begun_but_not_delivered_is_delivered_by_the_retry(world: World, queue: Invocations) -> None:
    world.deliver(world.upload("a.csv", REPEATED))
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


def test_repeated_ids_are_noted_once_a_delivery(world: World, queue: Invocations) -> None:
    """The note is one item: DynamoDB takes a thousand writes a second of it, from all parts together."""
    world.deliver(world.upload("a.csv", REPEATED))
    notes: list[Any] = []

    def note(params: Any, **_: Any) -> None:
        notes.extend(each for each in params["Statements"] if "#repeats" in str(each["Parameters"]))

    world.dynamodb.meta.events.register("provide-client-params.dynamodb.BatchExecuteStatement", note)
    parts_ = len(queue.events)
    deliver_all(world, queue)
    assert 0 < len(notes) <= parts_


def test_rows_of_the_same_bytes_under_other_settings_are_not_moved(
    world: World, queue: Invocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "id,name\n" + "".join(f"{121 - n},{n}\n" for n in range(120))
    world.deliver(world.upload("a.csv", content))
    deliver_all(world, queue)
    before = world.tables()[0]
    monkeypatch.setenv("ID_COLUMN", "@line")
    world.deliver(world.upload("b.csv", content))
    deliver_all(world, queue)
    after = world.tables()[0]
    assert {pk: after[pk] for pk in before} == before
    assert world.file("b.csv")["rows_rejected"] > 100


def test_a_row_that_disappears_before_its_check_can_be_repaired(world: World, queue: Invocations) -> None:
    event = world.upload("a.csv", REPEATED)
    world.deliver(event)
    while not number_of(queue.events[0])[0]:
        world.deliver(queue.events.pop(0))
    [pk] = [pk for pk in world.tables()[0] if pk.endswith("#7")]
    world.dynamodb.delete_item(TableName=world.rows_table, Key={"pk": {"S": pk}})
    for each in list(queue.events):
        with suppress(ItemsNotRead):
            world.deliver(each)
    queue.events.clear()
    pipeline = world.pipeline()
    assert [finding.kind for finding in audit(pipeline).findings] == ["unsettled"]
    assert pipeline.files.reopen(object_version(event["Records"][0]))
    world.deliver(event)
    deliver_all(world, queue)
    assert audit(pipeline).findings == []


def test_blank_lines_before_the_header_are_no_part_of_their_own(world: World, queue: Invocations) -> None:
    world.deliver(world.upload("a.csv", "\n" * 300 + CONTENT))
    deliver_all(world, queue)
    assert sorted(map(int, world.rows())) == list(range(120))
    assert audit(world.pipeline()).findings == []


def test_a_file_with_more_parts_than_its_plan_can_hold_is_rejected(world: World) -> None:
    world = world.tuned(max_parts=5)
    world.deliver(world.upload("a.csv", CONTENT))
    assert world.file("a.csv")["reason"].endswith("divide it")
    assert world.file("a.csv")["status"] == "REJECTED"


@pytest.mark.parametrize("job", [PartJob(99), PartJob(0, Phase.CHECK)])
def test_a_part_that_there_is_not_is_an_error(world: World, queue: Invocations, job: PartJob) -> None:
    event = world.upload("a.csv", CONTENT)
    version = object_version(event["Records"][0])
    with pytest.raises(MalformedEvent, match="0 parts"):
        world.deliver(upload_event(version, job))
    world.deliver(event)
    with pytest.raises(MalformedEvent, match="parts, and None of them checked"):
        world.deliver(upload_event(version, job))
    assert queue.events
    assert world.rows() == {}


TOO_LARGE = {
    "a.csv": (b"id\n" + b"1\n" * 1_200_000, "the file has 2,400,003 bytes, and max_file_mb allows 2,000,000"),
    "a.csv.gz": (
        gzip.compress(b"id\n" + b"1\n" * 120_000),
        "cannot be split into parts, and has more than the 200,000",
    ),
    "old-mac.csv": (b"id\r" + b"1\r" * 600_000, "cannot be split into parts, and has more than the 200,000"),
}


@pytest.mark.parametrize("key", TOO_LARGE)
def test_a_file_too_large_to_be_checked_in_time_is_rejected_with_what_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    world = world.tuned(block_bytes=64 * 1024)
    monkeypatch.setenv("MAX_FILE_MB", "2")
    content, reason = TOO_LARGE[key]
    event = world.upload(key, content)
    world.deliver(event)
    record = world.file(key)
    assert record["status"] == "REJECTED"
    assert reason in record["reason"]
    assert "raise max_file_mb, and timeout_seconds with it" in record["reason"]
    monkeypatch.setenv("MAX_FILE_MB", "20")
    with pytest.raises(OutOfTime):
        world.deliver(event, seconds_left=1)
    assert world.file(key)["status"] == "PROCESSING", "under the new setting it is read"


def test_a_large_file_that_cannot_be_read_is_rejected_with_the_place_and_no_part_of_it_is_delivered(
    world: World, queue: Invocations
) -> None:
    world.deliver(world.upload("a.csv", CONTENT + '"open'))
    record = world.file("a.csv")
    assert (record["status"], record["reason"]) == (
        "REJECTED",
        "the record that starts on line 142: unexpected end of data",
    )
    assert not queue.events
    assert world.rows() == {}


def test_a_large_file_with_old_mac_line_ends_is_ingested_by_one_delivery(world: World, queue: Invocations) -> None:
    world.deliver(world.upload("a.csv", "id\r" + "".join(f"{n}\r" for n in range(200))))
    assert not queue.events
    assert world.file("a.csv")["rows_stored"] == 200
