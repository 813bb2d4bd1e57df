"""With `keep_rows_days`, a row lives as long as the last upload that has it, and nobody misses it afterwards."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count, permutations
from typing import Any

import pytest

from csv_ingest.events import Event
from csv_ingest.model import BeingErased, OwnerNeeded, TableAltered, Tuning
from ops.audit import audit
from ops.differences import explained
from ops.erasing import NotErasable
from ops.findings import Difference
from ops.forgetting import forget, forgetting_of
from ops.pipeline import Pipeline
from ops.reloading import erasure_for_reload, reload, versions_to_reload
from ops.repair import repair
from tests.integration.commands import invoke, run
from tests.integration.faults import Calls, Killed, between_calls
from tests.integration.invoking import Invocations
from tests.integration.rows import PostgresqlRows
from tests.integration.settings import set_feed
from tests.integration.sweeping import listed, run_sweep, swept_feed
from tests.integration.world import FIRST_UPLOAD, World

KEPT = timedelta(days=3_650)
LONG_AGO = FIRST_UPLOAD - timedelta(days=5_000)
"""When a file was uploaded whose rows have expired."""

ROWS = 30
FILE = "id,name\n" + "".join(f"{n},{n % 9}\n" for n in range(ROWS)) + ",no id\n7,again\n8,8\n"
"""Of the rows, two are rejected, and one is there twice."""

PARTS = Tuning(block_bytes=64, part_lines=15, whole_parts=1, batch_rows=25)
WHOLE = Tuning(batch_rows=25)

EVERYWHERE = pytest.mark.parametrize("world", ["dynamodb", "postgresql", "merge", "postgresql merge"], indirect=True)
APPENDING = pytest.mark.parametrize("world", ["dynamodb", "postgresql"], indirect=True)
EITHER_WAY = pytest.mark.parametrize("tuning", [WHOLE, PARTS], ids=["whole", "parts"], indirect=True)


@pytest.fixture(autouse=True)
def _rows_expire(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.default_rows.declare("row_expires_at", "timestamp")
    set_feed(keep_rows_days=KEPT.days)
    monkeypatch.setattr("ops.erasing.CLOCKS", 0)
    monkeypatch.setattr("ops.erasing.STATEMENT_TIMEOUT", 0)


def upload(world: World, key: str, content: str, *, days: int = 0) -> Event:
    """Upload a file, so many days after the first one."""
    return world.upload(key, content, time=FIRST_UPLOAD + timedelta(days=days))


def expiries(world: World) -> dict[str, datetime | None]:
    """When the rows expire, by their keys."""
    return {pk: expiry_of(item) for pk, item in world.default_rows.items().items()}


def expiry_of(item: dict[str, Any]) -> datetime | None:
    match item.get("row_expires_at"):
        case {"N": seconds}:
            return datetime.fromtimestamp(int(seconds), UTC)
        case {"S": text}:
            return datetime.fromisoformat(text)
    return None


def is_kept_until(world: World, *, days: int) -> bool:
    """Whether each row of FILE is there until its upload expires, which was made so many days after the first one."""
    found = list(expiries(world).values())
    return found == [FIRST_UPLOAD + timedelta(days=days) + KEPT] * ROWS


def set_expiry(world: World, at: datetime) -> None:
    """Have each row expire at a time."""
    for item in world.default_rows.items().values():
        is_number = "N" in item.get("row_expires_at", {"N": ""})
        expiry = {"N": str(int(at.timestamp()))} if is_number else {"S": at.isoformat()}
        world.default_rows.put(item | {"row_expires_at": expiry})


def expire(world: World) -> None:
    """Have time pass, so that every upload has expired; its rows are deleted."""
    for item in world._files().values():
        if "rows_expire_at" in item:
            item["rows_expire_at"] = {"S": LONG_AGO.isoformat(timespec="milliseconds")}
            world.dynamodb.put_item(TableName=world.files_table, Item=item)
    for pk in world.default_rows.items():
        world.default_rows.delete(pk)


@EVERYWHERE
@EITHER_WAY
def test_rows_expire_days_after_their_upload(world: World, pipeline: Pipeline, queue: Invocations) -> None:
    deliver_all(world, queue, [upload(world, "a.csv", FILE, days=3)])
    assert is_kept_until(world, days=3)
    assert audit(pipeline).findings == []


def deliver_all(world: World, queue: Invocations, events: list[Event]) -> None:
    """Deliver events and the parts of their files, the newest part first."""
    waiting = list(events)
    while waiting:
        world.deliver(waiting.pop(0))
        waiting += reversed(queue.events)
        queue.events.clear()


@APPENDING
@EITHER_WAY
def test_rows_live_as_long_as_their_last_upload(world: World, pipeline: Pipeline, queue: Invocations) -> None:
    events = [upload(world, key, FILE, days=days) for key, days in (("a.csv", 0), ("a.csv", 60), ("b.csv", 30))]
    for order in permutations(events):
        world.empty()
        deliver_all(world, queue, list(order))
        assert is_kept_until(world, days=60)
        deliver_all(world, queue, list(order))
        assert is_kept_until(world, days=60)
        assert audit(pipeline).findings == []


@APPENDING
@EITHER_WAY
def test_a_version_that_comes_again_costs_one_read(world: World, queue: Invocations) -> None:
    events = [upload(world, "a.csv", FILE, days=days) for days in (0, 30)]
    deliver_all(world, queue, events)
    before = world.tables()
    calls = Calls(*world.engines)
    for event in events:
        world.deliver(event)
    assert calls.names == ["GetItem", "GetItem"]
    assert world.tables() == before


@APPENDING
def test_bytes_that_come_after_their_expiry_are_stored_again(world: World, pipeline: Pipeline) -> None:
    world.deliver(upload(world, "a.csv", FILE))
    expire(world)
    world.deliver(upload(world, "a.csv", FILE, days=1))
    world.deliver(upload(world, "b.csv", FILE, days=2))
    assert is_kept_until(world, days=2)
    assert audit(pipeline).findings == []


@APPENDING
def test_rows_without_expiry_stay(world: World, pipeline: Pipeline) -> None:
    set_feed(keep_rows_days=None)
    world.deliver(upload(world, "a.csv", FILE))
    set_feed(keep_rows_days=KEPT.days)
    for key in ("a.csv", "b.csv"):
        world.deliver(upload(world, key, FILE, days=2))
    assert set(expiries(world).values()) == {None}
    world.deploy(pipeline)
    assert audit(pipeline).findings == []


@APPENDING
def test_what_was_begun_without_expiry_is_kept_for_ever(world: World, pipeline: Pipeline) -> None:
    set_feed(keep_rows_days=None)
    event = upload(world, "a.csv", FILE)
    calls = Calls(*world.engines)
    with suppress(Killed), calls.fault("die_before", 5):  # once it is planned
        world.deliver(event)
    assert world.file("a.csv")["status"] == "PROCESSING"
    set_feed(keep_rows_days=KEPT.days)
    world.deliver(upload(world, "b.csv", FILE, days=2))
    assert is_kept_until(world, days=2)
    world.deliver(event)
    assert set(expiries(world).values()) == {None}
    assert audit(pipeline).findings == []


@pytest.mark.parametrize("fault", ["die_before", "lose_answer_of"])
@APPENDING
def test_a_fault_while_rows_are_renewed_leaves_no_trace(world: World, fault: str) -> None:
    first, second = (upload(world, "a.csv", FILE, days=days) for days in (0, 30))
    calls = Calls(*world.engines)
    world.deliver(first)
    calls.names.clear()
    world.deliver(second)
    numbers, expected = calls.numbers(fault), world.tables()
    assert is_kept_until(world, days=30)
    assert len(numbers) > 2
    for number in numbers:
        world.empty()
        world.deliver(first)
        world.deliver_despite(calls, fault, number, second)
        assert world.tables() == expected, f"{fault} {number}"


@EVERYWHERE
def test_rows_may_be_deleted_while_they_are_renewed(world: World, pipeline: Pipeline) -> None:
    """Or, where a feed merges, while the rows of another version take their places."""
    first, second = (upload(world, "a.csv", FILE, days=days) for days in (0, 30))
    calls = Calls(*world.engines)
    world.deliver(first)
    calls.names.clear()
    world.deliver(second)
    for number in range(1, len(calls.names) + 1):
        world.empty()
        world.deliver(first)
        with between_calls(number, lambda: world.default_rows.expire(FIRST_UPLOAD + KEPT), *world.engines):
            world.deliver(second)
        assert is_kept_until(world, days=30), number
    assert audit(pipeline).findings == []


@APPENDING
def test_overlapping_uploads_of_the_same_bytes_end_alike(world: World, pipeline: Pipeline) -> None:
    first, second = (upload(world, "a.csv", FILE, days=days) for days in (0, 30))
    calls = Calls(*world.engines)
    world.deliver(first)
    for number in range(1, len(calls.names) + 1):
        world.empty()
        with between_calls(number, lambda: world.deliver(second), *world.engines):
            world.deliver(first)
        assert is_kept_until(world, days=30), number
        assert audit(pipeline).findings == [], number


@EVERYWHERE
def test_a_file_that_has_expired_is_rejected(world: World) -> None:
    world.deliver(world.upload("a.csv", FILE, time=LONG_AGO))
    assert world.rows() == {}
    [failure] = world.failures()
    reason = failure["responsePayload"]["errorMessage"]
    assert world.file("a.csv")["reason"] == reason
    assert reason == (
        "it was uploaded on 2012-04-24, and keep_rows_days=3650 keeps its rows until 2022-04-22: no row is stored; "
        "upload it again if you need them"
    )


@EVERYWHERE
def test_nobody_misses_rows_that_have_expired(world: World, commanded: Pipeline) -> None:
    world.deliver(upload(world, "a.csv", FILE))
    expire(world)
    assert audit(commanded).findings == []
    shown = invoke("rows", "a.csv", code=0)
    assert shown.stdout == ""
    assert "0 rows, 0 missing: the rows of this upload expired on 2012-04-24" in shown.stderr


@APPENDING
def test_a_row_that_expires_too_early_is_mended(world: World, pipeline: Pipeline) -> None:
    for key, days in (("a.csv", 0), ("b.csv", 30), ("a.csv", 10)):
        world.deliver(upload(world, key, FILE, days=days))
    set_expiry(world, FIRST_UPLOAD + KEPT)
    found = audit(pipeline).findings
    assert [each.kind for each in found] == ["different"] * ROWS
    early, right = ((FIRST_UPLOAD + timedelta(days=days) + KEPT).isoformat() for days in (0, 30))
    assert explained(pipeline, found)[0].differences == [Difference("row_expires_at", early, right)]
    repair(pipeline, found)
    assert is_kept_until(world, days=30)


@APPENDING
def test_an_upload_on_its_way_is_no_reason_to_repair(world: World, pipeline: Pipeline) -> None:
    """Nobody knows yet when it will expire."""
    world.deliver(upload(world, "a.csv", FILE))
    event = upload(world, "b.csv", FILE, days=30)
    found = audit(pipeline).findings
    assert [each.kind for each in found] == ["unsettled"]
    for pk in list(world.default_rows.items())[:5]:
        world.default_rows.delete(pk)
    repair(pipeline, audit(pipeline).findings)
    world.deliver(event)
    assert is_kept_until(world, days=30)
    expire(world)
    upload(world, "a.csv", FILE, days=60)
    assert [each.kind for each in audit(pipeline).findings] == ["unsettled"]


@APPENDING
def test_a_repair_shortens_nothing(world: World, pipeline: Pipeline) -> None:
    world.deliver(upload(world, "a.csv", FILE))
    for number, (pk, item) in enumerate(world.default_rows.items().items()):
        if number < 5:
            world.default_rows.delete(pk)
        elif number < 10:
            world.default_rows.put(item | {"line": {"N": "99"}})
    found = audit(pipeline).findings
    for pk, item in world.default_rows.items().items():
        if item["line"] == {"N": "99"}:
            world.default_rows.delete(pk)
    world.deliver(upload(world, "b.csv", FILE, days=30))
    repair(pipeline, found)
    assert is_kept_until(world, days=30)


@APPENDING
def test_a_repair_keeps_rows_for_ever(world: World, pipeline: Pipeline) -> None:
    world.deliver(upload(world, "a.csv", FILE))
    set_feed(keep_rows_days=None)
    world.deliver(upload(world, "b.csv", FILE, days=1))
    world.deploy(pipeline, keep_rows_days=KEPT.days)
    repair(pipeline, audit(pipeline).findings)
    assert set(expiries(world).values()) == {None}
    assert audit(pipeline).findings == []


TWICE = "id,name\nx,first\n" + "".join(f"{n},{n}\n" for n in range(30)) + "x,second\n"
"""An id is on the first and on the last line."""


@pytest.mark.parametrize("tuning", [PARTS], indirect=True)
@APPENDING
@pytest.mark.parametrize("what", ["the first line comes", "the row expires"])
def test_a_line_that_replaces_another_is_overtaken(
    world: World, pipeline: Pipeline, queue: Invocations, what: str
) -> None:
    first, second = (upload(world, f"{days}.csv", TWICE, days=days) for days in (0, 30))
    calls = Calls(*world.engines)
    for number in count(1):
        world.empty()
        of_first, of_second = (parts_of(world, queue, event) for event in (first, second))
        world.deliver(of_first[-1])
        calls.names.clear()

        def overtake(part: Event = of_first[0]) -> None:
            if what == "the row expires":
                world.default_rows.expire(FIRST_UPLOAD + KEPT)
            else:
                world.deliver(part)

        with between_calls(number, overtake, *world.engines):
            world.deliver(of_second[0])
        made = len(calls.names)
        deliver_all(world, queue, [*of_second[1:], *of_first[1:-1], of_first[0]])
        assert set(expiries(world).values()) == {FIRST_UPLOAD + timedelta(days=30) + KEPT}, number
        assert audit(pipeline).findings == [], number
        if number > made:  # it was overtaken at each call
            break
    assert number > 5


def parts_of(world: World, queue: Invocations, event: Event) -> list[Event]:
    """Deliver a file; returns the events of its parts."""
    world.deliver(event)
    parts = list(queue.events)
    queue.events.clear()
    return parts


@pytest.mark.parametrize("tuning", [PARTS], indirect=True)
@APPENDING
def test_a_file_is_settled_though_its_rows_have_expired(world: World, queue: Invocations) -> None:
    event = upload(world, "a.csv", TWICE)
    for part in parts_of(world, queue, event):
        world.deliver(part)
    queue.events.clear()
    expire(world)
    deliver_all(world, queue, [event])
    assert world.file("a.csv")["status"] == "COMPLETE"


@pytest.mark.parametrize("tuning", [PARTS], indirect=True)
def test_another_version_does_not_take_a_plan(world: World, pipeline: Pipeline, queue: Invocations) -> None:
    first, second = (upload(world, "a.csv", FILE, days=days) for days in (0, 30))
    calls = Calls(*world.engines)
    for number in range(1, 15):
        world.empty()
        with suppress(Killed), calls.fault("die_before", number):
            world.deliver(first)
        queue.events.clear()
        deliver_all(world, queue, [second, first])
        assert is_kept_until(world, days=30), number
        assert audit(pipeline).findings == [], number


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_a_late_older_version_leaves_the_newest_rows(world: World) -> None:
    old, other, new = (
        upload(world, key, f"id,name\n1,{name}\n", days=days)
        for key, name, days in (("a.csv", "same", 0), ("b.csv", "between", 10), ("a.csv", "same", 20))
    )
    for event in (other, new, old):
        world.deliver(event)
    rows = world.default_rows
    assert isinstance(rows, PostgresqlRows)
    assert [item["data"]["S"] for item in rows.newest().values()] == ['{"id":"1","name":"same"}']


@pytest.mark.parametrize("world", ["merge", "postgresql merge"], indirect=True)
def test_an_older_row_does_not_come_back(world: World, pipeline: Pipeline) -> None:
    set_feed(keep_rows_days=2 * KEPT.days)
    world.deliver(upload(world, "a.csv", "id,name\n1,old\n2,old\n"))
    set_feed(keep_rows_days=KEPT.days)
    world.deliver(upload(world, "b.csv", "id,name\n1,new\n", days=1))
    assert expiries(world) == {"1": FIRST_UPLOAD + timedelta(days=1) + KEPT, "2": FIRST_UPLOAD + 2 * KEPT}
    world.change_record("b.csv", rows_expire_at=LONG_AGO.isoformat(timespec="milliseconds"))
    world.default_rows.delete("1")
    assert audit(pipeline).findings == []
    world.deliver(upload(world, "c.csv", "id,name\n1,newest\n", days=2))
    assert expiries(world)["1"] == FIRST_UPLOAD + timedelta(days=2) + KEPT


@APPENDING
@EITHER_WAY
def test_forgetting_takes_every_version(world: World, pipeline: Pipeline, queue: Invocations) -> None:
    deliver_all(world, queue, [upload(world, "a.csv", FILE, days=days) for days in (0, 30, 60)])
    deliver_all(world, queue, [upload(world, "b.csv", FILE, days=days) for days in (0, 30)])
    assert forget_file(world, pipeline, "a.csv") == 0
    assert {key for key, _ in world._files() if key.endswith(".csv")} == {"b.csv"}
    assert is_kept_until(world, days=60)
    assert audit(pipeline).findings == []
    forget_file(world, pipeline, "b.csv")
    assert world.rows() == {}
    assert not [key for key in world._files() if key[0] != "#sweep"]


def forget_file(world: World, pipeline: Pipeline, key: str) -> int:
    """Forget a file, and delete its rows where only the owner of the table may."""
    try:
        return forget(forgetting_of(pipeline, key))
    except OwnerNeeded:
        for pk in world.default_rows.items():
            world.default_rows.delete(pk)
        return forget(forgetting_of(pipeline, key))


def test_a_version_that_is_planned_meanwhile_is_forgotten(world: World, pipeline: Pipeline) -> None:
    calls, operator = Calls(*world.engines), (pipeline.clients.s3, pipeline.clients.dynamodb)
    for begun, again in [(begun, begun + later) for begun in range(4, 10) for later in (6, 10, 15)]:
        world.deliver(upload(world, "a.csv", FILE))
        second = upload(world, "a.csv", FILE, days=30)
        calls.names.clear()

        def begin(event: Event = second) -> None:
            with suppress(Killed, BeingErased), calls.fault("die_before", 6):
                world.deliver(event)

        def retry(event: Event = second) -> None:
            with suppress(BeingErased, TableAltered):
                world.deliver(event)

        with (
            between_calls(begun, begin, *operator),
            between_calls(again, retry, *operator),
            suppress(NotErasable),
        ):
            forget(forgetting_of(pipeline, "a.csv"))
        with suppress(NotErasable):
            forget(forgetting_of(pipeline, "a.csv"))
        assert world.rows() == {}, (begun, again)


def test_rows_of_an_expired_copy_are_forgotten(world: World, pipeline: Pipeline) -> None:
    world.deliver(upload(world, "a.csv", FILE))
    world.deliver(upload(world, "b.csv", FILE, days=30))
    world.change_record("a.csv", rows_expire_at=LONG_AGO.isoformat(timespec="milliseconds"))
    assert forget(forgetting_of(pipeline, "b.csv")) == ROWS


@EITHER_WAY
def test_a_reload_reads_each_version_again(
    world: World, pipeline: Pipeline, queue: Invocations, invocations: Invocations
) -> None:
    deliver_all(world, queue, [upload(world, "a.csv", FILE, days=days) for days in (0, 30)])
    deliver_all(world, queue, [upload(world, "b.csv", FILE, days=60)])
    world.deploy(pipeline, id_column="name")
    for version in versions_to_reload(pipeline, "a.csv"):
        reload(erasure_for_reload(pipeline, version))
    assert world.rows() == {}
    deliver_all(world, queue, invocations.events)
    assert set(expiries(world).values()) == {FIRST_UPLOAD + timedelta(days=60) + KEPT}
    assert sorted(world.rows()) == sorted([*map(str, range(9)), "no id", "again"])
    assert audit(pipeline).findings == []


def test_what_has_expired_is_not_reloaded(world: World, pipeline: Pipeline) -> None:
    world.deliver(upload(world, "a.csv", FILE))
    expire(world)
    [version] = versions_to_reload(pipeline, "a.csv")
    with pytest.raises(NotErasable, match="its rows expired on 2012-04-24: upload it again if you need them"):
        erasure_for_reload(pipeline, version)


def test_nobody_expects_what_would_have_expired(world: World, commanded: Pipeline, invocations: Invocations) -> None:
    upload(world, "old/a.csv", FILE)
    upload(world, "new.csv", FILE)
    feeds = {"default": swept_feed("default", "")._replace(days=KEPT.days)}
    for s3 in (world.s3, commanded.clients.s3):
        listed(s3, age={"old/": timedelta(days=3_651)})
    run_sweep(world, invocations, feeds=feeds)
    assert invocations.keys() == ["new.csv"]
    invocations.events.clear()
    done = run("backfill", "--prefix", "", "--rate", "1000", code=0)
    assert done == "1 delivered, 0 settled before, 1 left out: older than keep_rows_days\n"
    assert invocations.keys() == ["new.csv"]
