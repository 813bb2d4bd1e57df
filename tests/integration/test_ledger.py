"""What the ledger holds against deliveries that come late, or twice, or under other settings."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
from botocore.exceptions import ClientError

from csv_ingest.dynamodb import DynamoDbTable
from csv_ingest.ledger import FileLedger, FileRecord, FilesTable
from csv_ingest.model import (
    Deadline,
    FileFormat,
    ObjectVersion,
    OutOfTime,
    Owner,
    PartJob,
    PartStart,
    Phase,
    Plan,
    RowCounts,
    Target,
)
from csv_ingest.modes import APPEND
from tests.integration.faults import Conflicts, throttle_requests
from tests.integration.world import World

HERE = Owner("default", Target("rows"))
COMMAS, SEMICOLONS = FileFormat("id", ",", "utf-8"), FileFormat("no", ";", "cp1252")


@pytest.fixture
def ledger(world: World) -> FileLedger:
    return ledger_of(world, "v1")


def ledger_of(world: World, version_id: str) -> FileLedger:
    """What the ledger has of a version of one object; all versions have the same ETag."""
    table = DynamoDbTable(world.dynamodb, world.files_table, deadline=Deadline(lambda: 10))
    return FileLedger.read(table, ObjectVersion(world.bucket, "a.csv", version_id, "e1", 10), "default", APPEND)


def read(ledger: FileLedger) -> tuple[str | None, RowCounts | None, FileFormat | None]:
    record = ledger.again().record
    return record.status, record.counts, record.format


def test_an_unknown_file_has_an_empty_record(ledger: FileLedger) -> None:
    assert ledger.again().record == FileRecord()


def test_the_first_delivery_decides_how_a_file_is_read(ledger: FileLedger) -> None:
    ledger.begin(attempt=1)
    assert ledger.record_readable(Plan(COMMAS, [], []), HERE) == FileRecord(
        status="PROCESSING", counts=RowCounts(), format=COMMAS, owner=HERE
    )
    ledger.checkpoint(RowCounts(50, 49, 1))
    begun = ledger.record_readable(Plan(SEMICOLONS, [], []), HERE)
    assert (begun.status, begun.counts, begun.format) == ("PROCESSING", RowCounts(50, 49, 1), COMMAS)
    assert read(ledger) == ("PROCESSING", RowCounts(50, 49, 1), COMMAS)


def test_a_late_checkpoint_does_not_take_work_back(ledger: FileLedger) -> None:
    ledger.begin(attempt=1)
    ledger.record_readable(Plan(COMMAS, [], []), HERE)
    ledger.checkpoint(RowCounts(100, 100, 0))
    ledger.checkpoint(RowCounts(50, 50, 0))
    assert ledger.again().record.counts == RowCounts(100, 100, 0)
    ledger.checkpoint(RowCounts(150, 149, 1))
    assert ledger.again().record.counts == RowCounts(150, 149, 1)


def test_a_complete_file_stays_as_it_is(ledger: FileLedger, world: World) -> None:
    ledger.begin(attempt=1)
    ledger.record_readable(Plan(COMMAS, [], []), HERE)
    ledger.complete(RowCounts(100, 99, 1))
    before = world.tables()
    ledger.begin(attempt=1)
    ledger.record_readable(Plan(SEMICOLONS, [], []), HERE)
    ledger.checkpoint(RowCounts(200, 200, 0))
    ledger.reject("too late")
    ledger.complete(RowCounts())
    assert world.tables() == before
    assert read(ledger) == ("COMPLETE", RowCounts(100, 99, 1), COMMAS)


def test_a_readable_file_is_not_rejected_by_another_delivery(ledger: FileLedger) -> None:
    ledger.begin(attempt=1)
    ledger.record_readable(Plan(COMMAS, [], []), HERE)
    ledger.reject("not cp1252")
    assert read(ledger) == ("PROCESSING", RowCounts(), COMMAS)


def test_a_rejected_file_begins_again_without_its_reason(ledger: FileLedger, world: World) -> None:
    ledger.begin(attempt=1)
    ledger.reject("not utf-8")
    assert ledger.again().record.status == "REJECTED"
    ledger.begin(attempt=1)
    assert world.file("a.csv") == {
        "object_key": "a.csv",
        "entry": "e1",
        "status": "PROCESSING",
        "version_id": "v1",
        "size": 10,
        "attempts": 1,
        "feed_status": "default#PROCESSING",
    }


def test_a_planned_file_is_not_begun_for_another_version(ledger: FileLedger, world: World) -> None:
    """Between its look at the record and this, another delivery planned the file: the contents have to be compared."""
    ledger.begin(attempt=1)
    ledger.record_readable(Plan(COMMAS, [], []), HERE)
    before = world.tables()
    assert not ledger_of(world, "v2").begin(attempt=2)
    assert world.tables() == before
    assert ledger.begin(attempt=2)


def test_a_rejection_is_of_its_own_version_alone(ledger: FileLedger, world: World) -> None:
    """Both versions have one ETag. The rejected one must not keep the other one from being delivered again."""
    ledger.begin(attempt=1)
    ledger_of(world, "v2").begin(attempt=1)
    ledger.reject("not utf-8")
    record = ledger.again().record
    assert (record.status, record.version_id) == ("PROCESSING", "v2")


def test_a_file_found_readable_is_no_longer_rejected(ledger: FileLedger, world: World) -> None:
    """Two deliveries under different settings: one rejects the file just before the other finds it readable."""
    for record in (
        partial(ledger.record_readable, Plan(COMMAS, [], []), HERE),
        partial(ledger.parts.record_plan, PLAN, HERE),
    ):
        world.empty()
        ledger.begin(attempt=1)
        ledger.reject("not cp1252")
        record()
        assert read(ledger) == ("PROCESSING", RowCounts(), COMMAS)
        assert "reason" not in world.file("a.csv")


def test_a_note_ends_with_the_outcome_it_is_about(ledger: FileLedger, world: World) -> None:
    files = FilesTable(world.dynamodb, world.files_table, deadline=Deadline(lambda: 10))
    for change in (
        partial(ledger.begin, attempt=1),
        partial(ledger.record_readable, Plan(COMMAS, [], []), HERE),
        partial(ledger.parts.record_plan, PLAN, HERE),
        partial(ledger.complete, RowCounts(1, 0, 1)),
        partial(ledger.reject, "not cp1252"),
    ):
        world.empty()
        ledger.begin(attempt=1)
        ledger.reject("not utf-8")
        seen = ledger.again().record
        assert files.acknowledge(seen, "me", "known").acknowledgement
        change()
        assert not [name for name in world.file("a.csv") if name.startswith("acknowledged_")]
        assert not files.acknowledge(seen, "me", "known").acknowledgement, "nobody has seen the new outcome"


def test_a_conflicting_update_is_repeated(world: World, ledger: FileLedger) -> None:
    throttle_requests(world.dynamodb, "UpdateItem", "TransactionConflictException", 2)
    ledger.begin(attempt=1)
    assert ledger.again().record.status == "PROCESSING"


PLAN = Plan(COMMAS, ["id"], [PartStart(0, 1), PartStart(5, 3)])


def test_parts_that_end_together_are_all_counted(world: World, ledger: FileLedger) -> None:
    """Each of their transactions writes to the file's record, so that all but one conflict. One part ends twice."""
    numbers = [*range(12), 11]
    ledger.begin(attempt=1)
    ledger.parts.record_plan(Plan(COMMAS, ["id"], [PartStart(number, 1) for number in range(12)]), HERE)
    conflicts = Conflicts(world.dynamodb, seconds=0.005)
    together = Barrier(len(numbers))

    def end(number: int) -> None:
        own = ledger_of(world, "v1")
        together.wait()
        own.parts.finish(PartJob(number), RowCounts(number, number, 0))

    with ThreadPoolExecutor(len(numbers)) as invocations:
        list(invocations.map(end, numbers))
    assert conflicts.refused > len(numbers)
    record = ledger.again().record
    assert record.counts == RowCounts(sum(range(12)), sum(range(12)), 0)
    assert (record.part_count, record.parts_done) == (12, 12)
    assert ledger.parts.unfinished(Phase.STORE, 12) == []


def test_a_part_of_a_complete_file_is_not_counted(ledger: FileLedger) -> None:
    ledger.begin(attempt=1)
    ledger.parts.record_plan(PLAN, HERE)
    ledger.complete(RowCounts(5, 5, 0))
    with pytest.raises(ClientError, match="TransactionCanceled"):
        ledger.parts.finish(PartJob(0), RowCounts(2, 2, 0))
    assert ledger.again().record.counts == RowCounts(5, 5, 0)
    assert ledger.parts.unfinished(Phase.STORE, 2) == [PartJob(0), PartJob(1)]


class TestIndex:
    """The uploads of a feed in one status, the latest first."""

    @pytest.fixture
    def files(self, world: World) -> FilesTable:
        return FilesTable(world.dynamodb, world.files_table, deadline=Deadline.never())

    def test_an_upload_is_listed_once_by_its_status(self, world: World, files: FilesTable) -> None:
        def listed() -> dict[str, list[str]]:
            return {
                status: [record.object_key for record in files.listed("default", status)]
                for status in ("PROCESSING", "COMPLETE", "REJECTED")
            }

        with pytest.raises(OutOfTime):
            world.deliver(begun := world.upload("begun.csv", "id\n1\n"), seconds_left=1)
        world.ingest("first.csv", "id\n1\n")
        world.ingest("bad.csv", "\0")
        world.ingest("second.csv", "id\n2\n")
        expected = {"PROCESSING": ["begun.csv"], "COMPLETE": ["second.csv", "first.csv"], "REJECTED": ["bad.csv"]}
        assert listed() == expected
        world.deliver(begun)
        assert listed() == expected | {"PROCESSING": [], "COMPLETE": ["begun.csv", "second.csv", "first.csv"]}

    def test_a_rejected_version_of_a_readable_file_is_listed(self, world: World, files: FilesTable) -> None:
        """Its upload's record is that of another version, which was planned."""
        first, second = ledger_of(world, "v1"), ledger_of(world, "v2")
        first.begin(attempt=1)
        first.record_readable(Plan(COMMAS, [], []), HERE)
        second.reject("other content")
        assert [record.version_id for record in files.listed("default", "REJECTED")] == ["v2"]
        assert [record.version_id for record in files.listed("default", "PROCESSING")] == ["v1"]

    def test_times_bound_what_is_listed(self, world: World, files: FilesTable) -> None:
        for number, key in enumerate(("a.csv", "b.csv", "c.csv"), start=1):
            world.ingest(key, f"id\n{number}\n")
            world.change_record(key, status_at=f"2026-01-0{number}")
        between = files.listed("default", "COMPLETE", since="2026-01-02", before="2026-01-03")
        assert [record.object_key for record in between] == ["b.csv"]
        before = files.last("default", "COMPLETE", before="2026-01-02")
        assert before
        assert before.object_key == "a.csv"
        assert files.last("default", "COMPLETE", before="2026-01-01") is None
