"""With `keep_files_days`, what became of a file is forgotten after a while, and nothing else is."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from csv_ingest.events import Event
from csv_ingest.model import Tuning
from csv_ingest.notices.changes import change_of
from ops.audit import audit
from ops.forgetting import forget, forgetting_of
from ops.pipeline import Pipeline
from tests.integration.faults import Calls, Killed, between_calls
from tests.integration.invoking import Invocations, version_of
from tests.integration.settings import set_feed
from tests.integration.sweeping import listed, run_sweep, swept_feed
from tests.integration.world import FIRST_UPLOAD, World

DAYS = 60

BROKEN_UP = "id,name\n" + "".join(f"{n % 30},{n // 30}\n" for n in range(40)) + ",no id\n1\n7,0\n98,x\n"
"""Good rows, ids used again with the same and with other values, and rejects of each other kind."""

PARTS = Tuning(block_bytes=64, part_lines=25, whole_parts=1, batch_rows=25, max_rejects=40)
WHOLE = Tuning(batch_rows=25)
EITHER_WAY = pytest.mark.parametrize("tuning", [WHOLE, PARTS], ids=["whole", "parts"], indirect=True)
EVERYWHERE = pytest.mark.parametrize("world", ["dynamodb", "postgresql", "merge", "postgresql merge"], indirect=True)


@pytest.fixture(autouse=True)
def _ledger_expires(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After rows that expire."""
    monkeypatch.setenv("KEEP_FILES_DAYS", str(DAYS))
    world.default_rows.declare("row_expires_at", "timestamp")
    set_feed(keep_rows_days=30)
    monkeypatch.setattr("ops.erasing.CLOCKS", 0)
    monkeypatch.setattr("ops.erasing.STATEMENT_TIMEOUT", 0)


def upload(world: World, key: str, content: str) -> Event:
    """Upload a file now, so that its rows do not expire while the test runs."""
    return world.upload(key, content, time=datetime.now(UTC).replace(microsecond=0))


def deliver_all(world: World, queue: Invocations, *events: Event) -> None:
    """Deliver events and the parts of their files."""
    waiting = list(events)
    while waiting:
        world.deliver(waiting.pop(0))
        waiting += queue.events
        queue.events.clear()


def expiring(world: World) -> dict[str, datetime]:
    """When the items of the ledger expire that do, by their entries."""
    found = {entry: item.get("expires_at") for (_, entry), item in world._files().items()}
    return {entry: datetime.fromtimestamp(int(at["N"]), UTC) for entry, at in found.items() if at}


def let_expire(world: World, gone: Collection[str] = ("record", "version", "reject", "part", "check", "plan")) -> None:
    """Have everything expired that can, and delete what DynamoDB may have deleted so far, by its kinds."""
    for (key, entry), item in world._files().items():
        if "expires_at" in item:
            world.dynamodb.put_item(TableName=world.files_table, Item=item | {"expires_at": {"N": "1"}})
            if kind_of(entry) in gone:
                world.delete_entry(key, entry)


def kind_of(entry: str) -> str:
    return entry.split("#")[1] if "#" in entry else "record"


@EVERYWHERE
@EITHER_WAY
def test_what_is_settled_expires(world: World, queue: Invocations) -> None:
    begun = datetime.now(UTC).replace(microsecond=0)
    deliver_all(world, queue, upload(world, "a.csv", BROKEN_UP))
    entries = {entry for _, entry in world._files()}
    forever = {"content", "repeats"}
    found = expiring(world)
    assert {kind_of(entry) for entry in entries - found.keys()} == forever & set(map(kind_of, entries))
    assert min(found.values()) >= begun + timedelta(days=DAYS)
    assert max(found.values()) <= datetime.now(UTC) + timedelta(days=DAYS)


@EITHER_WAY
@pytest.mark.parametrize("days", [None, 1_000])
def test_nothing_expires_before_the_rows(world: World, queue: Invocations, days: int | None) -> None:
    set_feed(keep_rows_days=days)
    deliver_all(world, queue, event := upload(world, "a.csv", BROKEN_UP))
    uploaded = world.times[version_of(event).version_id]
    assert set(expiring(world).values()) == ({uploaded + timedelta(days=days)} if days else set())


def test_what_is_not_settled_stays(world: World) -> None:
    world.deliver(upload(world, "a.csv", "id,name\n1,1\n\0"))
    assert set(map(kind_of, expiring(world))) == {"record"}
    world.deliver(event := upload(world, "b.csv", "id;name\n1;1\n"))
    assert len(expiring(world)) == 2
    set_feed(delimiter=";")
    calls = Calls(*world.engines)
    with suppress(Killed), calls.fault("die_before", 6):
        world.deliver(event)
    assert world.file("b.csv")["status"] == "PROCESSING"
    assert len(expiring(world)) == 1


@pytest.mark.parametrize("world", ["dynamodb", "postgresql merge"], indirect=True)
@EITHER_WAY
def test_the_same_bytes_are_stored_again_after_all(world: World, pipeline: Pipeline, queue: Invocations) -> None:
    """Whatever of the ledger DynamoDB has deleted by then: also for a version that is delivered once more."""
    deliver_all(world, queue, upload(world, "a.csv", BROKEN_UP))
    rows, recorded = len(world.rows()), sorted(map(kind_of, expiring(world)))
    assert {"record", "reject", *(["part", "check", "plan"] if world.tuning.whole_parts == 1 else [])} == set(recorded)
    kinds = set(recorded) - {"record"}
    for gone in [(), *((kind,) for kind in kinds), kinds]:
        for is_again in (False, True):
            world.empty()
            deliver_all(world, queue, event := upload(world, "a.csv", BROKEN_UP))
            let_expire(world, ("record", *gone))
            for pk in world.default_rows.items():
                world.default_rows.delete(pk)
            deliver_all(world, queue, event if is_again else upload(world, "a.csv", BROKEN_UP))
            found = [kind_of(entry) for entry, at in expiring(world).items() if at > datetime.now(UTC)]
            assert (len(world.rows()), sorted(found)) == (rows, recorded), (gone, is_again)
    newest = next(pipeline.uploads("a.csv"))
    assert pipeline.files.record(newest.version).is_complete


def test_overlapping_deliveries_keep_what_is_new(world: World) -> None:
    event = upload(world, "a.csv", BROKEN_UP)
    calls = Calls(*world.engines)
    world.deliver(event)
    expected = world.tables()
    for number in range(1, len(calls.names) + 1):
        world.empty()
        with between_calls(number, lambda: world.deliver(event), *world.engines):
            world.deliver(event)
        assert world.tables() == expected, f"overtaken before call {number}"


@EVERYWHERE
def test_an_audit_knows_rows_whose_files_are_forgotten(world: World, pipeline: Pipeline) -> None:
    """Rows can be there for days after both have expired."""
    world.deliver(event := upload(world, "gone.csv", "id,name\n7,a\n8,b\n"))
    world.delete_object(event)
    world.deliver(upload(world, "here.csv", "id,name\n9,a\n"))
    let_expire(world)
    listed(pipeline.clients.s3, age={"": timedelta(days=DAYS + 1)})
    result = audit(pipeline)
    assert (result.findings, result.not_compared, result.earlier) == ([], 3, 1)


def test_the_sweep_expects_no_older_upload(world: World, invocations: Invocations) -> None:
    """Also if the days become more: what is expected no more stays so."""
    for key in ("old.csv", "new.csv"):
        world.deliver(upload(world, key, f"id\n{key}\n"))
    let_expire(world)
    listed(world.s3, age={"old": timedelta(days=DAYS + 1)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("csv_ingest.ignored.deployed_at", lambda *_: FIRST_UPLOAD - timedelta(days=365))
        for days in (DAYS, 10 * DAYS):
            run_sweep(world, invocations, feeds={"default": swept_feed("default", "")._replace(days=days)})
            assert invocations.keys() == ["new.csv"], days
            invocations.events.clear()


def test_the_end_of_a_record_is_no_news(world: World) -> None:
    world.deliver(upload(world, "a.csv", "id\n1\n"))
    [record] = [item for (_, entry), item in world._files().items() if "#" not in entry]
    keys = {name: record[name] for name in ("object_key", "entry")}
    removed: Mapping[str, Any] = {
        "eventName": "REMOVE",
        "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
        "dynamodb": {"Keys": keys, "OldImage": record},
    }
    assert change_of(removed) is None


def test_what_is_being_forgotten_does_not_expire(world: World, pipeline: Pipeline) -> None:
    world.deliver(upload(world, "a.csv", "id\n1\n"))
    calls = Calls(pipeline.clients.s3, pipeline.clients.dynamodb)
    for number in count(1):
        with suppress(Killed), calls.fault("die_before", number):
            forget(forgetting_of(pipeline, "a.csv"))
            break
        marked = [item for item in world._files().values() if "status" in item and "erasing" in item]
        assert not any("expires_at" in item for item in marked), number
    assert not [entry for key, entry in world._files() if key == "a.csv"]
