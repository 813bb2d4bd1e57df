"""With `keep_files_days`, what became of a file is forgotten after a while, and nothing else is."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from csv_ingest.events import Event
from csv_ingest.model import Tuning
from csv_ingest.notices.changes import change_of
from ops.audit import audit
from ops.pipeline import Pipeline
from tests.integration.faults import Calls, Killed, between_calls
from tests.integration.sweeping import listed, run_sweep, swept_feed
from tests.integration.test_crashes import BROKEN_UP
from tests.integration.world import FIRST_UPLOAD, Invocations, World, set_feed, version_of

DAYS = 60

PARTS = Tuning(block_bytes=64, part_lines=60, whole_parts=1, batch_rows=25, max_rejects=40)
WHOLE = Tuning(batch_rows=25)
EITHER_WAY = pytest.mark.parametrize("tuning", [WHOLE, PARTS], ids=["whole", "parts"], indirect=True)
EVERYWHERE = pytest.mark.parametrize("world", ["dynamodb", "postgresql", "merge", "postgresql merge"], indirect=True)


@pytest.fixture(autouse=True)
def _ledger_expires(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the environment of the world's function says it."""
    assert world.bucket
    monkeypatch.setenv("KEEP_FILES_DAYS", str(DAYS))


def deliver_all(world: World, queue: Invocations, *events: Event) -> None:
    """Deliver events and the parts of their files."""
    waiting = list(events)
    while waiting:
        world.deliver(waiting.pop(0))
        waiting += queue.events
        queue.events.clear()


def expiring(world: World) -> dict[str, datetime]:
    """When the items of the ledger expire that do, by their entries without the uploads."""
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
    deliver_all(world, queue, world.upload("a.csv", BROKEN_UP))
    entries = {entry for _, entry in world._files()}
    forever = {"content", "repeats"}
    found = expiring(world)
    assert {kind_of(entry) for entry in entries - found.keys()} == forever & set(map(kind_of, entries))
    assert min(found.values()) >= begun + timedelta(days=DAYS)
    assert max(found.values()) <= datetime.now(UTC) + timedelta(days=DAYS)


def test_what_is_not_settled_stays(world: World) -> None:
    world.ingest("a.csv", "id,name\n1,1\n\0")
    assert set(map(kind_of, expiring(world))) == {"record", "version"}
    event = world.ingest("b.csv", "id;name\n1;1\n")
    etag = version_of(event).etag
    assert etag in expiring(world)
    set_feed(delimiter=";")
    calls = Calls(*world.engines)
    with suppress(Killed), calls.fault("die_before", 6):
        world.deliver(event)
    assert world.file("b.csv")["status"] == "PROCESSING"
    assert etag not in expiring(world)


@pytest.mark.parametrize("world", ["dynamodb", "postgresql merge"], indirect=True)
@EITHER_WAY
def test_the_same_bytes_are_stored_again_after_all(world: World, pipeline: Pipeline, queue: Invocations) -> None:
    """Whatever of the ledger DynamoDB has deleted by then, and though the rows have expired, too."""
    world.default_rows.declare("expires_at", "timestamp")
    set_feed(keep_rows_days=3_650)
    deliver_all(world, queue, world.upload("a.csv", BROKEN_UP))
    rows, recorded = len(world.rows()), sorted(map(kind_of, expiring(world)))
    assert {"record", "reject", *(["part", "check", "plan"] if world.tuning.whole_parts == 1 else [])} == set(recorded)
    kinds = set(recorded) - {"record"}
    for gone in [(), *((kind,) for kind in kinds), kinds]:
        world.empty()
        deliver_all(world, queue, world.upload("a.csv", BROKEN_UP))
        let_expire(world, ("record", *gone))
        for pk in world.default_rows.items():
            world.default_rows.delete(pk)
        deliver_all(world, queue, world.upload("a.csv", BROKEN_UP))
        assert (len(world.rows()), sorted(map(kind_of, expiring(world)))) == (rows, recorded), gone
        assert min(expiring(world).values()) > datetime.now(UTC), gone
    newest = next(pipeline.uploads("a.csv"))
    assert pipeline.files.record(newest.version).is_complete


def test_overlapping_deliveries_keep_what_is_new(world: World) -> None:
    event = world.upload("a.csv", BROKEN_UP)
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
    world.delete_object(world.ingest("gone.csv", "id,name\n7,a\n8,b\n"))
    world.ingest("here.csv", "id,name\n9,a\n")
    let_expire(world)
    listed(pipeline.clients.s3, age={"": timedelta(days=DAYS + 1)})
    result = audit(pipeline)
    assert (result.findings, result.not_compared, result.earlier) == ([], 3, 1)


def test_the_sweep_expects_no_older_upload(world: World, invocations: Invocations) -> None:
    for key in ("old.csv", "new.csv"):
        world.ingest(key, f"id\n{key}\n")
    let_expire(world)
    listed(world.s3, age={"old": timedelta(days=DAYS + 1)})
    run_sweep(world, invocations, feeds={"default": swept_feed("default", "")._replace(days=DAYS)})
    assert invocations.keys() == ["new.csv"]


def test_the_end_of_a_record_is_no_news(world: World) -> None:
    world.ingest("a.csv", "id\n1\n")
    [record] = [item for (_, entry), item in world._files().items() if "#" not in entry]
    keys = {name: record[name] for name in ("object_key", "entry")}
    removed: Mapping[str, Any] = {
        "eventName": "REMOVE",
        "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
        "dynamodb": {"Keys": keys, "OldImage": record},
    }
    assert change_of(removed) is None


def test_a_version_of_the_same_bytes_prolongs_it(world: World) -> None:
    world.ingest("a.csv", "id\n1\n")
    for item in world._files().values():
        if "expires_at" in item:
            soon = {"expires_at": {"N": str(int((datetime.now(UTC) + timedelta(hours=1)).timestamp()))}}
            world.dynamodb.put_item(TableName=world.files_table, Item=item | soon)
    world.deliver(world.upload("a.csv", "id\n1\n", time=FIRST_UPLOAD + timedelta(days=30)))
    assert min(expiring(world).values()) > datetime.now(UTC) + timedelta(days=DAYS - 1)
