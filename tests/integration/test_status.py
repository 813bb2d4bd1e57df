"""`status` shows enough of each upload to know what to do next."""

import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from csv_ingest import clients
from csv_ingest.failure import NO_REASON
from csv_ingest.model import OutOfTime
from ops.pipeline import Pipeline
from tests.integration.commands import fail, invoke, reported, run, shown_on_a_terminal
from tests.integration.faults import Calls, Killed
from tests.integration.invoking import Invocations, version_of
from tests.integration.sweeping import listed
from tests.integration.world import World

pytestmark = pytest.mark.usefixtures("commanded")


def test_nothing_to_show_is_a_sentence(world: World) -> None:
    world.ingest("a.csv", "id\n1\n")
    assert run("status", code=0) == "Every upload is complete, and no row was rejected.\n"
    assert reported("status", code=0) == []


def test_what_was_there_before_the_feed_is_counted(world: World, commanded: Pipeline) -> None:
    """Nobody said that it should be ingested. `audit` does not miss its rows either."""
    listed(commanded.clients.s3, age={"old": timedelta(days=100)})
    for key in ("old.csv", "older.csv"):
        world.upload(key, "id\n1\n")
    world.ingest("a.csv", "id\n2\n")
    shown = invoke("status", code=0)
    assert shown.stdout == "Every upload is complete, and no row was rejected.\n"
    said = "2 uploads from before the feed was deployed, which `csv-ingest backfill --prefix PREFIX` delivers"
    assert shown.stderr.splitlines()[-1] == f"Not listed: {said}."
    assert f"not compared: {said}" in run("audit", code=0)
    assert reported("audit", code=0)["earlier"] == 2
    with pytest.raises(OutOfTime):
        world.deliver(world.upload("old, begun.csv", "id\n3\n"), seconds_left=1)
    assert [each["object_key"] for each in reported("status", code=1)] == ["old, begun.csv"]


@pytest.mark.parametrize("key", ["incoming/" + "2026-11-25/" * 12 + "orders.csv", "[red]x[/b] :smile:.csv"])
def test_a_key_is_a_line_and_never_cut(world: World, key: str) -> None:
    world.ingest(key, "\0")
    assert key in run("status", code=1).splitlines()
    assert key in run("status", key, code=1).splitlines()


def test_two_uploads_of_one_key_are_told_apart(world: World) -> None:
    first, second = (version_of(world.upload("a.csv", f"id,name\n1,{name}\n,{name}\n")) for name in "xy")
    for version in (first, second):
        lines = run("status", "a.csv", code=1)
        assert f"etag {version.etag}" in lines
        assert f"{version.size} bytes" in lines
    assert [each["entry"] for each in reported("status", "a.csv", code=1)] == [second.etag, first.etag]


def test_numbers_stand_under_their_headings(world: World) -> None:
    world.ingest("a.csv", "id,name\n" + "".join(f"{n},a\n" for n in range(1_200)) + ",b\n")
    header, _, numbers = run("status", code=1).splitlines()[:3]
    for heading, number in (("read", "1,201"), ("stored", "1,200"), ("rejected", "1")):
        assert numbers[: header.index(heading) + len(heading)].endswith(f" {number}")
    assert max(len(header), len(numbers)) <= 80


def test_rows_of_unfinished_parts_are_counted(world: World) -> None:
    queue = Invocations(clients.lambda_())
    world = world.tuned(block_bytes=64, part_lines=400, whole_parts=1, checkpoint_rows=25)
    world.ingest("a.csv", "id\n" + "".join(f"{n}\n" for n in range(1_000)))
    with pytest.raises(Killed), Calls(world.dynamodb).fault("die_before", 12):
        world.deliver(queue.events[0])
    [record] = reported("status", "a.csv", code=1)
    done, _, rows = record["progress"].partition(", ")
    assert done == "0 of 3 parts done"
    assert rows in {f"{count} rows so far" for count in range(25, 400, 25)}


def test_an_unsettled_file_is_found_in_the_failure_queue(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n")
    with pytest.raises(OutOfTime):
        world.deliver(event, seconds_left=1)
    fail(world, event, reason="")
    output = run("status", code=1)
    assert "in the failure queue since 20" in output
    assert NO_REASON in output
    assert "csv-ingest redrive --prefix a.csv" in output
    assert reported("status", "a.csv", code=1)[0]["failure"]["condition"] == "RetriesExhausted"
    assert len(world.failures()) == 1, "a look leaves the message in the queue"


def test_an_upload_without_a_delivery_is_shown(world: World, invocations: Invocations) -> None:
    version = version_of(world.upload("a.csv", "id\n1\n"))
    invocations.reserved = 0
    done = invoke("status", "a.csv", code=1)
    assert "no record" in done.stdout
    assert "The pipeline is paused. To end the pause: csv-ingest resume" in done.stderr
    assert reported("status", code=1) == [{"object_key": "a.csv", "entry": version.etag, "size": 5}]


def test_what_is_no_upload_is_named_with_the_reason() -> None:
    assert "b.csv: there is no such upload" in invoke("status", "b.csv", code=1).stderr
    reason = "the feed default takes .csv and .csv.gz, and this ends in .txt"
    unknown = f"b.txt: there is no such object, and no feed takes such keys: {reason}"
    assert unknown in invoke("status", "b.txt", code=1).stderr
    assert r"'\udcff'" in invoke("status", "\udcff.csv", code=1).stderr


def test_commands_to_run_next_take_any_key(world: World) -> None:
    world.ingest("-a b.csv", "id\n1\n''\n1\nx,y\n")
    [command] = [line for line in run("status", code=1).splitlines() if "next: " in line]
    [*words] = shlex.split(command.partition("csv-ingest ")[2])
    assert run(*words, code=0).startswith("line ")
    advice = invoke(*words, code=0).stderr.partition("csv-ingest ")[2]
    assert invoke(*shlex.split(advice), code=0).stdout.startswith("id\n")


def test_a_key_cannot_steer_the_terminal(world: World) -> None:
    # No key with an escape: MiniStack cannot list it, unlike S3.
    key, shown = "\u202e\x9b31m\u2028\u200b.csv", r"\u202e\u009b31m\u2028\u200b.csv"
    world.ingest(key, "\0")
    fail(world, {"source": "aws.events"}, reason="\x1b[31m", condition="\x07", name="sweep")
    for arguments, code in ((["status"], 1), (["status", key], 1), (["redrive", "--dry-run"], 1)):
        for json_ in ([], ["--json"]):
            output = run(*arguments, *json_, code=code)
            assert output.replace("\n", "").isprintable()
            assert shown in output
    assert [each["object_key"] for each in reported("status", code=1)] == [key]
    assert {each["reason"] for each in reported("redrive", "--dry-run", code=1)} >= {"\x1b[31m"}
    assert r"\u009b.csv: there is no such upload" in invoke("rejects", "\x9b.csv", code=1).stderr


def test_only_recent_changes_are_listed(world: World) -> None:
    world.ingest("a.csv", "\0")
    yesterday, soon = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(hours=1)
    for since in ("90m", "12h", "7d", "2w", f"{yesterday:%Y-%m-%d}", "2026-01-01T00:00Z", "2026-01-01T00:00+05:00"):
        assert [each["object_key"] for each in reported("status", "--since", since, code=1)] == ["a.csv"]
    for since in ("0m", f"{soon:%Y-%m-%dT%H:%M}"):
        assert reported("status", "--since", since, code=0) == []
    assert "Every upload that changed since 20" in run("status", "--since", "0m", code=0)


def test_what_is_no_time_is_refused() -> None:
    for since in ("yesterday", "7", "d", "-1d", "\u0667d", "9" * 99 + "w", "2026-13-01", "9999-12-31T23:00-05:00"):
        assert "give one such as 7d" in invoke("status", f"--since={since}", code=2).stderr
    invoke("status", "a.csv", "--since", "7d", code=2)


def deleted_for_good(world: World, key: str, version_id: str) -> None:
    world.s3.delete_object(Bucket=world.bucket, Key=key, VersionId=version_id)


def behind_a_marker(world: World, key: str, _version_id: str) -> None:
    world.s3.delete_object(Bucket=world.bucket, Key=key)


@pytest.mark.parametrize("delete", [deleted_for_good, behind_a_marker])
def test_every_verb_says_that_an_object_is_gone(world: World, delete: Callable[[World, str, str], None]) -> None:
    version = version_of(event := world.upload("a.csv", "id,name\n1,x\n,y\n"))
    world.upload("a.csv.csv", "id\n")  # is there, and its key begins with the other one
    world.deliver(event)
    delete(world, "a.csv", version.version_id)
    gone = "the object was deleted from the bucket, or has expired there; the ledger remembers it"
    done = invoke("status", "a.csv", code=1)
    assert f"  {gone}" in done.stdout.splitlines()
    ways = [line.strip() for line in done.stdout.splitlines() if "csv-ingest" in line]
    assert ways == ["next: csv-ingest acknowledge --reason ... a.csv", "or: csv-ingest forget a.csv"]
    for verb, code in (("rejects", 0), ("rows", None), ("reload", 1)):
        assert f"a.csv: {gone}" in invoke(verb, "a.csv", code=code).stderr
    assert gone in run("acknowledge", "a.csv", "--reason", "deleted", code=0)


def test_rejects_of_a_gone_file_are_one_sentence(world: World) -> None:
    world.delete_object(world.ingest("a.csv", "id,name\n,y\n"))
    assert "is not in the bucket any more" in invoke("rejects", "a.csv", "--csv", code=1).stderr


def test_while_paused_the_next_step_is_to_resume(world: World, invocations: Invocations) -> None:
    fail(world, world.upload("a.csv", "id\n1\n"), reason="", condition="ZeroReservedConcurrency")
    invocations.reserved = 0
    assert "next: csv-ingest resume" in run("status", code=1)
    invocations.reserved = None
    assert "next: csv-ingest redrive --prefix a.csv" in run("status", code=1)


def test_a_reason_is_told_once(world: World) -> None:
    event = world.upload("a.csv", "id\n1\n")
    with pytest.raises(OutOfTime) as error:
        world.deliver(event, seconds_left=1)
    reason = str(error.value)
    assert f"the last delivery that failed: {reason}" in run("status", code=1)
    fail(world, event, reason=f"An error occurred: {reason}")
    output = run("status", code=1)
    assert output.count(reason) == 1
    assert "the last delivery that failed" not in output


def test_a_status_has_a_colour_on_a_terminal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, content in (("bad.csv", "\0"), ("rows.csv", "id,name\n,x\n"), ("good.csv", "id\n1\n")):
        world.ingest(key, content)

    def coloured(*arguments: str) -> bool:
        return "\x1b[" in shown_on_a_terminal(monkeypatch, *arguments)

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31mREJECTED\x1b[0m" in (shown := shown_on_a_terminal(monkeypatch, "status"))
    assert "\x1b[33mCOMPLETE\x1b[0m" in shown
    assert "\x1b[32mCOMPLETE\x1b[0m" in shown_on_a_terminal(monkeypatch, "status", "good.csv")
    assert not coloured("status", "--json")
    assert "\x1b" not in run("status", code=1)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured("status")
