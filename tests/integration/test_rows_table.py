"""A feed in DynamoDB whose rows table is another one: restored, made again, or named by the settings."""

from contextlib import suppress
from typing import Any

import pytest

from csv_ingest.destinations.opening import table_id
from csv_ingest.events import Event
from csv_ingest.model import ROWS_KEY, OtherTable, RowsNotWritten
from ops.audit import audit
from ops.findings import Audited, Move, Restart
from ops.forgetting import forgetting_of
from ops.repair import repair
from tests.integration.engines import create_table
from tests.integration.faults import Calls, Killed
from tests.integration.invoking import Invocations
from tests.integration.parts import deliver_all
from tests.integration.rows import DynamoDbRows
from tests.integration.settings import set_feed
from tests.integration.world import World

LONG = "id,name\n" + "".join(f"{n},{n}\n" for n in range(70))

WRITE_MODES = pytest.mark.parametrize("world", ["dynamodb", "merge"], indirect=True)


def restored(world: World, monkeypatch: pytest.MonkeyPatch, *, without: int = 0, existing: bool = True) -> DynamoDbRows:
    """Another table with the rows of the feed's table, but for some, which the feed has from now on."""
    rows = world.default_rows.items()
    name = f"{world.rows_table}-restored"
    create_table(world.dynamodb, name, ROWS_KEY)
    table = DynamoDbRows(world.dynamodb, name)
    for pk in sorted(rows)[without:]:
        table.put(rows[pk])
    monkeypatch.setenv("ROWS_TABLE", name)
    set_feed(rows_table=name if existing else None)
    return table


def killed_after_a_checkpoint(world: World) -> Event:
    event = world.upload("a.csv", LONG)
    with pytest.raises(Killed), Calls(*world.engines).fault("die_before", 9):
        world.tuned(checkpoint_rows=25, in_flight=1).deliver(event)
    assert 0 < world.file("a.csv")["rows_read"] < 70
    return event


def repaired(world: World, queue: Invocations) -> Audited:
    pipeline = world.pipeline()
    pipeline.clients.lambda_ = queue.client  # of the function's parts, too
    repair(pipeline, audit(pipeline).findings)
    deliver_all(world, queue)
    return audit(pipeline)


def ids(table: DynamoDbRows) -> list[str]:
    return sorted(pk.rpartition("#")[2] for pk in table.items())


EVERY_ID = sorted(map(str, range(70)))


@WRITE_MODES
@pytest.mark.parametrize("existing", [True, False])
def test_a_begun_file_begins_again_in_the_new_table(
    world: World, queue: Invocations, monkeypatch: pytest.MonkeyPatch, existing: bool
) -> None:
    event = killed_after_a_checkpoint(world)
    table = restored(world, monkeypatch, without=10, existing=existing)
    with pytest.raises(OtherTable, match=f"go to the DynamoDB table {table.table}.* audit --repair"):
        world.deliver(event)
    assert "audit --repair" in world.file("a.csv")["last_error"]
    [finding] = audit(world.pipeline()).findings
    assert (finding.kind, finding.remedy) == ("unsettled", Restart())
    assert repaired(world, queue).findings == []
    assert (ids(table), world.file("a.csv")["status"]) == (EVERY_ID, "COMPLETE")


@WRITE_MODES
def test_a_begun_file_in_parts_begins_again(world: World, queue: Invocations, monkeypatch: pytest.MonkeyPatch) -> None:
    world = world.tuned(block_bytes=64, part_lines=20, whole_parts=1)
    world.ingest("a.csv", LONG)
    late = queue.events.pop()
    deliver_all(world, queue)
    table = restored(world, monkeypatch, without=70)
    with pytest.raises(OtherTable):
        world.deliver(late)
    assert repaired(world, queue).findings == []
    assert (ids(table), world.file("a.csv")["status"]) == (EVERY_ID, "COMPLETE")


@pytest.mark.parametrize("call", range(5, 10))
def test_a_file_begun_at_any_call_is_completed(
    world: World, queue: Invocations, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Also if there is a plan of it, and no more: no row is stored before the file's record names the table."""
    world = world.tuned(block_bytes=64, part_lines=20, whole_parts=1)
    event = world.upload("a.csv", LONG)
    with suppress(Killed), Calls(*world.engines).fault("die_before", call):
        world.deliver(event)
    table = restored(world, monkeypatch)
    with suppress(OtherTable):
        world.deliver(event)
    deliver_all(world, queue)
    assert repaired(world, queue).findings == []
    assert (ids(table), world.file("a.csv")["status"]) == (EVERY_ID, "COMPLETE")


@WRITE_MODES
def test_a_restored_table_gets_what_it_lacks(world: World, queue: Invocations, monkeypatch: pytest.MonkeyPatch) -> None:
    event = world.ingest("a.csv", LONG)
    table = restored(world, monkeypatch, without=3)
    found = audit(world.pipeline()).findings
    assert [each.kind for each in found] == ["unaccounted"] + ["missing"] * 3
    assert found[0].remedy == Move()
    assert repaired(world, queue) == Audited(1, 70, 0, [])
    assert ids(table) == EVERY_ID
    world.deliver(event)
    assert audit(world.pipeline()).findings == []


def test_a_table_made_again_under_its_name_is_another(
    world: World, queue: Invocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = restored(world, monkeypatch)
    event = killed_after_a_checkpoint(world)
    table.drop()
    create_table(world.dynamodb, table.table, ROWS_KEY)
    table_id.cache_clear()  # another process
    with pytest.raises(OtherTable, match="with the id"):
        world.deliver(event)
    assert repaired(world, queue).findings == []
    assert ids(table) == EVERY_ID


def test_a_file_of_an_earlier_release_goes_on(world: World) -> None:
    event = killed_after_a_checkpoint(world)
    world.change_record("a.csv", remove="place")
    world.deliver(event)
    assert sorted(world.rows()) == EVERY_ID


def test_a_file_whose_rows_are_elsewhere_is_not_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    former = world.rows_table
    world.ingest("a.csv", LONG)
    restored(world, monkeypatch)
    forgetting = forgetting_of(world.pipeline(), "a.csv")
    [reason] = forgetting.skipped
    assert (forgetting.objects, forgetting.erasures) == ([], [])
    assert reason.startswith(f"its rows went to the DynamoDB table {former}, and those of the feed")


KEYS: list[tuple[dict[str, str], str]] = [
    ({"pk": "N"}, "the key of the table .* is \\(pk\\), and has to be \\(pk\\), a text"),
    ({"id": "S"}, "is \\(id\\), and has to be \\(pk\\)"),
    ({"pk": "S", "line": "N"}, "is \\(pk, line\\), and has to be \\(pk\\)"),
    ({}, "there is no table other-.* in this account and region"),
]


@pytest.mark.parametrize(("keys", "reason"), KEYS)
def test_a_table_with_another_key_takes_no_row(
    world: World, monkeypatch: pytest.MonkeyPatch, keys: dict[str, str], reason: str
) -> None:
    name = f"other-{world.rows_table}"
    definitions: Any = [{"AttributeName": each, "AttributeType": kind} for each, kind in keys.items()]
    schema: Any = [
        {"AttributeName": each, "KeyType": "RANGE" if number else "HASH"} for number, each in enumerate(keys)
    ]
    if keys:
        world.dynamodb.create_table(
            TableName=name, AttributeDefinitions=definitions, KeySchema=schema, BillingMode="PAY_PER_REQUEST"
        )
    monkeypatch.setenv("ROWS_TABLE", name)
    set_feed(rows_table=name)
    with pytest.raises(RowsNotWritten, match=reason):
        world.ingest("a.csv", LONG)


def test_a_feed_whose_table_is_gone_claims_no_content(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings that named it can be wrong in more than that."""
    gone = f"{world.rows_table}-restored"
    monkeypatch.setenv("ROWS_TABLE", gone)
    set_feed(rows_table=gone, id_column="name")
    event = world.upload("a.csv", LONG)
    with pytest.raises(RowsNotWritten, match="there is no table"):
        world.deliver(event)
    assert world.tables()[1] == {}
