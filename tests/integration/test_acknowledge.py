"""What somebody knows of is on no list any more, until something else becomes of it."""

import pytest

from csv_ingest.model import OutOfTime, RowCounts
from csv_ingest.modes import APPEND
from ops.pipeline import Pipeline
from tests.integration.commands import fail, invoke, reported, run
from tests.integration.invoking import version_of
from tests.integration.settings import set_feed
from tests.integration.world import World

pytestmark = pytest.mark.usefixtures("commanded")

BAD_FILE, BAD_ROW, GOOD = "\0", "id,name\n,x\n", "id\n1\n"


def known(key: str, *, code: int = 0) -> str:
    """Acknowledge a key; what is said beside the result."""
    return invoke("acknowledge", key, "--reason", "sent by mistake", code=code).stderr


def listed(*keys: str) -> bool:
    """Whether `status` lists these keys and no others."""
    return [each["object_key"] for each in reported("status", code=1 if keys else 0)] == [*keys]


@pytest.mark.parametrize("content", [BAD_FILE, BAD_ROW])
def test_an_acknowledged_upload_is_listed_no_more(world: World, content: str) -> None:
    world.ingest("a.csv", content)
    assert listed("a.csv")
    known("a.csv")
    assert "is complete, and no row was rejected, except for what was acknowledged: 1 upload." in run("status", code=0)
    assert listed()
    [record] = reported("status", "a.csv", code=0)
    caller = record["acknowledged_by"]
    assert caller.startswith("arn:aws:")
    assert record["acknowledged_at"] >= record["settled_at"]
    shown = run("status", "a.csv", code=0)
    assert f" by {caller}: sent by mistake" in shown
    assert "next: " not in shown


def test_only_messages_of_the_acknowledged_upload_are_deleted(world: World) -> None:
    for key in ("a.csv", "a.csv.csv"):
        world.ingest(key, BAD_FILE)
    several = world.upload("b.csv", GOOD)
    several["Records"] += world.upload("a.csv", GOOD)["Records"]
    fail(world, several)
    fail(world, {"source": "aws.events"}, name="sweep")
    assert "1 message deleted from the failure queue" in known("a.csv", code=1), "its newer upload is not settled"
    assert len(world.failures()) == 3


def test_repeating_changes_no_note_and_deletes_what_was_left(world: World) -> None:
    event = world.ingest("a.csv", BAD_FILE)
    known("a.csv")
    before = world.file("a.csv")
    invoke("acknowledge", "a.csv", "--reason", "another one", code=0)
    assert world.file("a.csv") == before
    fail(world, event)
    assert "0 messages deleted" in known("a.csv"), "it came after the note: somebody has to look"
    assert len(world.failures()) == 1


@pytest.mark.parametrize(("world", "content"), [("dynamodb", "\0\0"), ("merge", BAD_FILE)], indirect=["world"])
def test_a_new_upload_is_a_new_case(world: World, content: str) -> None:
    world.ingest("a.csv", BAD_FILE)
    known("a.csv")
    world.ingest("a.csv", content)
    [record] = reported("status", code=1)
    assert "acknowledged_at" not in record
    assert listed("a.csv")
    known("a.csv")
    assert listed()


def test_another_outcome_is_a_new_case(world: World, pipeline: Pipeline) -> None:
    event = world.ingest("a.csv", BAD_ROW.replace("x", "é").encode("cp1252"))
    known("a.csv")
    set_feed(encoding="cp1252")
    world.deliver(event)
    assert world.file("a.csv")["status"] == "COMPLETE"
    assert listed("a.csv")
    known("a.csv")
    pipeline.files.repairs.correct_counts("a.csv", version_of(event).etag, RowCounts(2, 0, 2), APPEND)
    assert listed("a.csv")


def test_an_unsettled_upload_cannot_be_acknowledged(world: World) -> None:
    event = world.upload("a.csv", GOOD)
    assert "csv-ingest status a.csv says what it waits for" in known("a.csv", code=1)
    with pytest.raises(OutOfTime):
        world.deliver(event, seconds_left=1)
    fail(world, event)
    assert "not settled, and cannot be acknowledged" in known("a.csv", code=1)
    assert len(world.failures()) == 1


def test_what_needs_no_note_gets_none(world: World) -> None:
    world.ingest("a.csv", GOOD)
    assert "a.csv: it is complete, and no row was rejected: there is nothing to acknowledge" in known("a.csv", code=1)
    assert "b.csv: there is no such upload" in known("b.csv", code=1)
    assert "--reason" in invoke("acknowledge", "a.csv", "--reason", "...", code=2).stderr
    invoke("acknowledge", "a.csv", code=2)
