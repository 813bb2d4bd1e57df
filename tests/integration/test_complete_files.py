"""Readers of PostgreSQL see which files are complete: in a table, and in views of the rows of these files."""

import itertools
import json
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from csv_ingest import clients
from csv_ingest.model import ItemsNotRead, OutOfTime, RowsNotWritten, Tuning
from ops.audit import audit
from ops.pipeline import Pipeline
from ops.repair import repair
from tests.integration.commands import run
from tests.integration.faults import Calls, Killed, between_calls
from tests.integration.invoking import Invocations, version_of
from tests.integration.rows import PostgresqlRows
from tests.integration.world import FIRST_UPLOAD, World

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")

EACH_MODE = pytest.mark.parametrize("world", ["postgresql", "postgresql merge"], indirect=True)
APPENDING = pytest.mark.parametrize("world", ["postgresql"], indirect=True)

WHOLE = Tuning(batch_rows=25)
IN_PARTS = Tuning(block_bytes=64, part_lines=30, whole_parts=1, batch_rows=25)

FILE = "id,name\n" + "".join(f"{n},a\n" for n in range(60)) + ",no id\n"


@pytest.fixture
def table(world: World) -> PostgresqlRows:
    """That of the default feed."""
    assert isinstance(world.default_rows, PostgresqlRows)
    return world.default_rows


def names_in(rows: dict[str, Any]) -> list[str]:
    """The column `name` of rows, by their ids."""
    data = [json.loads(row["data"]["S"]) for row in rows.values()]
    return [each["name"] for each in sorted(data, key=lambda each: str(each["id"]))]


def file_in(table: PostgresqlRows, object_key: str) -> dict[str, Any]:
    """What the table of complete files has of an object key."""
    sql = f"SELECT row_to_json(f) FROM {table.table}_files AS f WHERE object_key = :key"  # noqa: S608 - the test's
    [[found]] = table.server.run(sql, key=object_key)
    return dict(found)


@EACH_MODE
def test_a_complete_file_is_in_the_table(world: World, table: PostgresqlRows) -> None:
    event = world.ingest("a.csv", FILE)
    found, version = file_in(table, "a.csv"), version_of(event)
    [row, *_] = table.items().values()
    assert found.pop("upload") == (row["uploaded"] if "uploaded" in row else row["etag"])["S"]
    assert datetime.fromisoformat(found.pop("uploaded_at")) == FIRST_UPLOAD
    assert found.pop("completed_at")
    assert found == {
        "object_key": "a.csv",
        "etag": version.etag,
        "version_id": version.version_id,
        "rows_read": 61,
        "rows_stored": 60,
        "rows_rejected": 1,
        "rows_superseded": 0,
    }


@EACH_MODE
@pytest.mark.parametrize("content", ["", "id,name\n", "id,name\n,no id\n"], ids=["empty", "no rows", "rejected"])
def test_a_file_without_stored_rows_is_complete(world: World, table: PostgresqlRows, content: str) -> None:
    world.ingest("a.csv", content)
    assert file_in(table, "a.csv")["rows_stored"] == 0


@EACH_MODE
def test_a_rejected_file_is_not_complete(world: World, table: PostgresqlRows) -> None:
    world.ingest("a.csv", "id,name\n1,a\n\0")
    assert table.marks() == {}


@EACH_MODE
def test_rows_are_seen_when_their_file_is_complete(world: World, table: PostgresqlRows) -> None:
    world = world.tuned(batch_rows=10, checkpoint_rows=10, in_flight=1)
    world.ingest("a.csv", FILE)
    before = table.complete()
    event = world.upload("b.csv", "id,name\n" + "".join(f"{n},b\n" for n in range(100, 160)))
    with pytest.raises(OutOfTime):
        world.deliver(event, seconds_left=itertools.chain([30.0] * 16, itertools.repeat(0.0)))
    assert len(table.items()) > len(before) == 60
    assert table.complete() == before
    world.deliver(event)
    assert table.complete() == table.items()
    assert len(table.items()) == 120


@pytest.mark.parametrize("world", ["postgresql merge"], indirect=True)
def test_a_row_that_an_unfinished_file_has_is_hidden(world: World, table: PostgresqlRows) -> None:
    """The older row is gone, and the newer one is not to be seen yet."""
    world = world.tuned(batch_rows=1, checkpoint_rows=1, in_flight=1)
    world.ingest("a.csv", "id,name\n1,a\n2,a\n3,a\n")
    event = world.upload("b.csv", "id,name\n1,b\n2,b\n3,b\n")
    calls = Calls(world.statements)
    with suppress(Killed), calls.fault("die_before", 3):
        world.deliver(event)
    assert names_in(table.items()) == ["b", "a", "a"]
    assert names_in(table.complete()) == ["a", "a"]
    world.deliver(event)
    assert names_in(table.complete()) == ["b", "b", "b"]


@pytest.mark.parametrize(
    ("world", "tuning", "fault"),
    [
        ("postgresql", WHOLE, "die_before"),
        ("postgresql", IN_PARTS, "die_after"),
        ("postgresql merge", WHOLE, "die_after"),
    ],
    indirect=["world", "tuning"],
)
def test_a_mark_is_of_whole_files_at_any_call(
    world: World, table: PostgresqlRows, queue: Invocations, fault: str
) -> None:
    """Each delivery is hit at one of its calls; then it is delivered again, as Lambda does."""
    world = world.tuned(batch_rows=10, in_flight=1)
    event = world.upload("a.csv", "id,name\n" + "".join(f"{n % 20},{n // 40}\n" for n in range(50)))
    calls = Calls(*world.engines, clients.lambda_())

    def play(hit: int) -> set[int]:
        """Returns the calls of any delivery at which it can be hit."""
        waiting, numbers = [event], set[int]()
        while waiting:
            current = waiting.pop(0)
            with suppress(Killed, ClientError, RowsNotWritten, ItemsNotRead), calls.fault(fault, hit):
                world.deliver(current)
            numbers |= set(calls.numbers(fault))
            seen.append((table.complete(), table.marks()))
            if len(calls.names) >= hit:
                world.deliver(current)
            waiting += queue.events
            queue.events.clear()
        return numbers

    seen: list[Any] = []
    numbers = play(10_000)
    *before, whole = seen
    assert len(numbers) > 3
    assert len(whole[0]) == 20
    assert all(each == ({}, {}) for each in before)
    for number in sorted(numbers):
        world.empty()
        seen.clear()
        play(number)
        assert all(each in (({}, {}), whole) for each in seen), f"{fault} {number}"
        assert (table.complete(), table.marks()) == whole, f"{fault} {number}"


@EACH_MODE
def test_a_late_delivery_marks_a_file_again(world: World, table: PostgresqlRows) -> None:
    """It had begun before the file was complete."""
    event = world.upload("a.csv", FILE)
    calls = Calls(world.statements)
    world.deliver(event)
    expected, number = (table.complete(), table.marks()), len(calls.names)
    world.empty()
    completed: list[str] = []

    def overtake() -> None:
        world.deliver(event)
        completed.append(file_in(table, "a.csv")["completed_at"])

    with between_calls(number, overtake, world.statements):
        world.deliver(event)
    assert (table.complete(), table.marks()) == expected
    assert [file_in(table, "a.csv")["completed_at"]] == completed


@APPENDING
class TestNewest:
    """The newest row of each id, of complete files only."""

    def test_is_of_the_file_that_was_uploaded_last(self, world: World, table: PostgresqlRows) -> None:
        old, new = (world.upload(key, f"id,name\n1,{key}\n{key},x\n") for key in ("old", "new"))
        for event in (new, old):
            world.deliver(event)
        assert names_in(table.newest()) == ["new", "x", "x"]
        assert len(table.complete()) == 4

    def test_is_of_a_complete_file(self, world: World, table: PostgresqlRows) -> None:
        world.ingest("a.csv", "id,name\n1,old\n")
        event = world.upload("b.csv", "id,name\n1,new\n2,x\n")
        calls = Calls(world.statements)
        with suppress(Killed), calls.fault("die_before", 3):
            world.deliver(event)
        assert names_in(table.newest()) == ["old"]
        world.deliver(event)
        assert names_in(table.newest()) == ["new", "x"]

    def test_takes_the_last_upload_of_the_same_bytes(self, world: World, table: PostgresqlRows) -> None:
        for key, name in (("a.csv", "first"), ("b.csv", "second"), ("c.csv", "first")):
            world.ingest(key, f"id,name\n1,{name}\n")
        assert names_in(table.newest()) == ["first"]
        table.server.run(f"UPDATE {table.table}_files SET uploaded_at = NULL WHERE object_key = 'c.csv'")  # noqa: S608
        assert names_in(table.newest()) == ["second"]

    def test_is_the_same_row_for_equal_times(self, world: World, table: PostgresqlRows) -> None:
        etags = [version_of(world.ingest(f"{n}.csv", f"id,name\n1,{n}\n")).etag for n in range(5)]
        for time in ("'2026-01-01'", "NULL"):
            table.server.run(f"UPDATE {table.table}_files SET uploaded_at = {time}")  # noqa: S608
            assert names_in(table.newest()) == [str(etags.index(max(etags)))]


class TestWithoutTheTable:
    """A deployment of an earlier release, whose owner has not created the table."""

    @pytest.fixture(autouse=True)
    def _older(self, world: World) -> None:
        world.drop_files_tables()

    @EACH_MODE
    def test_deliveries_go_on(self, world: World, pipeline: Pipeline) -> None:
        calls = Calls(world.statements)
        world.tuned(batch_rows=1_000).ingest("a.csv", FILE)
        assert calls.names == ["SELECT", "WITH"]
        assert world.file("a.csv")["status"] == "COMPLETE"
        assert audit(pipeline).findings == []

    @EACH_MODE
    def test_a_repair_marks_what_is_complete(self, world: World, table: PostgresqlRows, pipeline: Pipeline) -> None:
        """Also a file whose object is gone, and one that an earlier release has not noted the time of."""
        for number, key in enumerate(("a.csv", "b.csv", "gone.csv")):
            event = world.ingest(key, f"id,name\n{number},a\n")
            world.change_record(key, remove="uploaded_at")
        world.delete_object(event)
        world.create_files_tables()
        world.deploy(pipeline)
        findings = audit(pipeline).findings
        assert [(each.kind, each.key) for each in findings] == [("mark", key) for key in ("a.csv", "b.csv", "gone.csv")]
        assert repair(pipeline, findings).marks == 3
        assert audit(pipeline).findings == []
        assert len(table.complete()) == 3
        modified = pipeline.clients.s3.head_object(Bucket=world.bucket, Key="b.csv")["LastModified"]
        assert datetime.fromisoformat(file_in(table, "b.csv")["uploaded_at"]) == modified
        assert file_in(table, "gone.csv")["uploaded_at"] is None


@APPENDING
def test_a_file_that_lost_rows_is_not_marked(world: World, table: PostgresqlRows, pipeline: Pipeline) -> None:
    world.delete_object(world.ingest("a.csv", "id\n1\n2\n"))
    table.server.run(f"DELETE FROM {table.table}_files")  # noqa: S608 - the test's
    table.server.run(f"DELETE FROM {table.table} WHERE id = '2'")  # noqa: S608
    [found] = audit(pipeline).findings
    assert "the table lacks 1 row of it; its object is gone: restore the rows, or forget the file" in found.detail
    assert repair(pipeline, [found]).left == [found]
    assert table.marks() == {}


@EACH_MODE
def test_a_mark_of_no_complete_file_is_removed(world: World, table: PostgresqlRows, pipeline: Pipeline) -> None:
    """And none of a file that a delivery is to complete."""
    event = world.upload("a.csv", FILE)
    calls = Calls(*world.engines)
    world.deliver(event)
    total = len(calls.names)
    world.empty()
    with suppress(Killed), calls.fault("die_before", total):
        world.deliver(event)
    assert len(table.marks()) == 1
    assert {finding.kind for finding in audit(pipeline).findings} == {"unsettled"}
    world.delete_entry("a.csv", version_of(event).etag)
    assert "mark" not in {finding.kind for finding in audit(pipeline).findings}
    world.delete_object(event)
    findings = [finding for finding in audit(pipeline).findings if finding.kind == "mark"]
    assert [finding.key for finding in findings] == ["a.csv"]
    repair(pipeline, findings)
    assert table.marks() == {}


@pytest.mark.usefixtures("commanded")
@EACH_MODE
def test_the_audit_says_what_is_marked(world: World, table: PostgresqlRows) -> None:
    world.ingest("a.csv", FILE)
    table.server.run(f"DELETE FROM {table.table}_files")  # noqa: S608 - the test's
    told = run("audit", "--repair", "--yes", code=0)
    assert f": it is complete, and {table.table}_files does not have it\n" in told
    assert "repaired: 0 rows written, 0 records of the ledger corrected, 1 mark of complete files corrected\n" in told
