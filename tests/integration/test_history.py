"""`history` lists the uploads of a time, found by the index of the ledger."""

from typing import Any

import pytest

from csv_ingest.model import OutOfTime
from ops import history
from ops.pipeline import Pipeline
from tests.integration.commands import invoke, reported, run, shown_on_a_terminal
from tests.integration.world import World

pytestmark = pytest.mark.usefixtures("commanded")


def begin(world: World, key: str) -> None:
    """Have a delivery of a file run out of time."""
    with pytest.raises(OutOfTime):
        world.deliver(world.upload(key, "id\n1\n"), seconds_left=1)


def listed(*arguments: str) -> list[str]:
    return [each["object_key"] for each in reported("history", *arguments, code=0)]


def test_uploads_of_every_status_come_latest_first(world: World) -> None:
    world.ingest("good.csv", "id,name\n1,x\n,y\n")
    world.ingest("bad.csv", "\0")
    begin(world, "begun.csv")
    found = reported("history", code=0)
    assert [(each["object_key"], each["status"]) for each in found] == [
        ("begun.csv", "PROCESSING"),
        ("bad.csv", "REJECTED"),
        ("good.csv", "COMPLETE"),
    ]
    assert [found[2][name] for name in ("rows_read", "rows_stored", "rows_rejected")] == [2, 1, 1]
    assert {each["feed"] for each in found} == {"default"}


def test_seconds_are_from_the_upload_to_the_outcome(world: World) -> None:
    world.ingest("a.csv", "id\n1\n")
    world.change_record("a.csv", uploaded_at="2026-11-28T10:00:00+00:00", settled_at="2026-11-28T10:20:34.567+00:00")
    assert reported("history", code=0)[0]["seconds"] == 1234.567
    header, key, numbers, about = run("history", code=0).splitlines()
    assert (key, about) == ("a.csv", "  uploaded 2026-11-28 10:00:00")
    assert numbers[header.index("settled") :].startswith("2026-11-28 10:20:34 ")
    for heading, number in (("seconds", "1,234.6"), ("read", "1"), ("rejected", "0")):
        assert numbers[: header.index(heading) + len(heading)].endswith(f" {number}")
    assert max(len(header), len(numbers)) <= 80


def test_an_upload_under_way_says_since_when(world: World) -> None:
    begin(world, "a.csv")
    output = run("history", code=0)
    assert "  PROCESSING\n" in output
    assert "last delivered 20" in output
    assert "the last delivery that failed: out of time" in output
    assert reported("history", code=0)[0]["seconds"] is None


def test_reasons_and_acknowledgements_are_shown(world: World) -> None:
    world.ingest("a.csv", "\0")
    run("acknowledge", "a.csv", "--reason", "sent by mistake", code=0)
    output = run("history", code=0)
    assert "  line 1 has a NUL byte" in output
    assert ": sent by mistake" in output


def test_what_is_taken_back_is_not_complete(world: World, pipeline: Pipeline) -> None:
    world.ingest("a.csv", "id\n1\n")
    [record] = pipeline.files.listed("default", "COMPLETE")
    pipeline.files.erasures.mark("a.csv", record.upload, "forget")
    assert reported("history", code=0)[0]["status"] == "ERASING"
    output = run("history", code=0)
    assert "forget has begun" in output
    assert "COMPLETE" not in output


def test_prefix_since_and_limit_choose_uploads(world: World) -> None:
    for number, key in enumerate(("a/1.csv", "b/1.csv", "a/2.csv")):
        world.ingest(key, f"id\n{number}\n")
    assert listed() == ["a/2.csv", "b/1.csv", "a/1.csv"]
    assert listed("--prefix", "a/") == ["a/2.csv", "a/1.csv"]
    assert listed("--since", "0m") == []
    limited = invoke("history", "--limit", "2", code=0)
    assert "a/1.csv" not in limited.stdout
    assert limited.stderr.endswith("There are more: --limit 20\n")
    world.change_record("b/1.csv", status_at="2026-01-01T00:00:00.000+00:00")
    assert listed() == ["a/2.csv", "a/1.csv"]
    assert listed("--since", "2026-01-01") == ["a/2.csv", "a/1.csv", "b/1.csv"]
    assert "No upload was settled or is under way since 20" in run("history", "--since", "0m", code=0)


def test_one_feed_can_be_chosen(world: World) -> None:
    world.add_feed("stock", "stock/")
    world.ingest("orders/a.csv", "id\n1\n")
    world.ingest("stock/a.csv", "\0")
    pipeline = world.pipeline()
    found = list(history.uploads(pipeline, pipeline.feeds, since=None))
    assert [(record.object_key, record.feed) for record in found] == [
        ("stock/a.csv", "stock"),
        ("orders/a.csv", "default"),
    ]
    [only] = history.uploads(pipeline, [pipeline.feed_named("stock")], since=None)
    assert only.object_key == "stock/a.csv"


def test_only_records_that_are_listed_are_read(world: World, pipeline: Pipeline) -> None:
    for number in range(5):
        world.ingest(f"{number}.csv", f"id\n{number}\n")
    requests: list[tuple[str, int]] = []

    def note(operation: str) -> Any:
        def count(params: dict[str, Any], **_: Any) -> None:
            keys = params.get("RequestItems", {}).get(world.files_table, {}).get("Keys", [])
            requests.append((operation, len(keys)))

        return count

    for operation in ("Scan", "Query", "BatchGetItem"):
        pipeline.clients.dynamodb.meta.events.register(f"provide-client-params.dynamodb.{operation}", note(operation))
    assert len(list(history.uploads(pipeline, pipeline.feeds, since=None, limit=2))) == 2
    assert sorted(requests) == [("BatchGetItem", 2), ("Query", 0), ("Query", 0), ("Query", 0)]


def test_more_uploads_than_a_request_has_come_in_order(world: World, pipeline: Pipeline) -> None:
    world.ingest("0.csv", "id\n1\n")
    [item] = world.dynamodb.query(
        TableName=world.files_table,
        KeyConditionExpression="object_key = :key",
        ExpressionAttributeValues={":key": {"S": "0.csv"}},
    )["Items"]
    for number in range(1, 250):
        at = {"S": f"2026-01-01T00:{number // 60:02}:{number % 60:02}.000+00:00"}
        other = item | {"object_key": {"S": f"{number}.csv"}, "status_at": at}
        world.dynamodb.put_item(TableName=world.files_table, Item=other)
    found = [record.object_key for record in history.uploads(pipeline, pipeline.feeds, since=None)]
    assert found == ["0.csv", *(f"{number}.csv" for number in range(249, 0, -1))]


def test_a_status_has_a_colour_on_a_terminal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, content in (("bad.csv", "\0"), ("rows.csv", "id,name\n,x\n"), ("good.csv", "id\n1\n")):
        world.ingest(key, content)
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = shown_on_a_terminal(monkeypatch, "history")
    for code, status in ((31, "REJECTED"), (33, "COMPLETE"), (32, "COMPLETE")):
        assert f"\x1b[{code}m{status}\x1b[0m" in shown
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shown_on_a_terminal(monkeypatch, "history")
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b" not in run("history", code=0)


def test_a_key_cannot_steer_the_terminal(world: World) -> None:
    world.ingest("\x9b31m\u202e.csv", "\0")
    for json_ in ([], ["--json"]):
        assert run("history", *json_, code=0).replace("\n", "").isprintable()
