"""A feed that merges: one row an id, that of the newest upload, whatever the order of the deliveries."""

import json
import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from csv_ingest import clients
from csv_ingest.events import Event, upload_event
from csv_ingest.ledger import FileRecord
from csv_ingest.model import MalformedEvent, RowCounts, TableAltered, Tuning
from csv_ingest.modes import MERGE
from ops.audit import audit
from ops.differences import explained
from ops.pipeline import Pipeline
from ops.repair import repair
from tests.integration.commands import invoke, reported, run
from tests.integration.faults import Calls, Killed, between_calls
from tests.integration.invoking import Invocations, version_of
from tests.integration.parts import deliver_all
from tests.integration.sweeping import run_sweep
from tests.integration.world import FIRST_UPLOAD, MERGING, World

pytestmark = [MERGING, pytest.mark.filterwarnings("ignore:No application metrics to publish")]
"""Killed or overtaken at each call, a delivery of a first file is tested in test_crashes.py, with four faults each."""

OLD = "id,name\n1,a\n2,b\n3,c\n"
NEW = "id,name\n2,B\n3,c\n4,D\n2,again\n"
MERGED = {"1": ("a", 2), "2": ("B", 2), "3": ("c", 3), "4": ("D", 4)}

IN_PARTS = Tuning(block_bytes=16, part_lines=3, whole_parts=1, batch_rows=25)


in_parts = pytest.mark.parametrize("tuning", [IN_PARTS], indirect=True)


def stored(world: World) -> dict[str, tuple[str, int]]:
    """The name and the line of each row, by its id."""
    items = world.tables()[0]
    return {id_: (json.loads(item["data"]["S"])["name"], int(item["line"]["N"])) for id_, item in items.items()}


def record_of(world: World, event: Event) -> FileRecord:
    return world.pipeline().files.record(version_of(event))


def counts_of(world: World, event: Event) -> RowCounts | None:
    record = record_of(world, event)
    assert record.status == "COMPLETE"
    return record.counts


def kill_before_the_end(world: World, event: Event) -> None:
    """Have a delivery be killed when all rows are stored, and the ledger does not say so."""
    calls = Calls(*world.engines)
    world.deliver(event)
    total = len(calls.names)
    world.empty()
    with pytest.raises(Killed), calls.fault("die_before", total):
        world.deliver(event)


def timed(event: Event, time: str | None, sequencer: str = "") -> Event:
    """The same event with another time; without one, as commands and the sweep send it."""
    [record] = event["Records"]
    about = {name: value for name, value in record["s3"]["object"].items() if name != "sequencer"}
    about |= {"sequencer": sequencer} if sequencer else {}
    changed = {name: value for name, value in record.items() if name != "eventTime"}
    changed |= {"eventTime": time} if time else {}
    return {"Records": [changed | {"s3": record["s3"] | {"object": about}}]}


@pytest.mark.parametrize("keys", [("a.csv", "a.csv"), ("a.csv", "b.csv")])
@pytest.mark.parametrize("order", [(0, 1, 0), (1, 0, 1)])
def test_the_row_of_the_newest_upload_stays(world: World, keys: tuple[str, str], order: tuple[int, ...]) -> None:
    events = [world.upload(key, content) for key, content in zip(keys, (OLD, NEW), strict=True)]
    for index in order:
        world.deliver(events[index])
    assert stored(world) == MERGED
    superseded = 2 if order[0] else 0
    assert counts_of(world, events[0]) == RowCounts(3, 3 - superseded, 0, superseded)
    assert counts_of(world, events[1]) == RowCounts(4, 3, 1)
    assert audit(world.pipeline()).findings == []


def test_each_row_says_of_which_upload_it_is(world: World) -> None:
    event = world.ingest("a.csv", OLD)
    version, uploaded = version_of(event), record_of(world, event).upload_order
    assert uploaded.startswith("2026-01-01T00:00:00.000Z~")
    assert uploaded.endswith(f"~{version.version_id}")
    items = world.tables()[0].values()
    assert {(item["etag"]["S"], item["uploaded"]["S"]) for item in items} == {(version.etag, uploaded)}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_same_bytes_again_are_a_new_upload(world: World, order: tuple[int, ...]) -> None:
    """A file that is taken back: the rows of the first upload are those of the third one again."""
    events = [world.upload("a.csv", content) for content in (OLD, NEW, OLD)]
    for index in order:
        world.deliver(events[index])
    assert stored(world) == {"1": ("a", 2), "2": ("b", 3), "3": ("c", 4), "4": ("D", 4)}
    uploaded = {item["uploaded"]["S"] for item in world.tables()[0].values()}
    assert uploaded == {record_of(world, event).upload_order for event in events[1:]}
    before = world.tables()
    for event in events:
        world.deliver(event)
    assert world.tables() == before
    assert audit(world.pipeline()).findings == []


TIMES = [
    pytest.param(("2026-05-05T05:05:05.123Z", "0A"), ("2026-05-05T05:05:05.124Z", "09"), id="time"),
    pytest.param(("2026-05-05T05:05:05.123Z", "0A"), ("2026-05-05T05:05:05.123Z", "0b"), id="sequencer"),
    pytest.param(("2026-05-05T05:05:05.123Z", "00FF"), ("2026-05-05T05:05:05.123Z", "0F"), id="shorter sequencer"),
    pytest.param(("2026-05-05T06:05:05.123+01:00", "0B"), ("2026-05-05T05:05:05.123Z", "0C"), id="other zone"),
]


@pytest.mark.parametrize(("older", "newer"), TIMES)
def test_the_time_of_s3_decides(world: World, older: tuple[str, str], newer: tuple[str, str]) -> None:
    events = [timed(world.upload("a.csv", OLD), *older), timed(world.upload("a.csv", NEW), *newer)]
    for order in (events, events[::-1]):
        world.empty()
        for event in order:
            world.deliver(event)
        assert stored(world) == MERGED


@pytest.mark.parametrize("lost", [0, 1])
def test_a_swept_upload_has_the_time_of_its_object(world: World, invocations: Invocations, lost: int) -> None:
    """Its event was lost; what the sweep sends says nothing of a time, and comes when all others are done."""
    events = [world.upload("a.csv", OLD), world.upload("a.csv", NEW)]
    world.deliver(events[1 - lost])
    run_sweep(world, invocations)
    [swept] = invocations.events
    assert version_of(swept) == version_of(events[lost])
    world.deliver(swept)
    assert stored(world) == MERGED
    world.deliver(events[lost])
    assert stored(world) == MERGED


class TestBeforeVersions:
    """Objects from before the bucket kept versions have one version id, `null`; `backfill` delivers them."""

    def test_the_newest_of_equal_files_counts(self, world: World, pipeline: Pipeline) -> None:
        contents = {"a.csv": OLD, "b.csv": NEW, "c.csv": OLD}
        for hours, (key, content) in enumerate(contents.items()):
            world.deliver(world.upload_before_versions(key, content, time=FIRST_UPLOAD + timedelta(hours=hours)))
        assert stored(world) == {"1": ("a", 2), "2": ("b", 3), "3": ("c", 4), "4": ("D", 4)}
        assert audit(pipeline).findings == []

    @pytest.mark.parametrize("rows", ["1,A\n2,A\n", "3,B\n1,B\n"])
    def test_files_of_one_second_are_told_apart(self, world: World, pipeline: Pipeline, rows: str) -> None:
        """Whether an id is on the same line or on another one."""
        events = [world.upload_before_versions(key, f"id,name\n{rows}") for key in ("a.csv", "b.csv")]
        events.append(world.upload_before_versions("c.csv", "id,name\n1,C\n5,C\n"))
        for order in (events, events[::-1]):
            world.empty()
            for event in order:
                world.deliver(event)
            assert {counted.rejected for event in events if (counted := counts_of(world, event))} == {0}
            assert audit(pipeline).findings == []

    def test_uploads_without_a_version_are_errors(self, world: World) -> None:
        """While the bucket keeps none, the next upload of a key takes the place of this one."""
        event = timed(world.upload_before_versions("a.csv", OLD), "2026-05-05T05:05:05.123Z")
        with pytest.raises(MalformedEvent, match="keeps no versions"):
            world.deliver(event)
        assert stored(world) == {}


def test_every_delivery_takes_the_time_of_the_first(world: World) -> None:
    """A redelivery without a time is not an older upload than its rows."""
    event = world.ingest("a.csv", OLD)
    before = world.tables()
    world.empty()
    kill_before_the_end(world, event)
    world.deliver(upload_event(version_of(event)))
    assert world.tables() == before


@pytest.mark.parametrize(
    ("time", "sequencer", "field"),
    [
        ("yesterday", "", "eventTime"),
        ("2999-01-01T00:00:00Z", "", "eventTime"),
        ("2025-12-31T23:54:59.000Z", "", "eventTime is before the upload"),
        ("2026-05-05T05:05:05.123Z", "'; DROP TABLE rows; --", "sequencer"),
    ],
    ids=["none", "future", "past", "SQL"],
)
def test_a_time_that_is_none_is_an_error(world: World, time: str, sequencer: str, field: str) -> None:
    with pytest.raises(MalformedEvent, match=field):
        world.deliver(timed(world.upload("a.csv", OLD), time, sequencer))
    assert stored(world) == {}


def test_the_sweep_finds_each_version(world: World, invocations: Invocations) -> None:
    """Two uploads of the same bytes are two uploads."""
    events = [world.upload("a.csv", content) for content in (OLD, NEW, OLD)]
    run_sweep(world, invocations)
    assert {version_of(event) for event in invocations.events} == {version_of(event) for event in events}
    for event in invocations.events:
        world.deliver(event)
    assert run_sweep(world, invocations).unsettled == 0


BROKEN = "id,name\n" + "".join(f"{n % 37},{n // 37}\n" for n in range(45)) + ",no id\n7,0\n98,x\n"
"""Ids of BEFORE and others, an id that is there twice with other values, and a row without an id."""
BEFORE = "id,name\n" + "".join(f"{n},before\n" for n in range(0, 60, 2))
MOST_OF_THEM = "id,name\n" + "".join(f"{n},before\n" for n in range(60) if n % 4)
READ_FIRST = Tuning(batch_rows=10, in_flight=1)
"""Most rows of a batch were there before the next one is written."""

reading_first = pytest.mark.parametrize("tuning", [READ_FIRST], indirect=True)


@reading_first
@pytest.mark.parametrize("fault", ["die_after", "lose_answer_of"])
def test_a_fault_at_any_call_leaves_no_trace(world: World, fault: str) -> None:
    before, event = world.upload("a.csv", MOST_OF_THEM), world.upload("a.csv", BROKEN)
    world.deliver(before)
    calls = Calls(*world.engines)
    world.deliver(event)
    expected, numbers = world.tables(), calls.numbers(fault)
    assert len(numbers) > 3
    for number in numbers:
        world.empty()
        world.deliver(before)
        world.deliver_despite(calls, fault, number, event)
        world.deliver(event)
        assert world.tables() == expected, f"{fault} {number}"


@reading_first
@pytest.mark.parametrize("overtaking", ["older", "newer"])
def test_uploads_at_once_end_with_the_newest_rows(world: World, overtaking: str) -> None:
    events = [world.upload("a.csv", MOST_OF_THEM), world.upload("a.csv", BROKEN)]
    event = events[0 if overtaking == "newer" else 1]
    other = events[0 if overtaking == "older" else 1]
    for each in events:
        world.deliver(each)
    expected, made = stored(world), 2
    for number in range(1, 100):
        world.empty()
        calls = Calls(*world.engines)
        with between_calls(number, lambda: world.deliver(other), *world.engines):
            world.deliver(event)
        made = len(calls.names)
        world.deliver(other)
        assert stored(world) == expected, f"overtaken before call {number}"
        for each in (event, other):
            counted = counts_of(world, each)
            assert counted
            assert counted.read == counted.stored + counted.rejected + counted.superseded
        assert audit(world.pipeline()).findings == [], f"overtaken before call {number}"
        if number > made:
            break
    assert number > 8


@in_parts
@pytest.mark.parametrize("seed", [1, 2])
def test_parts_in_any_order_merge(world: World, queue: Invocations, seed: int) -> None:
    """Of an id that is on two lines, the first line wins, and the other one is rejected."""
    events = [world.upload("a.csv", BEFORE), world.upload("a.csv", BROKEN)]
    shuffle = random.Random(seed)  # noqa: S311
    for event in events if seed % 2 else reversed(events):
        world.deliver(event)
        if seed % 3:
            deliver_all(world, queue, shuffle=shuffle)
    deliver_all(world, queue, shuffle=shuffle, times=2)
    older = {f"{n}": ("before", n // 2 + 2) for n in range(0, 60, 2)}
    newer = {f"{n}": ("0", n + 2) for n in range(37)} | {"98": ("x", 49)}
    assert stored(world) == older | newer
    counted = counts_of(world, events[1])
    assert counted == RowCounts(48, 48 - 9, 9)
    assert audit(world.pipeline()).findings == []


@in_parts
@pytest.mark.parametrize("overtaken", [0, -1])
def test_two_lines_over_an_older_row_are_told_apart(world: World, queue: Invocations, overtaken: int) -> None:
    """Two parts find the row of an older upload, and both replace it: one of them has to notice the other."""
    old = world.upload("a.csv", "id,name\n7,old\n")
    new = world.upload("a.csv", "id,name\n7,first\n8,x\n9,x\n5,x\n6,x\n7,last\n")
    number = made = 1
    while number <= made:
        world.empty()
        world.deliver(old)
        world.deliver(new)
        parts = list(queue.events)
        queue.events.clear()
        assert len(parts) == 2
        calls = Calls(*world.engines)
        with between_calls(number, partial(world.deliver, parts[-1 - overtaken]), *world.engines):
            world.deliver(parts[overtaken])
        made = len(calls.names)
        queue.events += parts
        deliver_all(world, queue)
        assert stored(world)["7"] == ("first", 2)
        assert counts_of(world, new) == RowCounts(6, 5, 1), f"overtaken before call {number}"
        number += 1
    assert number > 8


@in_parts
def test_a_row_replaced_while_it_changes_keeps_nothing(world: World, pipeline: Pipeline, queue: Invocations) -> None:
    """The older upload puts an earlier line there, with another column, after the newer one has read the row."""
    world.default_rows.declare("price", "text")
    world.deploy(pipeline, columns={"price": "text"})
    old = world.upload("a.csv", "id,name,price\n1,first,5\n2,x,1\n3,x,1\n4,x,1\n5,x,1\n6,x,1\n1,last,\n")
    new = world.upload("b.csv", "id,name,price\n1,NEW,\n")
    for number in range(6, 13):
        world.empty()
        world.deliver(old)
        parts = list(queue.events)
        queue.events.clear()
        world.deliver(parts[-1])
        with between_calls(number, partial(world.deliver, parts[0]), *world.engines):
            world.deliver(new)
        queue.events += parts
        deliver_all(world, queue)
        assert stored(world)["1"] == ("NEW", 2)
        assert "price" not in world.tables()[0]["1"], f"overtaken before call {number}"
        assert audit(pipeline).findings == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_replaced_row_has_nothing_of_the_older_one(world: World, pipeline: Pipeline, order: tuple[int, int]) -> None:
    """Not even a column that is declared no more, or what somebody has added."""
    for name in ("name", "price", "added"):
        world.default_rows.declare(name, "text")
    contents = "id,name,price\n1,a,5\n2,b,\n", "id,name,price\n1,A,6\n2,B,7\n"
    columns = {"name": "text"}, {"price": "text"}
    events = [world.upload("a.csv", content) for content in contents]
    world.deploy(pipeline, columns=columns[1])
    world.deliver(events[1])
    expected = world.tables()[0]
    world.empty()
    for index in order:
        world.deploy(pipeline, columns=columns[index])
        world.deliver(events[index])
        if index == 0 == order[0]:
            world.default_rows.put(world.tables()[0]["1"] | {"added": {"S": "by somebody"}})
    assert world.tables()[0] == expected


NAMES = [*"?\"'\\:#", "#x", ":x", ":0", "#0", "a.b", "a b", "``", "--", "/*", "$$", "x\ny", "[0]", "Größe", "select"]
MANY = [f"added{number:03}" * 4 for number in range(500)]
"""What somebody else can call an attribute, or a column."""


# MiniStack takes an attribute M for the type of the whole item, and then removes no attribute.
names_of_others = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=15
).filter(lambda name: name != "M")


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(names_of_others, min_size=1))
@example(NAMES)
@example(MANY)
def test_no_name_keeps_a_newer_row_out(world: World, names: list[str]) -> None:
    """Somebody has added attributes to a row of the older upload."""
    world.ingest("a.csv", "id,name\n1,a\n2,b\n")
    names = names if world.in_dynamodb else names[:30]  # a table of PostgreSQL has at most 1,600 columns
    world.default_rows.add_columns(set(names))
    world.default_rows.put(world.tables()[0]["1"] | {name: {"S": "x"} for name in names})
    world.ingest("a.csv", "id,name\n1,A\n2,B\n")
    assert stored(world) == {"1": ("A", 2), "2": ("B", 3)}
    items = world.tables()[0].values()
    assert {frozenset(item) for item in items} == {frozenset({"pk", "etag", "line", "data", "uploaded"})}


def test_an_upload_is_read_by_its_first_settings(world: World, pipeline: Pipeline) -> None:
    """Whoever uploads a file again has it read anew: the same bytes, and other columns."""
    world.default_rows.declare("name", "text")
    events = [world.upload("a.csv", OLD), world.upload("a.csv", OLD), world.upload("b.csv", OLD)]
    for event, columns in zip(events, ({}, {"name": "text"}, {}), strict=True):
        world.deploy(pipeline, columns=columns)
        world.deliver(event)
    assert all("name" not in item for item in world.tables()[0].values())
    assert {record_of(world, event).status for event in events} == {"COMPLETE"}


DAMAGES: dict[str, Callable[[World], None]] = {
    "missing": lambda world: world.default_rows.delete("2"),
    "different": lambda world: world.default_rows.put(world.tables()[0]["2"] | {"data": {"S": '{"name":"?"}'}}),
}


class TestAudit:
    """What is wrong in a table is found, and mended by the rows of the newest uploads."""

    @pytest.fixture
    def events(self, world: World) -> list[Event]:
        events = [world.upload(key, content) for key, content in (("a.csv", OLD), ("b/a.csv", NEW))]
        for event in events:
            world.deliver(event)
        return events

    @pytest.mark.usefixtures("events")
    @pytest.mark.parametrize("kind", DAMAGES)
    @pytest.mark.parametrize("prefix", ["", "b/"])
    def test_a_damaged_row_is_mended(self, world: World, pipeline: Pipeline, kind: str, prefix: str) -> None:
        DAMAGES[kind](world)
        [finding] = audit(pipeline, prefix=prefix).findings
        assert (finding.kind, finding.key, finding.detail.partition(":")[0]) == (kind, "b/a.csv", "line 2")
        assert audit(pipeline, prefix="a").findings == []
        assert repair(pipeline, [finding]).rows == 1
        assert stored(world) == MERGED
        assert audit(pipeline).findings == []

    def test_an_older_row_in_the_place_is_found(self, world: World, pipeline: Pipeline, events: list[Event]) -> None:
        world.empty()
        world.deliver(events[0])
        older = world.tables()[0]["2"]
        world.deliver(events[1])
        world.default_rows.put(older)
        [finding] = audit(pipeline).findings
        assert (finding.kind, finding.key) == ("different", "b/a.csv")
        [said] = explained(pipeline, [finding])
        assert [each.column for each in said.differences] == ["line", "etag", "uploaded", "data.name"]
        repair(pipeline, [finding])
        assert stored(world) == MERGED

    @pytest.mark.usefixtures("events")
    def test_a_repair_leaves_newer_rows_alone(self, world: World, pipeline: Pipeline) -> None:
        """They came after the audit."""
        world.default_rows.delete("2")
        findings = audit(pipeline).findings
        world.ingest("c.csv", "id,name\n2,newest\n")
        before = world.tables()
        assert repair(pipeline, findings).rows == 0
        assert world.tables() == before

    @pytest.mark.usefixtures("events")
    def test_a_row_of_nobody_is_unexpected(self, world: World, pipeline: Pipeline) -> None:
        item = world.tables()[0]["2"]
        world.default_rows.put(item | {"pk": {"S": "9"}, "uploaded": {"S": "2027"}})
        [finding] = audit(pipeline).findings
        assert (finding.kind, finding.key, finding.detail) == ("unexpected", "", "9")
        assert finding.pk == "9"

    def test_an_upload_that_came_meanwhile_is_no_finding(
        self, world: World, pipeline: Pipeline, events: list[Event], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        new = world.upload("c.csv", "id,name\n2,newest\n5,new\n")
        listed = [each for each in pipeline.records() if each[0].version != version_of(new)]
        world.deliver(new)
        monkeypatch.setattr(Pipeline, "records", lambda *_: iter(listed))
        assert len(listed) == len(events)
        found = audit(pipeline)
        assert (found.findings, found.not_compared) == ([], 2)

    def test_wrong_counts_are_corrected(self, world: World, pipeline: Pipeline, events: list[Event]) -> None:
        world.ingest("c.csv", OLD)
        world.change_record("c.csv", rows_superseded=99, rows_stored=0)
        [finding] = audit(pipeline).findings
        assert (finding.kind, finding.key) == ("sums", "c.csv")
        repair(pipeline, [finding])
        assert audit(pipeline).findings == []
        assert len(events) == 2


def test_a_reject_that_was_deleted_is_found(world: World, pipeline: Pipeline) -> None:
    """Though another row of its file is superseded, and so are some duplicates of other files."""
    older, newer = world.upload("a.csv", "id,name\n1,a\n1,b\n9,x\n"), world.upload("b.csv", "id,name\n9,c\n")
    for event in (newer, older):
        world.deliver(event)
    assert counts_of(world, older) == RowCounts(3, 1, 1, 1)
    rejects = world.rejects("a.csv")
    [entry] = [entry for key, entry in world.tables()[1] if key == "a.csv" and "#reject#" in entry]
    world.delete_entry("a.csv", entry)
    [finding] = audit(pipeline).findings
    assert finding.kind == "unaccounted"
    repair(pipeline, [finding])
    assert world.rejects("a.csv") == rejects
    assert audit(pipeline).findings == []


def test_a_line_rejected_and_then_superseded_stays_rejected(world: World, pipeline: Pipeline) -> None:
    """The first attempt recorded it as rejected, and was killed; then a newer upload took the id."""
    older, newer = world.upload("a.csv", "id,name\n1,a\n1,b\n2,x\n"), world.upload("b.csv", "id,name\n1,c\n")
    kill_before_the_end(world, older)
    world.deliver(newer)
    world.deliver(older)
    assert counts_of(world, older) == RowCounts(3, 1, 1, 1)
    assert len(world.rejects("a.csv")) == 1
    assert audit(pipeline).findings == []
    pipeline.files.repairs.correct_counts("a.csv", version_of(older).etag, RowCounts(3, 1, 0, 2), MERGE)
    [finding] = audit(pipeline).findings  # as an earlier release counted it
    assert finding.kind == "sums"
    repair(pipeline, [finding])
    assert counts_of(world, older) == RowCounts(3, 1, 1, 1)


def test_a_row_that_somebody_changed_fails_the_delivery(world: World) -> None:
    event = world.upload("a.csv", OLD)
    kill_before_the_end(world, event)
    world.default_rows.put(world.tables()[0]["2"] | {"data": {"S": '{"name":"?"}'}})
    with pytest.raises(TableAltered, match="audit --repair"):
        world.deliver(event)


def test_parts_take_their_time_from_the_plan(world: World, queue: Invocations) -> None:
    """Their events have none, and the function asks S3 for none."""
    world = world.tuned(block_bytes=16, part_lines=3, whole_parts=1)
    event = world.ingest("a.csv", BEFORE)
    seen: list[Any] = []
    clients.s3().meta.events.register("before-call.s3.HeadObject", lambda **_: seen.append(1))
    deliver_all(world, queue)
    assert not seen
    assert {item["uploaded"]["S"] for item in world.tables()[0].values()} == {record_of(world, event).upload_order}


@pytest.mark.usefixtures("commanded")
class TestCommands:
    """What operators see of uploads of which some rows are superseded."""

    @pytest.fixture(autouse=True)
    def events(self, world: World) -> list[Event]:
        """Of the first one, a row is left; one row of the second one came too late."""
        contents = (("a.csv", OLD), ("b.csv", NEW), ("c.csv", "id,name\n3,newest\n"))
        events = [world.upload(key, content) for key, content in contents]
        for index in (0, 2, 1):
            world.deliver(events[index])
        return events

    def test_rows_tell_which_are_superseded(self, world: World) -> None:
        done = invoke("rows", "b.csv", code=0)
        newest = world.tables()[0]["3"]["uploaded"]["S"]
        assert done.stdout.splitlines() == [
            'line 2: "2" {"id":"2","name":"B"}',
            f'line 3: "3" is superseded: uploaded {newest}',
            'line 4: "4" {"id":"4","name":"D"}',
        ]
        assert done.stderr.startswith(
            "2 rows, 0 missing, 1 superseded: newer uploads have rows of their ids, `find` says which. "
        )
        assert done.stderr.endswith("The ledger: 4 read, 2 stored, 1 rejected, 1 superseded\n")
        assert reported("rows", "b.csv", code=0)[1] == {"line": 3, "id": "3", "superseded": newest}

    def test_rows_tell_of_an_older_row_in_the_place(self, world: World) -> None:
        world.default_rows.put(world.tables()[0]["2"] | {"uploaded": {"S": "2025"}})
        done = invoke("rows", "b.csv", code=1)
        assert '"2" is missing: an older upload\'s row is in its place' in done.stdout

    def test_a_missing_row_can_be_of_another_file(self, world: World) -> None:
        world.default_rows.delete("3")
        done = invoke("rows", "b.csv", code=1)
        assert 'line 3: "3" is missing: not in the table' in done.stdout
        advice = done.stderr.rpartition("csv-ingest ")[2].split()
        assert advice == ["audit", "--repair", "--feed", "default"]
        repaired = invoke(*advice, code=0, answer="y\n")
        assert "c.csv: line 2: 3" in repaired.stdout
        assert "3 files, 4 rows, 0 findings" in repaired.stdout
        assert "1 file, 2 rows, 0 findings" in run("audit", "--prefix", "b", code=0)
        assert 'line 3: "3" is superseded' in run("rows", "b.csv", code=0)

    def test_the_newest_version_is_shown(self, world: World) -> None:
        """Not the one that was delivered last."""
        events = [world.upload("d.csv", f"id,name\n8,{name}\n") for name in ("older", "newer")]
        for event in reversed(events):
            world.deliver(event)
        assert run("rows", "d.csv", code=0) == 'line 2: "8" {"id":"8","name":"newer"}\n'
        for event in events:
            world.delete_object(event)
        assert f"version {version_of(events[1]).version_id} of d.csv is not" in invoke("rows", "d.csv", code=1).stderr

    def test_without_the_object_ids_are_found(self, world: World, events: list[Event]) -> None:
        world.delete_object(events[1])
        told = invoke("rows", "b.csv", code=1).stderr
        assert told.endswith("look for single ids with `find`\n")
        assert ("set file_index=true" in told) == world.in_dynamodb
        assert '"name":"B"' in run("find", "2", code=0)

    def test_an_id_has_one_row_and_upload(self, world: World, events: list[Event]) -> None:
        [row] = reported("find", "2", code=0)
        [upload] = row["uploads"]
        version = version_of(events[1])
        assert (row["data"]["name"], row["line"], row["etag"]) == ("B", 2, version.etag)
        assert (upload["object_key"], upload["version_id"]) == ("b.csv", version.version_id)
        assert row["uploaded"] == record_of(world, events[1]).upload_order
        assert f"  uploaded {row['uploaded']}" in run("find", "2", code=0)
        world.default_rows.put(world.tables()[0]["2"] | {"uploaded": {"S": "2027"}})
        assert "of no upload that the ledger knows" in run("find", "2", code=0)

    def test_the_status_tells_of_superseded_rows(self) -> None:
        told = run("status", "b.csv", code=1)
        assert "1 superseded: newer uploads have rows of their ids" in told
        [status] = reported("status", "b.csv", code=1)
        assert [status[f"rows_{name}"] for name in ("read", "stored", "rejected", "superseded")] == [4, 2, 1, 1]
        assert "line 5: duplicate id" in run("rejects", "b.csv", code=0)

    def test_the_status_tells_of_a_newer_version(self, world: World, events: list[Event]) -> None:
        """`rejects` is about that one, and is not advised for the older one."""
        assert "next: csv-ingest rejects b.csv" in run("status", code=1)
        world.upload("b.csv", OLD)
        assert "next: csv-ingest rejects b.csv" in run("status", "b.csv", code=1)
        world.ingest("b.csv", OLD)
        for told in (run("status", code=1), run("status", "b.csv", code=0)):
            assert f"version {version_of(events[1]).version_id}\n  a newer version of it was delivered\n" in told
            assert "rejects" not in told

    def test_the_same_bytes_twice_wait_twice(self, world: World) -> None:
        for _ in range(2):
            world.upload("d.csv", OLD)
        assert [record["object_key"] for record in reported("status", "d.csv", code=1)] == ["d.csv"] * 2
        assert [record["object_key"] for record in reported("status", code=1)] == ["d.csv", "d.csv", "b.csv"]

    def test_a_reload_is_refused(self, world: World) -> None:
        before = world.tables()
        assert "upload the file again" in invoke("reload", "a.csv", "--yes", code=1).stderr
        assert world.tables() == before
