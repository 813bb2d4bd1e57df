"""An ETag stands for one content and one reading of it, whatever the keys, the versions and the settings."""

import gzip
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count

import pytest

from ops.audit import audit
from ops.pipeline import Pipeline
from ops.repair import repair
from ops.status import not_good, of_key
from tests.integration.collisions import FIRST, ROWS, SECOND
from tests.integration.faults import Calls, Killed, between_calls
from tests.integration.invoking import Invocations, version_of
from tests.integration.parts import deliver_all
from tests.integration.settings import set_feed
from tests.integration.sweeping import run_sweep
from tests.integration.world import World


@pytest.fixture
def collision(world: World) -> World:
    """Settings under which any bytes are a header, and its lines are the ids."""
    set_feed(encoding="iso8859-1", id_column="@line")
    assert hashlib.md5(FIRST).digest() == hashlib.md5(SECOND).digest()  # noqa: S324 - S3 uses it
    return world


def findings(pipeline: Pipeline) -> list[tuple[str, str]]:
    return [(finding.kind, finding.key) for finding in audit(pipeline).findings]


def test_other_content_under_one_etag_is_rejected(collision: World, pipeline: Pipeline) -> None:
    collision.ingest("a.csv", FIRST + ROWS)
    stored = collision.tables()[0]
    collision.ingest("b.csv", SECOND + ROWS)
    record = collision.file("b.csv")
    assert record["status"] == "REJECTED"
    assert record["reason"].startswith("other content was ingested under the same ETag")
    [failure] = collision.failures()
    assert failure["responsePayload"]["errorMessage"] == record["reason"]
    assert collision.tables()[0] == stored
    assert findings(pipeline) == []


def test_a_new_version_with_other_content_is_rejected(collision: World, pipeline: Pipeline) -> None:
    first = collision.ingest("a.csv", FIRST + ROWS)
    before = collision.tables()
    second = collision.upload("a.csv", SECOND + ROWS)
    for _ in range(2):
        collision.deliver(second)
    assert len(collision.failures()) == 2
    [found], _ = not_good(pipeline)
    assert (found.record.version_id, found.record.status) == (version_of(second).version_id, "REJECTED")
    assert "other content" in found.record.reason
    rows, files = collision.tables()
    assert rows == before[0]
    assert {key: item for key, item in files.items() if "#version#" not in key[1]} == before[1]
    assert findings(pipeline) == []
    calls = Calls(collision.dynamodb, collision.s3)
    collision.deliver(first)
    assert calls.names == ["GetItem"]


def test_an_audit_finds_other_content_that_nobody_rejected(
    collision: World, pipeline: Pipeline, invocations: Invocations
) -> None:
    """The event was lost. The rows of the first content are good, and a repair must not touch them."""
    collision.ingest("a.csv", FIRST + ROWS)
    before = collision.tables()[0]
    collision.upload("a.csv", SECOND + ROWS)
    collision.upload("b.csv", SECOND + ROWS)
    assert findings(pipeline) == [("unsettled", "a.csv"), ("unsettled", "b.csv")]
    repair(pipeline, audit(pipeline).findings)
    for event in invocations.events:
        collision.deliver(event)
    assert len(collision.failures()) == 2
    assert collision.tables()[0] == before
    assert findings(pipeline) == []


def test_a_rejected_version_says_nothing_of_the_others(
    collision: World, pipeline: Pipeline, invocations: Invocations
) -> None:
    """The first version's event was lost, and the record of the upload is that of the second one, rejected."""
    collision.ingest("b.csv", FIRST + ROWS)
    lost = collision.upload("a.csv", FIRST + ROWS)
    collision.ingest("a.csv", SECOND + ROWS)
    assert collision.file("a.csv")["status"] == "REJECTED"
    assert findings(pipeline) == [("unsettled", "a.csv")]
    run_sweep(collision, invocations)
    assert list(map(version_of, invocations.events)) == [version_of(lost)]
    collision.deliver(lost)
    assert findings(pipeline) == []


def test_a_rejected_version_is_not_swept_up_again(collision: World, invocations: Invocations) -> None:
    """The version that was begun has expired: the file stays unsettled, and nothing can be done for it."""
    first = collision.upload("a.csv", FIRST + ROWS)
    with pytest.raises(Killed), Calls(collision.s3, collision.dynamodb).fault("die_after", 8):
        collision.deliver(first)
    collision.ingest("a.csv", SECOND + ROWS)
    collision.delete_object(first)
    swept = run_sweep(collision, invocations, age=timedelta(hours=-6))
    assert (swept.unsettled, swept.delivered) == (0, 0)


def test_content_that_cannot_be_unpacked_is_other_content(world: World, pipeline: Pipeline) -> None:
    """Made up, by a copy of the records: two gzip files with one ETag, of which the second is damaged."""
    first = world.ingest("a.csv.gz", gzip.compress(b"id\n1\n"))
    damaged = world.upload("a.csv.gz", b"no gzip file")
    etag, other = (version_of(event).etag for event in (first, damaged))
    for (key, entry), item in world.tables()[1].items():
        renamed = {"object_key": {"S": key.replace(etag, other)}, "entry": {"S": entry.replace(etag, other)}}
        world.dynamodb.put_item(TableName=world.files_table, Item=item | renamed)
    world.deliver(damaged)
    record = pipeline.files.record(version_of(damaged))
    assert (record.status, record.version_id) == ("REJECTED", version_of(damaged).version_id)
    assert len(world.failures()) == 1
    assert (
        pipeline.files.record(replace(version_of(damaged), version_id=version_of(first).version_id)).status
        == "COMPLETE"
    )


@pytest.mark.parametrize("rows", [20, 150])
def test_two_contents_delivered_at_once_are_never_mixed(
    collision: World, queue: Invocations, pipeline: Pipeline, rows: int
) -> None:
    """At each call of the first delivery, the other version is delivered: one is ingested, one rejected."""
    collision = collision.tuned(part_lines=25, block_bytes=64, whole_parts=1)
    contents = [block + b"\n" + b"".join(b"%d\n" % n for n in range(rows)) for block in (FIRST, SECOND)]
    for number in range(1, 7):
        collision.empty()
        first, second = (collision.upload(f"{number}.csv", content) for content in contents)
        overtake = partial(collision.deliver, second)
        with between_calls(number, overtake, collision.s3, collision.dynamodb):
            collision.deliver(first)
        deliver_all(collision, queue)
        assert (("unsettled", f"{number}.csv")) not in findings(pipeline)
        assert collision.file(f"{number}.csv")["status"] == "COMPLETE"
        rejected = [failure for failure in collision.failures() if f"{number}.csv" in str(failure)]
        assert len(rejected) == 1
        headers = {next(iter(json.loads(data))) for data in collision.rows().values()}
        assert len(headers) == 1, "rows of two files are under one ETag"


def test_a_repeated_event_of_a_version_is_one_read(world: World) -> None:
    world.ingest("a.csv", "id\n1\n")
    again = world.upload("a.csv", "id\n1\n")
    calls = Calls(world.dynamodb, world.s3)
    world.deliver(again)
    assert "GetObject" in calls.names, "its content is compared once"
    assert "BatchExecuteStatement" not in calls.names
    calls.names.clear()
    world.deliver(again)
    assert calls.names == ["GetItem"]


def test_events_of_two_versions_in_turn_read_no_file_again(world: World) -> None:
    events = [world.upload("a.csv", "id\n1\n") for _ in range(3)]
    for event in events:
        world.deliver(event)
    calls = Calls(world.dynamodb, world.s3)
    for event in [*events, *events]:
        calls.names.clear()
        world.deliver(event)
        assert calls.names in (["GetItem"], ["GetItem", "GetItem"])


@pytest.mark.parametrize("order", [(0, 1), (0, 1, 0, 1), (0, 1, 0), (1, 0, 0, 1)])
def test_rejected_versions_delivered_again_have_records(
    world: World, pipeline: Pipeline, invocations: Invocations, order: tuple[int, ...]
) -> None:
    events = [world.upload("a.csv", "no id\n1\n") for _ in range(2)]
    for number in order:
        world.deliver(events[number])
    assert findings(pipeline) == []
    assert len(world.failures()) == len(order)
    assert run_sweep(world, invocations, age=timedelta(hours=-6)).unsettled == 0
    assert [each.record.status for each in of_key(pipeline, "a.csv")] == ["REJECTED"], "the same bytes are one upload"


def test_versions_rejected_at_once_each_have_a_record(
    world: World, pipeline: Pipeline, invocations: Invocations
) -> None:
    for number in range(1, 10):
        world.empty()
        first, second = (world.upload(f"{number}.csv", "no id\n1\n") for _ in range(2))
        with between_calls(number, partial(world.deliver, second), world.s3, world.dynamodb, world.sqs):
            world.deliver(first)
        world.deliver(second)
        assert run_sweep(world, invocations, age=timedelta(hours=-6)).delivered == number - 1, "those of before"
        invocations.events.clear()
        assert [each for each in findings(pipeline) if each[1] == f"{number}.csv"] == []


@pytest.mark.parametrize("keys", [("b.csv", "a.csv"), ("a.csv", "a.csv"), ("a.csv.gz", "b.csv.gz")])
@pytest.mark.parametrize("whole", [True, False])
def test_the_same_content_is_read_as_it_was(
    world: World, queue: Invocations, keys: tuple[str, str], whole: bool
) -> None:
    text = b"id,name\n5,a\n4,b\n3,c\n"
    world = world.tuned(whole_parts=4 if whole else 0)
    content = gzip.compress(text, mtime=0) if keys[0].endswith(".gz") else text
    set_feed(id_column="@line")
    world.ingest(keys[0], content)
    deliver_all(world, queue)
    before = world.tables()[0]
    assert {pk.partition("#")[2] for pk in before} == {"2", "3", "4"}
    set_feed(id_column="id")
    world.ingest(keys[1], content)
    deliver_all(world, queue)
    assert world.tables()[0] == before
    assert (world.file(keys[1])["rows_stored"], world.rejects(keys[1])) == (3, [])
    assert findings(world.pipeline()) == []


def test_an_audit_reads_content_as_it_was_read(world: World, pipeline: Pipeline) -> None:
    """The settings changed, and the event of the second key was lost: a repair must not touch the rows of the first."""
    content = "id,name\n3,x\n2,y\n"
    set_feed(id_column="@line")
    world.ingest("b.csv", content)
    before = world.tables()[0]
    world.deploy(pipeline, id_column="id")
    world.upload("a.csv", content)
    assert findings(pipeline) == [("unsettled", "a.csv")]
    repair(pipeline, audit(pipeline).findings)
    assert world.tables()[0] == before


@pytest.mark.parametrize("call", range(1, 9))
def test_deliveries_under_two_settings_agree_on_one_reading(world: World, pipeline: Pipeline, call: int) -> None:
    """A deployment between two keys with the same content: at each call of the first, the second is delivered."""
    content = "id,name\n" + "".join(f"{99 - n},{n}\n" for n in range(60))
    first, second = world.upload("a.csv", content), world.upload("b.csv", content)

    def overtake() -> None:
        set_feed(id_column="@line")
        world.deliver(second)
        set_feed(id_column="id")

    with between_calls(call, overtake, world.s3, world.dynamodb):
        world.deliver(first)
    assert len(world.rows()) == 60
    assert {world.file(key)["rows_stored"] for key in ("a.csv", "b.csv")} == {60}
    assert len({world.file(key)["format"] for key in ("a.csv", "b.csv")}) == 1
    assert findings(pipeline) == []


def test_versions_of_one_content_take_turns(world: World) -> None:
    """The first one is delivered again after the second one was found to be the same, and neither came to its end."""
    world = world.tuned(checkpoint_rows=25, in_flight=1)
    content = "id,name\n" + "".join(f"{n},{n}\n" for n in range(200))
    events = [world.upload("a.csv", content) for _ in range(2)]
    calls = Calls(*world.engines)
    for event in events:
        with pytest.raises(Killed), calls.fault("die_before", 12):
            world.deliver(event)
    assert 0 < world.file("a.csv")["rows_read"] < 200
    world.deliver(events[0], seconds_left=count(30, -0.1))
    assert world.file("a.csv")["status"] == "COMPLETE"
