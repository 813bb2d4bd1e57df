"""What the ledger holds against deliveries that come late, or twice, or under other settings."""

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from csv_ingest.events import ObjectVersion, Task
from csv_ingest.ledger import FileRecord, Ledger, Tally
from csv_ingest.parts import Part
from csv_ingest.planning import Plan
from csv_ingest.rows import Format
from tests.unit.conftest import World
from tests.unit.faults import throttle_requests

COMMAS, SEMICOLONS = Format("id", ",", "utf-8"), Format("no", ";", "cp1252")


@pytest.fixture
def ledger(world: World) -> Ledger:
    version = ObjectVersion(world.bucket, "a.csv", "v1", "e1", 10)
    return Ledger(world.dynamodb, world.files_table, version, time_left=lambda: 10)


def test_a_file_that_was_never_seen_has_an_empty_record(ledger: Ledger) -> None:
    assert ledger.read() == FileRecord(None, None, None)


def test_how_a_file_is_read_is_what_its_first_delivery_found(ledger: Ledger) -> None:
    ledger.begin()
    assert ledger.found_readable(COMMAS) == FileRecord("PROCESSING", Tally(), COMMAS)
    ledger.checkpoint(Tally(50, 49, 1))
    assert ledger.found_readable(SEMICOLONS)[:3] == ("PROCESSING", Tally(50, 49, 1), COMMAS)
    assert ledger.read()[:3] == ("PROCESSING", Tally(50, 49, 1), COMMAS)


def test_a_late_checkpoint_does_not_take_work_back(ledger: Ledger) -> None:
    ledger.begin()
    ledger.found_readable(COMMAS)
    ledger.checkpoint(Tally(100, 100, 0))
    ledger.checkpoint(Tally(50, 50, 0))
    assert ledger.read().tally == Tally(100, 100, 0)
    ledger.checkpoint(Tally(150, 149, 1))
    assert ledger.read().tally == Tally(150, 149, 1)


def test_a_complete_file_stays_as_it_is(ledger: Ledger, world: World) -> None:
    ledger.begin()
    ledger.found_readable(COMMAS)
    ledger.complete(Tally(100, 99, 1))
    before = world.tables()
    ledger.begin()
    ledger.found_readable(SEMICOLONS)
    ledger.checkpoint(Tally(200, 200, 0))
    ledger.reject_file("too late")
    ledger.complete(Tally())
    assert world.tables() == before
    assert ledger.read()[:3] == ("COMPLETE", Tally(100, 99, 1), COMMAS)


def test_a_file_that_was_found_readable_is_not_rejected_by_a_delivery_that_read_it_otherwise(ledger: Ledger) -> None:
    ledger.begin()
    ledger.found_readable(COMMAS)
    ledger.reject_file("not cp1252")
    assert ledger.read()[:3] == ("PROCESSING", Tally(), COMMAS)


def test_a_rejected_file_can_be_begun_again_and_keeps_nothing_of_the_rejection(ledger: Ledger, world: World) -> None:
    ledger.begin()
    ledger.reject_file("not utf-8")
    assert ledger.read().status == "REJECTED"
    ledger.begin()
    assert world.file("a.csv") == {
        "object_key": "a.csv",
        "entry": "e1",
        "status": "PROCESSING",
        "version_id": "v1",
        "size": 10,
    }


def test_a_record_that_another_delivery_is_writing_is_written_after_it(ledger: Ledger) -> None:
    throttle_requests(ledger._client, "UpdateItem", "TransactionConflictException", 2)
    ledger.begin()
    assert ledger.read().status == "PROCESSING"


PLAN = Plan(COMMAS, ["id"], [Part(0, 1), Part(5, 3)])


def cancel_transactions(ledger: Ledger, *reasons: str, times: int) -> None:
    """As AWS does when another transaction has one of the items, or a condition does not hold."""
    left = iter(range(times))

    def cancel(**_: Any) -> Any:
        if next(left, None) is None:
            return None
        return SimpleNamespace(status_code=400), {
            "Error": {"Code": "TransactionCanceledException", "Message": "made up"},
            "CancellationReasons": [{"Code": reason} for reason in reasons],
            "ResponseMetadata": {},
        }

    events: Any = ledger._client.meta.events
    events.register("before-call.dynamodb.TransactWriteItems", cancel)


def test_parts_that_finish_at_the_same_time_are_both_counted(ledger: Ledger) -> None:
    ledger.begin()
    ledger.split(PLAN)
    cancel_transactions(ledger, "None", "TransactionConflict", times=2)
    ledger.finish(Task(0), Tally(2, 2, 0))
    ledger.finish(Task(1), Tally(3, 2, 1))
    ledger.finish(Task(1), Tally(3, 2, 1))
    assert ledger.read()[1:5] == (Tally(5, 4, 1), COMMAS, 2, 2)
    assert ledger.unfinished([Task(0), Task(1)]) == []


def test_a_part_of_a_file_that_is_complete_or_opened_again_is_not_counted(ledger: Ledger) -> None:
    ledger.begin()
    ledger.split(PLAN)
    ledger.complete(Tally(5, 5, 0))
    with pytest.raises(ClientError, match="TransactionCanceled"):
        ledger.finish(Task(0), Tally(2, 2, 0))
    assert ledger.read().tally == Tally(5, 5, 0)
    assert ledger.unfinished([Task(0), Task(1)]) == [Task(0), Task(1)]
