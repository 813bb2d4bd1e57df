"""The audit names each damage and nothing else, and a repair does no more than it says."""

import itertools
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from csv_ingest.events import Event
from csv_ingest.model import TableAltered
from ops.audit import audit
from ops.differences import explained
from ops.findings import Discrepancy
from ops.pipeline import Pipeline
from ops.repair import repair
from tests.integration.faults import Calls, Killed, between_calls
from tests.integration.invoking import Invocations, version_of
from tests.integration.rows import Item, PostgresqlRows
from tests.integration.settings import set_feed
from tests.integration.world import BOTH_DESTINATIONS, World

FILE = "id,name\n" + "".join(f"{n},é\n" for n in range(1, 81)) + ",no id\n1,é\n2,again\n"


def found(pipeline: Pipeline) -> list[tuple[str, str, str]]:
    return sorted((finding.kind, finding.key, finding.detail) for finding in audit(pipeline).findings)


def pk_of(event: Event, id_: str) -> str:
    return f"{version_of(event).etag}#{id_}"


def change(world: World, pk: str, data: str = "{}") -> None:
    rows = world.default_rows
    rows.put(rows.items()[pk] | {"data": {"S": data}})


def mend(world: World, pipeline: Pipeline, invocations: Invocations) -> None:
    repair(pipeline, audit(pipeline).findings)
    for event in invocations.events:
        world.deliver(event)
    invocations.events.clear()


@BOTH_DESTINATIONS
def test_files_of_every_kind_are_as_they_should_be(world: World, pipeline: Pipeline) -> None:
    for key in ("a.csv", "same bytes.csv", "a.csv"):
        world.ingest(key, FILE)
    world.ingest("a.csv", FILE + "99,another version\n")
    world.ingest("broken.csv", "id\n1\n\0")
    world.ingest("empty.csv", "")
    result = audit(pipeline)
    assert (result.findings, result.not_compared) == ([], 0)
    assert (result.files, result.rows) == (5, 80 + 81)


def test_a_reject_is_recorded_though_the_record_is_gone(world: World, pipeline: Pipeline) -> None:
    """Somebody deleted it between the audit and the repair."""
    etag = version_of(world.ingest("a.csv", "id,name\n1,a\n,no id\n")).etag
    world.delete_entry("a.csv", f"{etag}#reject#{3:012d}")
    findings = audit(pipeline).findings
    world.delete_entry("a.csv", etag)
    repair(pipeline, findings)
    assert world.rejects("a.csv") == [(3, "no id")]


def test_an_audit_says_how_far_it_is(world: World, pipeline: Pipeline) -> None:
    for key in ("a.csv", "b.csv"):
        world.ingest(key, f"id\n{key}\n2\n")
    said: list[str] = []
    audit(pipeline, progress=said.append)
    assert said == [
        "reading 1 of 2 files: a.csv",
        "reading 2 of 2 files: b.csv",
        "comparing 1 of 4 rows, 1 read in the table",
    ]


Damage = Callable[[World, Event], None]


def delete_row(world: World, event: Event) -> None:
    world.default_rows.delete(pk_of(event, "7"))


def change_row(world: World, event: Event) -> None:
    change(world, pk_of(event, "7"))


def delete_reject(world: World, event: Event) -> None:
    world.delete_entry("a.csv", pk_of(event, "reject#000000000082"))


def add_reject(world: World, event: Event) -> None:
    _put_reject(world, event, 99)


def reject_a_good_row(world: World, event: Event) -> None:
    _put_reject(world, event, 8)


def change_counts(world: World, _event: Event) -> None:
    world.change_record("a.csv", rows_stored=3)


def forget_file(world: World, event: Event) -> None:
    world.delete_entry("a.csv", version_of(event).etag)


def unmark(world: World, _event: Event) -> None:
    rows = world.default_rows
    assert isinstance(rows, PostgresqlRows)
    rows.server.run(f"DELETE FROM {rows.table}_files")  # noqa: S608 - the name is the test's


def change_mark(world: World, _event: Event) -> None:
    rows = world.default_rows
    assert isinstance(rows, PostgresqlRows)
    rows.server.run(f"UPDATE {rows.table}_files SET rows_stored = 3")  # noqa: S608 - the name is the test's


def _put_reject(world: World, event: Event, line: int) -> None:
    item: Any = {
        "object_key": {"S": "a.csv"},
        "entry": {"S": pk_of(event, f"reject#{line:012d}")},
        "line": {"N": str(line)},
        "reason": {"S": "made up"},
    }
    world.dynamodb.put_item(TableName=world.files_table, Item=item)


@BOTH_DESTINATIONS
@pytest.mark.parametrize(
    ("damage", "kinds"),
    [
        (delete_row, ["missing"]),
        (change_row, ["different"]),
        (delete_reject, ["unaccounted"]),
        (add_reject, ["unaccounted"]),
        (reject_a_good_row, ["unaccounted"]),
        (change_counts, ["sums"]),
        (forget_file, ["unsettled"]),
    ],
)
def test_each_damage_is_found_and_mended(
    world: World, pipeline: Pipeline, invocations: Invocations, damage: Damage, kinds: list[str]
) -> None:
    event = world.ingest("a.csv", FILE)
    before = world.tables()
    damage(world, event)
    assert sorted({kind for kind, _, _ in found(pipeline)}) == kinds
    mend(world, pipeline, invocations)
    assert found(pipeline) == []
    assert world.tables() == before


@pytest.mark.parametrize("world", ["postgresql", "postgresql merge"], indirect=True)
@pytest.mark.parametrize("damage", [unmark, change_mark])
def test_a_wrong_mark_is_found_and_mended(
    world: World, pipeline: Pipeline, invocations: Invocations, damage: Damage
) -> None:
    event = world.ingest("a.csv", FILE)
    before = world.tables()
    damage(world, event)
    assert {kind for kind, _, _ in found(pipeline)} == {"mark"}
    assert audit(pipeline, prefix="b").findings == []
    mend(world, pipeline, invocations)
    assert world.tables() == before


@BOTH_DESTINATIONS
def test_a_different_row_says_what_differs(world: World, pipeline: Pipeline) -> None:
    world.declare({"price": "decimal", "gift": "boolean"})
    event = world.ingest("a.csv", "id,name,price,gift\n1,é,5.50,\n2,b,7,no\n3,c,,\n")
    rows = world.default_rows
    changed: dict[str, Item] = {
        "1": {"line": {"N": "9"}, "price": {"N": "5.51"}, "gift": {"BOOL": True}},
        "2": {"price": {"N": "7.00"}, "data": {"S": '{"id":"2","more":"x"}'}},
        "3": {"price": {"N": "0"}},
    }
    for id_, changes in changed.items():
        rows.put(rows.items()[pk_of(event, id_)] | changes)
    findings = audit(pipeline).findings
    said = {finding.detail[:6]: list(finding.differences) for finding in explained(pipeline, findings)}
    assert said == {
        "line 2": [("line", 9, 2), ("price", Decimal("5.51"), Decimal("5.5")), ("gift", True, None)],
        "line 3": [("data.name", None, "b"), ("data.more", "x", None)],
        "line 4": [("price", 0, None)],
    }
    rows.delete(pk_of(event, "1"))
    assert [len(finding.differences) for finding in explained(pipeline, findings)].count(0) == 1
    world.delete_object(event)
    assert explained(pipeline, findings) == findings, "the file is gone"


@BOTH_DESTINATIONS
def test_a_row_changed_during_ingestion_stops_the_file(
    world: World, pipeline: Pipeline, invocations: Invocations
) -> None:
    """Nobody can say whose values are right until a person has looked: the file is neither complete nor rejected."""
    world = world.tuned(in_flight=1)  # the first rows are stored first
    event = world.upload("a.csv", FILE)
    number = 7 if world.in_dynamodb else 8  # which asks for the columns of its table first
    with pytest.raises(Killed), Calls(world.dynamodb, world.statements).fault("die_after", number):
        world.deliver(event)
    change(world, pk_of(event, "7"))
    with pytest.raises(TableAltered, match=r"other values for line 8 than the file.*audit --repair"):
        world.deliver(event)
    assert sorted(found(pipeline)) == [
        ("different", "a.csv", f"line 8: {pk_of(event, '7')}"),
        ("unsettled", "a.csv", f"etag {version_of(event).etag}: PROCESSING"),
    ]
    mend(world, pipeline, invocations)
    assert found(pipeline) == []
    assert world.file("a.csv")["rows_rejected"] == 2


def test_a_repair_reads_a_file_under_its_recorded_format(
    world: World, pipeline: Pipeline, invocations: Invocations
) -> None:
    set_feed(encoding="cp1252")
    event = world.ingest("a.csv", FILE.encode("cp1252"))
    before = world.tables()
    set_feed(encoding="utf-8")
    change_row(world, event)
    mend(world, pipeline, invocations)
    assert found(pipeline) == []
    assert world.tables() == before


def test_a_repair_writes_only_what_is_wrong(world: World, pipeline: Pipeline, invocations: Invocations) -> None:
    world.ingest("a.csv", "id\n1\n")
    damaged = world.ingest("a.csv", FILE)
    delete_row(world, damaged)
    calls = Calls(pipeline.clients.dynamodb)
    done = repair(pipeline, audit(pipeline).findings)
    assert (done.rows, done.records, done.delivered, done.left) == (1, 0, [], [])
    assert calls.names.count("PutItem") == 1
    assert not invocations.events


def test_a_repair_keeps_the_checkpoint_of_unfinished_files(world: World, pipeline: Pipeline) -> None:
    world = world.tuned(checkpoint_rows=25)
    with pytest.raises(Killed), Calls(world.dynamodb).fault("die_after", 10):
        world.ingest("a.csv", FILE)
    before = world.tables()
    assert 0 < world.file("a.csv")["rows_read"] < FILE.count("\n")
    repair(pipeline, audit(pipeline).findings)
    assert world.tables() == before


def test_rows_of_no_upload_are_found_and_left_alone(world: World, pipeline: Pipeline, invocations: Invocations) -> None:
    event = world.ingest("a.csv", FILE)
    added, stray, keyless = pk_of(event, "made up"), "no-etag#1", "zzz"
    for pk in (added, stray, keyless):
        world.dynamodb.put_item(TableName=world.rows_table, Item={"pk": {"S": pk}})
    expected = [("unexpected", "", stray), ("unexpected", "", keyless), ("unexpected", "a.csv", added)]
    assert found(pipeline) == expected
    mend(world, pipeline, invocations)
    assert found(pipeline) == expected


def test_a_record_deleted_during_a_delivery_is_made_again(world: World, pipeline: Pipeline) -> None:
    """Without its record, a file has no place for a checkpoint: one would look like a plan for no version."""
    world = world.tuned(checkpoint_rows=25, in_flight=1)
    event = world.upload("a.csv", FILE)
    with (
        pytest.raises(TableAltered, match="the file's record was deleted"),
        between_calls(9, lambda: forget_file(world, event), world.s3, world.dynamodb),
    ):
        world.deliver(event)
    world.deliver(event)
    assert world.file("a.csv")["status"] == "COMPLETE"
    assert found(pipeline) == []


def test_rows_of_a_rejected_file_are_found(world: World, pipeline: Pipeline) -> None:
    event = world.ingest("a.csv", "id\n1\n\0")
    pk = pk_of(event, "1")
    world.dynamodb.put_item(TableName=world.rows_table, Item={"pk": {"S": pk}})
    assert found(pipeline) == [("unexpected", "", pk)]


def test_rows_of_expired_uploads_are_counted_without_a_finding(world: World, pipeline: Pipeline) -> None:
    event = world.ingest("old.csv", FILE)
    world.ingest("new.csv", "id\n1\n")
    world.delete_object(event)
    result = audit(pipeline)
    assert (result.files, result.rows, result.not_compared, result.findings) == (1, 1, 80, [])


@BOTH_DESTINATIONS
def test_a_repair_can_be_killed_and_overtaken_anywhere(
    world: World, pipeline: Pipeline, invocations: Invocations
) -> None:
    """At each call of the repair: it is killed there, a delivery comes in between, and it is run again."""
    event = world.ingest("a.csv", FILE)
    before = world.tables()
    calls = Calls(pipeline.clients.s3, pipeline.clients.dynamodb, invocations.client, world.statements)

    def break_all() -> list[Discrepancy]:
        for damage in (delete_row, delete_reject, add_reject, change_counts):
            damage(world, event)
        if not world.in_dynamodb:
            unmark(world, event)
        change(world, pk_of(event, "9"))
        return audit(pipeline).findings

    findings = break_all()
    calls.names.clear()
    repair(pipeline, findings)
    assert world.tables() == before
    numbers = calls.numbers("die_before")
    assert len(numbers) > 3
    for number, fault in itertools.product(numbers, ("die_before", "die_after")):
        findings = break_all()
        overtake = partial(world.deliver, event)
        with (
            suppress(Killed),
            between_calls(number, overtake, pipeline.clients.s3, pipeline.clients.dynamodb, world.statements),
            calls.fault(fault, number),
        ):
            repair(pipeline, findings)
        repair(pipeline, audit(pipeline).findings)
        assert world.tables() == before, f"{fault} {number}"
        assert audit(pipeline).findings == []


@pytest.mark.parametrize("world", ["merge"], indirect=True)
@pytest.mark.parametrize("item", [{}, {"uploaded": {"N": "9"}}, {"uploaded": {"N": "9"}, "line": {"N": "1"}}])
def test_an_item_in_the_place_of_a_row_is_replaced(world: World, pipeline: Pipeline, item: Item) -> None:
    """Also where the file cannot be completed before, in a feed that merges."""
    event = world.upload("a.csv", "id,name\n1,a\n2,b\n")
    for was_complete in (False, True):
        world.default_rows.put({"pk": {"S": "2"}, **item})
        if not was_complete:
            with pytest.raises(TableAltered, match="run `csv-ingest audit --repair`"):
                world.deliver(event)
        assert repair(pipeline, audit(pipeline).findings).rows == 1
        world.deliver(event)
        assert world.rows() == {"1": '{"id":"1","name":"a"}', "2": '{"id":"2","name":"b"}'}
        assert audit(pipeline).findings == []


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_a_file_is_compared_as_it_was_read(world: World, pipeline: Pipeline) -> None:
    """Its integer of more than 64 bits was rejected, and stays so when the column is a decimal."""
    world.declare({"n": "integer"})
    world.ingest("a.csv", f"id,n\n1,5\n2,{2**63}\n")
    assert [line for line, _ in world.rejects("a.csv")] == [3]
    assert isinstance(world.default_rows, PostgresqlRows)
    world.default_rows.server.run(f'ALTER TABLE "{world.rows_table}" ALTER COLUMN n TYPE numeric')
    world.declare({"n": "decimal"})
    world.deploy(pipeline)
    assert audit(pipeline).findings == []


@BOTH_DESTINATIONS
def test_an_object_that_goes_meanwhile_is_not_compared(world: World, pipeline: Pipeline) -> None:
    """It was listed, and is deleted before it is read, or while it is."""
    world.ingest("a.csv", "id,name\n1,a\n")
    gone = 0
    for number in itertools.count(1):
        event = world.ingest("b.csv", f"id,name\n1,{number}\n")
        with between_calls(number, partial(world.delete_object, event), pipeline.clients.s3):
            result = audit(pipeline)
        assert result.findings == []
        assert result.rows + result.not_compared == 1 + number
        if result.not_compared == gone:
            break
        gone = result.not_compared
    assert number > 3


def test_a_repair_tells_which_object_went_meanwhile(world: World, pipeline: Pipeline) -> None:
    event = world.ingest("a.csv", FILE)
    delete_row(world, event)
    findings = audit(pipeline).findings
    world.delete_object(event)
    assert repair(pipeline, findings).left == findings
