"""Files that cannot be read, and files that are read under other settings."""

import gzip
import json
from contextlib import suppress

import pytest
from botocore.exceptions import ClientError

from tests.integration.faults import Calls, Killed, between_calls
from tests.integration.invoking import version_of
from tests.integration.settings import set_feed
from tests.integration.world import World

BROKEN = {
    "encoding": (b"id\n1\n\xff", "byte 5 (0xff) on line 3 is not utf-8"),
    "header": (b"key,name\n1,a\n", "header: no column is named 'id'; the columns are 'key', 'name'"),
    "quote": (b"id\n" + b"1\n" * 100 + b'"2', "the record that starts on line 102: unexpected end of data"),
    "NUL": (b"id\n1\n2\0\n", "line 3 has a NUL byte"),
    "gzip": (gzip.compress(b"id\n1\n")[:-4], "not a whole gzip file"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_an_unreadable_file_is_rejected_and_stores_no_row(world: World, kind: str) -> None:
    content, reason = BROKEN[kind]
    event = world.ingest("a.csv.gz" if kind == "gzip" else "a.csv", content)
    record = world.file(version_of(event).key)
    assert record["status"] == "REJECTED"
    assert record["reason"].startswith(reason)
    assert world.rows() == {}
    [failure] = world.failures()
    assert failure["requestContext"]["condition"] == "Rejected"
    assert failure["requestContext"]["requestId"] == "request-1"
    assert failure["requestPayload"] == event
    assert failure["responsePayload"]["errorMessage"] == record["reason"]


def test_a_rejection_is_announced_before_it_is_recorded(world: World) -> None:
    event = world.upload("a.csv", "\0")
    calls = Calls(world.s3, world.dynamodb, world.sqs)
    world.deliver(event)
    for number in calls.numbers("die_after"):
        world.empty()
        with pytest.raises(Killed), calls.fault("die_after", number):
            world.deliver(event)
        statuses = [record.get("status") for record in world.tables()[1].values()]
        if {"S": "REJECTED"} in statuses:
            assert world.failures()


def test_a_rejected_file_is_ingested_under_corrected_settings(world: World) -> None:
    event = world.ingest("a.csv", "id;name\n1;Müller\n2;x\n".encode("cp1252"))
    assert world.file("a.csv")["status"] == "REJECTED"
    set_feed(encoding="cp1252", delimiter=";")
    world.deliver(event)
    record = world.file("a.csv")
    assert (record["status"], record["rows_stored"]) == ("COMPLETE", 2)
    assert "reason" not in record
    assert json.loads(world.rows()["1"]) == {"id": "1", "name": "Müller"}


def test_changed_settings_do_not_affect_a_file_in_progress(world: World) -> None:
    event = world.upload("a.csv", "id,name\n" + "".join(f"{n},é\n" for n in range(200)))
    with pytest.raises(Killed), Calls(world.dynamodb).fault("die_after", 8):
        world.deliver(event)
    assert 0 < len(world.rows()) < 200
    set_feed(encoding="cp1252", id_column="name")
    world.deliver(event)
    assert {json.loads(data)["name"] for data in world.rows().values()} == {"é"}
    assert world.file("a.csv")["rows_stored"] == len(world.rows()) == 200


def test_overlapping_deliveries_with_different_settings_read_one_way(world: World) -> None:
    """A deployment in the middle: the first has found the file readable as UTF-8 and has yet to say so."""
    event = world.upload("a.csv", "id,name\n" + "".join(f"{n},é\n" for n in range(200)))
    calls = Calls(world.s3, world.dynamodb)

    def overtake() -> None:
        set_feed(encoding="cp1252")
        with suppress(Killed), calls.fault("die_after", 7):
            world.deliver(event)
        assert 0 < len(world.rows()) < 200

    with between_calls(3, overtake, world.s3, world.dynamodb):
        world.deliver(event)
    assert {json.loads(data)["name"] for data in world.rows().values()} == {"é".encode().decode("cp1252")}
    assert (world.file("a.csv")["rows_stored"], world.file("a.csv")["rows_rejected"]) == (200, 0)


def test_a_rejection_that_cannot_be_sent_is_an_error(world: World, caplog: pytest.LogCaptureFixture) -> None:
    event = world.upload("a.csv", "id\n1\n\0")
    with pytest.raises(ClientError), Calls(world.sqs).fault("fail_at", 1):
        world.deliver(event)
    assert caplog.messages == ["failed"]
    assert world.file("a.csv")["last_error"] == "SendMessage answered AccessDenied"
