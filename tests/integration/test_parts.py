"""Files that are ingested in parts: in whatever order, however often, the tables are those of one delivery."""

import random
import threading
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csv_ingest.events import Event, object_version, upload_event
from csv_ingest.model import MalformedEvent, PartJob, Phase
from local.deployment import TableRow
from local.examples import expected_rows
from ops.audit import audit
from tests.integration.faults import Calls, between_calls
from tests.integration.invoking import Invocations
from tests.integration.parts import CONTENT, DUPLICATE_IDS, SMALL_PARTS, deliver_all, number_of, without_parts
from tests.integration.world import BOTH_DESTINATIONS, World

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")

TUNING = SMALL_PARTS


def test_a_large_file_is_ingested_in_parts(world: World, queue: Invocations) -> None:
    event = world.ingest("a +.csv", CONTENT)
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
    stored = {pk: TableRow.of(item) for pk, item in world.tables()[0].items()}
    assert stored == expected_rows(good, etag)
    assert audit(world.pipeline()).findings == []


def test_redelivering_a_complete_file_or_part_costs_one_read(world: World, queue: Invocations) -> None:
    event = world.ingest("a.csv", CONTENT)
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
    world.ingest("a.csv", CONTENT)
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


@BOTH_DESTINATIONS
@pytest.mark.parametrize("content", [CONTENT, DUPLICATE_IDS], ids=["different ids", "repeated ids"])
@pytest.mark.parametrize("seed", range(3))
def test_parts_in_any_order_lead_to_the_same_tables(world: World, queue: Invocations, content: str, seed: int) -> None:
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


@BOTH_DESTINATIONS
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=rows_of_few_ids, order=st.randoms(use_true_random=False))
def test_the_first_line_wins_whichever_part_comes_first(
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


@BOTH_DESTINATIONS
def test_two_keys_sharing_duplicate_ids_are_both_accounted_for(world: World, queue: Invocations) -> None:
    """Their parts write the same rows: what one of them moves, the other one has counted as its own."""
    content = "id,name\n" + "".join(f"{n},{n}\n" for n in range(100)) + "0,again\n"
    of: dict[str, list[Event]] = {}
    for key in ("a.csv", "b.csv"):
        world.ingest(key, content)
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


def test_threads_share_one_lambda_client(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3's session is not thread-safe: two threads must not create clients."""
    made: list[tuple[str, bool]] = []
    create = boto3.client

    def recording(service: Any, **options: Any) -> Any:
        made.append((service, threading.current_thread() is threading.main_thread()))
        return create(service, **options)

    monkeypatch.setattr("boto3.client", recording)
    with pytest.raises(ClientError, match="ResourceNotFound"):  # there is no function in this world
        world.ingest("a.csv", CONTENT)
    assert made == [("lambda", True)]


def test_late_copies_of_parts_do_not_restart_the_check(world: World, queue: Invocations) -> None:
    """Or each copy would start a check of all parts: a storm that grows with the square of the file."""
    event = world.ingest("a.csv", DUPLICATE_IDS)
    world.deliver(event)
    total = world.file("a.csv")["parts"]
    assert len(queue.events) == 2 * total
    # In the order of Lambda's queue: the copies come after the parts, and before the checks that these start.
    assert deliver_all(world, queue) <= 4 * total
    assert world.file("a.csv")["status"] == "COMPLETE"


def test_duplicate_ids_are_marked_once_a_delivery(world: World, queue: Invocations) -> None:
    """The note is one item: DynamoDB takes a thousand writes a second of it, from all parts together."""
    world.ingest("a.csv", DUPLICATE_IDS)
    notes: list[Any] = []

    def note(params: Any, **_: Any) -> None:
        notes.extend(each for each in params["Statements"] if "#repeats" in str(each["Parameters"]))

    world.dynamodb.meta.events.register("provide-client-params.dynamodb.BatchExecuteStatement", note)
    parts_ = len(queue.events)
    deliver_all(world, queue)
    assert 0 < len(notes) <= parts_


def test_blank_lines_before_the_header_are_no_part(world: World, queue: Invocations) -> None:
    world.ingest("a.csv", "\n" * 300 + CONTENT)
    deliver_all(world, queue)
    assert sorted(map(int, world.rows())) == list(range(120))
    assert audit(world.pipeline()).findings == []


@pytest.mark.parametrize("job", [PartJob(99), PartJob(0, Phase.CHECK)])
def test_a_part_that_does_not_exist_is_an_error(world: World, queue: Invocations, job: PartJob) -> None:
    event = world.upload("a.csv", CONTENT)
    version = object_version(event["Records"][0])
    with pytest.raises(MalformedEvent, match="0 parts"):
        world.deliver(upload_event(version, job))
    world.deliver(event)
    with pytest.raises(MalformedEvent, match="parts, and None of them checked"):
        world.deliver(upload_event(version, job))
    assert queue.events
    assert world.rows() == {}
