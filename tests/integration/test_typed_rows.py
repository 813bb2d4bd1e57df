"""Declared columns in DynamoDB: attributes of their types, which read back are the values of the file."""

import csv
import io
import json
import uuid
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csv_ingest import csvfile
from csv_ingest.configuration import IngestConfig
from csv_ingest.destinations import Destination, OnlyIf
from csv_ingest.destinations.dynamodb import MAX_ITEM, DynamoDbDestination
from csv_ingest.destinations.opening import open_destination
from csv_ingest.model import Deadline, Origin, Row, RowKey, StoredRow, TableAltered, Value, fingerprint
from csv_ingest.modes import APPEND
from csv_ingest.row_store import RowStore
from ops.audit import audit
from ops.repair import repair
from tests.integration.faults import Calls, Killed
from tests.integration.invoking import Invocations
from tests.integration.parts import deliver_all
from tests.integration.rows import by_value
from tests.integration.settings import set_feed
from tests.integration.world import BOTH_DESTINATIONS, World

COLUMNS = {
    "quantity": "integer",
    "price": "decimal as unit_price",
    "gift": "boolean",
    "ordered": "date",
    "sent": "timestamp",
    "note": "text",
}


@pytest.fixture(autouse=True)
def _declared(world: World) -> None:
    world.declare(COLUMNS)


def only_item(world: World) -> dict[str, Any]:
    [item] = world.tables()[0].values()
    return {name: value for name, value in by_value(item).items() if name not in ("pk", "etag", "line")}


@BOTH_DESTINATIONS
def test_declared_columns_are_attributes_of_their_types(world: World) -> None:
    world.ingest(
        "a.csv",
        "id,customer,quantity,price,gift,ordered,sent,note\n"
        "1,Smith,007,5.50,yes,2026-02-28,2026-02-28T10:00:00+02:00, n \n",
    )
    assert only_item(world) == {
        "data": {"S": '{"id":"1","customer":"Smith"}'},
        "quantity": 7,
        "unit_price": Decimal("5.5"),
        "gift": {"BOOL": True},
        "ordered": {"S": "2026-02-28"},
        "sent": {"S": "2026-02-28T08:00:00+00:00"},
        "note": {"S": " n "},
    }


@BOTH_DESTINATIONS
def test_an_empty_cell_is_no_attribute(world: World) -> None:
    """Rows of one request have different attributes then."""
    lines = "".join(f"{n},{n if n % 2 else ''},,,,,\n" for n in range(60))
    world.ingest("a.csv", f"id,quantity,price,gift,ordered,sent,note\n{lines}")
    rows, _ = world.tables()
    assert len(rows) == 60
    for item in rows.values():
        number = int(item["pk"]["S"].partition("#")[2])
        assert by_value(item).get("quantity") == (number if number % 2 else None)
        assert "unit_price" not in item


def test_a_bad_cell_is_recorded_without_its_value(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    lines = "1,x12y,1,,,,\n2,1,4711x,,,,\n3,1,1,,,,\n"
    world.ingest("a.csv", f"id,quantity,price,gift,ordered,sent,note\n{lines}")
    assert world.rejects("a.csv") == [
        (2, "column quantity: not an integer: write it as 1234"),
        (3, "column price: not a decimal: write it as 1234.5"),
    ]
    assert list(world.rows()) == ["3"]
    everything = capsys.readouterr().out + repr(world.tables()[1])
    assert not any(secret in everything for secret in ("x12y", "4711x"))


def test_a_file_without_a_declared_column_is_rejected(world: World) -> None:
    world.ingest("a.csv", "id,quantity\n1,2\n")
    record = world.file("a.csv")
    assert (record["status"], world.rows()) == ("REJECTED", {})
    assert "no column is named 'price'" in record["reason"]


@BOTH_DESTINATIONS
@pytest.mark.parametrize(
    ("second", "rejected"), [("5.5", []), ("5.50", []), ("+05.500", []), ("5.51", [3]), ("", [3]), ("-5.5", [3])]
)
def test_the_same_id_is_compared_by_its_values(world: World, second: str, rejected: list[int]) -> None:
    lines = f"1,,5.50,,,,\n1,,{second},,,,\n"
    world.ingest("a.csv", f"id,quantity,price,gift,ordered,sent,note\n{lines}")
    assert [line for line, _ in world.rejects("a.csv")] == rejected


@BOTH_DESTINATIONS
def test_a_file_keeps_the_columns_it_began_with(world: World) -> None:
    world = world.tuned(checkpoint_rows=25)
    text = "id,quantity,price,gift,ordered,sent,note\n" + "".join(f"{n},{n},,,,,\n" for n in range(90))
    event = world.upload("a.csv", text)
    with pytest.raises(Killed), Calls(*world.engines).fault("die_before", 12 if world.in_dynamodb else 13):
        world.deliver(event)
    assert 0 < world.file("a.csv")["rows_read"] < 90
    set_feed(columns={})
    world.deliver(event)
    assert world.file("a.csv")["status"] == "COMPLETE"
    assert all("quantity" in item for item in world.tables()[0].values())
    recorded = json.loads(world.file("a.csv")["format"])
    assert recorded["columns"] == COLUMNS


@BOTH_DESTINATIONS
def test_an_earlier_line_replaces_all_values(world: World, queue: Invocations) -> None:
    """In parts: the later line is stored first, and has attributes that the earlier line has not."""
    world = world.tuned(block_bytes=64, part_lines=10, whole_parts=1)
    lines = [f"{n},{n},,,,,\n" for n in range(40)]
    lines[35] = "3,8,1.5,yes,2026-01-01,,x\n"
    world.ingest("a.csv", "id,quantity,price,gift,ordered,sent,note\n" + "".join(lines))
    queue.events.reverse()
    deliver_all(world, queue)
    [item] = [item for pk, item in world.tables()[0].items() if pk.endswith("#3")]
    assert set(item) == {"pk", "etag", "line", "data", "quantity"}
    assert (by_value(item)["line"], by_value(item)["quantity"]) == (5, 3)
    assert [line for line, _ in world.rejects("a.csv")] == [37]


def test_a_row_of_many_columns_can_be_replaced(world: World, queue: Invocations) -> None:
    """An expression may have 4 KB, as many as the names of the columns have."""
    names = [f"column_with_a_long_name_{n:02d}" for n in range(83)]
    set_feed(columns=dict.fromkeys(names, "text"))
    world = world.tuned(block_bytes=64, part_lines=10, whole_parts=1)
    lines = [f"{n}{',x' * 83}\n" for n in range(40)]
    lines[35] = f"3{',y' * 83}\n"
    world.ingest("a.csv", f"id,{','.join(names)}\n" + "".join(lines))
    queue.events.reverse()
    deliver_all(world, queue)
    assert world.file("a.csv")["status"] == "COMPLETE"
    assert [line for line, _ in world.rejects("a.csv")] == [37]


@pytest.mark.parametrize(
    ("attribute", "value", "is_altered"),
    [
        ("expires_at", {"N": "1"}, False),
        ("quantity", {"N": "2.0"}, False),
        ("quantity", {"N": "3"}, True),
        ("quantity", {"S": "2"}, True),
        ("quantity", {"L": []}, True),
        ("gift", {"N": "1"}, True),
        ("gift", {"S": "True"}, True),
        ("note", {"S": "x"}, True),
    ],
)
def test_what_others_change_is_told_by_declared_values(
    world: World, attribute: str, value: Any, is_altered: bool
) -> None:
    text = "id,quantity,price,gift,ordered,sent,note\n1,2,,true,,,\n"
    world.ingest("a.csv", text)
    [item] = world.tables()[0].values()
    world.dynamodb.put_item(TableName=world.rows_table, Item=item | {attribute: value})
    again = world.upload("b.csv", text)
    if is_altered:
        with pytest.raises(TableAltered):
            world.deliver(again)
    else:
        world.deliver(again)
        assert world.file("b.csv")["status"] == "COMPLETE"


@pytest.mark.parametrize("number", ["1", "1.5", "-1" + "0" * 37, "9" * 38, "-0." + "9" * 38, "0." + "0" * 80 + "12"])
def test_the_size_of_an_item_counts_its_values(world: World, number: str) -> None:
    """AWS refuses an item of more than 400 KB. A number takes at most 21 bytes there, and is taken for 23 at most."""
    destination = DynamoDbDestination(world.dynamodb, "none", APPEND, deadline=Deadline.never())
    etag, rest = "e" * 32, "pketaglinedata" + "e" * 32 * 2 + "#1" + "{}" + "price" + "note"
    values: dict[str, Value | None] = {"price": Decimal(number), "note": "n" * (MAX_ITEM - len(rest) - 2 - 23)}
    assert destination.refusal(Origin(etag), Row(2, "1", "{}", values)) is None
    values["note"] = "n" * (MAX_ITEM - len(rest) - 2)
    assert "too large" in str(destination.refusal(Origin(etag), Row(2, "1", "{}", values)))


cells = {
    "integer": st.one_of(
        st.integers(-(10**38) + 1, 10**38 - 1), st.sampled_from([2**63, 2**63 - 1, -(2**63), -(2**63) - 1])
    ).map(str),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20).map(
        lambda number: f"{number:f}"
    ),
    "boolean": st.sampled_from(["true", "NO", "1"]),
    "date": st.dates().map(str),
    "timestamp": st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
    "text": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
}
rows_of_cells = st.lists(
    st.tuples(*(st.just("") | cells[type_.split()[0]] for type_ in COLUMNS.values())), min_size=1, max_size=25
)


@BOTH_DESTINATIONS
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows_of_cells)
def test_what_is_stored_reads_back_as_the_same_values(world: World, records: list[tuple[str, ...]]) -> None:
    config = IngestConfig.from_environment()
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", *COLUMNS])
    writer.writerows([f"{number:02d}", *record] for number, record in enumerate(records))
    read = list(csvfile.read_rows(io.BytesIO(text.getvalue().encode()), config.feed.format))
    rows = [row for row in read if isinstance(row, Row)]
    assert len(rows) == len(records)
    with closing(open_destination(config, world.dynamodb, deadline=Deadline.never())) as destination:
        assert_read_back(destination, rows)


@BOTH_DESTINATIONS
@pytest.mark.parametrize(("type_", "early", "late"), [("date", "2026-01-01", "2027-01-01"), ("boolean", False, True)])
class TestColumnUploaded:
    """In a feed that merges, each row has its order under this name, and conditions are about it. Here it is none."""

    def test_an_earlier_line_brings_its_value(self, world: World, type_: str, early: Value, late: Value) -> None:
        world.declare({"uploaded": type_})
        config, origin = IngestConfig.from_environment(), Origin(uuid.uuid4().hex)
        with closing(open_destination(config, world.dynamodb, deadline=Deadline.never())) as destination:
            destination.write(origin, [Row(3, "1", "{}", {"uploaded": late})], only_if=OnlyIf.ABSENT)
            destination.write(origin, [Row(2, "1", "{}", {"uploaded": early})], only_if=OnlyIf.LATER_LINE)
            [found] = destination.find([RowKey(origin.upload, "1")])
        assert isinstance(found, StoredRow)
        assert (found.line, found.values) == (2, {"uploaded": early})

    def test_a_repair_restores_the_value(self, world: World, type_: str, early: Value, late: Value) -> None:
        world.declare({"uploaded": type_})
        world.ingest("a.csv", f"id,uploaded\n1,{str(early).lower()}\n")
        [item] = world.default_rows.items().values()
        world.default_rows.put(item | {"uploaded": {"S" if isinstance(late, str) else "BOOL": late}})
        findings = audit(world.pipeline()).findings
        assert [finding.kind for finding in findings] == ["different"]
        assert repair(world.pipeline(), findings).rows == 1
        assert audit(world.pipeline()).findings == []


def assert_read_back(destination: Destination, rows: Sequence[Row]) -> None:
    etag = uuid.uuid4().hex
    store = RowStore(destination, APPEND, origin=Origin(etag), on_duplicate_id=lambda: None)
    refused = [row.line for row in rows if destination.refusal(Origin(etag), row)]
    for present in (0, len(rows) - len(refused)):
        result = store.store(rows)
        assert (result.already_present, [row.line for row in result.rejected]) == (present, refused)
    kept = [row for row in rows if row.line not in refused]
    found = {each.key.id: each for each in destination.find([RowKey(etag, row.id) for row in kept])}
    assert len(found) == len(kept)
    for row in kept:
        stored = found[row.id]
        assert isinstance(stored, StoredRow)
        names = list(row.values)
        assert fingerprint(row, names) == fingerprint(stored, names)
        assert {name: value for name, value in row.values.items() if value is not None} == stored.values
