"""`status` shows enough of each upload to know what to do next."""

import shlex

import pytest

from csv_ingest import clients
from csv_ingest.model import OutOfTime
from ops.failure import NO_REASON
from tests.integration.commands import fail, invoke, reported, run
from tests.integration.faults import Calls, Killed
from tests.integration.world import Invocations, World, version_of

pytestmark = pytest.mark.usefixtures("commanded")


def test_nothing_to_show_is_a_sentence(world: World) -> None:
    world.deliver(world.upload("a.csv", "id\n1\n"))
    assert run("status", code=0) == "Every upload is complete, and no row was rejected.\n"
    assert reported("status", code=0) == []


@pytest.mark.parametrize("key", ["incoming/" + "2026-11-25/" * 12 + "orders.csv", "[red]x[/b] :smile:.csv"])
def test_a_key_is_a_line_and_never_cut(world: World, key: str) -> None:
    world.deliver(world.upload(key, "\0"))
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
    world.deliver(world.upload("a.csv", "id,name\n" + "".join(f"{n},a\n" for n in range(1_200)) + ",b\n"))
    header, _, numbers = run("status", code=1).splitlines()[:3]
    for heading, number in (("read", "1,201"), ("stored", "1,200"), ("rejected", "1")):
        assert numbers[: header.index(heading) + len(heading)].endswith(f" {number}")
    assert max(len(header), len(numbers)) <= 80


def test_rows_of_unfinished_parts_are_counted(world: World) -> None:
    queue = Invocations(clients.lambda_())
    world = world.tuned(block_bytes=64, part_lines=400, whole_parts=1, checkpoint_rows=25)
    world.deliver(world.upload("a.csv", "id\n" + "".join(f"{n}\n" for n in range(1_000))))
    calls = Calls(world.dynamodb)
    calls.die_before = 12
    with pytest.raises(Killed):
        world.deliver(queue.events[0])
    calls.die_before = None
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
    assert "python -m ops redrive --prefix a.csv" in output
    assert reported("status", "a.csv", code=1)[0]["failure"]["condition"] == "RetriesExhausted"
    assert len(world.failures()) == 1, "a look leaves the message in the queue"


def test_an_upload_without_a_delivery_is_shown(world: World, invocations: Invocations) -> None:
    version = version_of(world.upload("a.csv", "id\n1\n"))
    invocations.reserved = 0
    done = invoke("status", "a.csv", code=1)
    assert "no record" in done.stdout
    assert "The pipeline is paused. To end the pause: python -m ops resume" in done.stderr
    assert reported("status", code=1) == [{"object_key": "a.csv", "entry": version.etag, "size": 5}]


def test_what_is_no_upload_is_named_with_the_reason() -> None:
    assert "b.csv: there is no such upload" in invoke("status", "b.csv", code=1).stderr
    reason = "the feed default takes .csv and .csv.gz, and this ends in .txt"
    unknown = f"b.txt: there is no such object, and no feed takes such keys: {reason}"
    assert unknown in invoke("status", "b.txt", code=1).stderr
    assert r"'\udcff'" in invoke("status", "\udcff.csv", code=1).stderr


def test_commands_to_run_next_take_any_key(world: World) -> None:
    world.deliver(world.upload("-a b.csv", "id\n1\n''\n1\n,\n"))
    [command] = [line for line in run("status", code=1).splitlines() if "next: " in line]
    [*words] = shlex.split(command.partition("python -m ops ")[2])
    assert run(*words, code=0).startswith("line ")
    advice = invoke(*words, code=0).stderr.partition("python -m ops ")[2]
    assert invoke(*shlex.split(advice), code=0).stdout.startswith("id\n")


def test_a_key_cannot_steer_the_terminal(world: World) -> None:
    # No key with an escape: MiniStack cannot list it, unlike S3.
    key, shown = "\u202e\x9b31m\u2028\u200b.csv", r"\u202e\u009b31m\u2028\u200b.csv"
    world.deliver(world.upload(key, "\0"))
    fail(world, {"source": "aws.events"}, reason="\x1b[31m", condition="\x07", name="sweep")
    for arguments, code in ((["status"], 1), (["status", key], 1), (["redrive", "--dry-run"], 0)):
        for json_ in ([], ["--json"]):
            output = run(*arguments, *json_, code=code)
            assert output.replace("\n", "").isprintable()
            assert shown in output
    assert [each["object_key"] for each in reported("status", code=1)] == [key]
    assert {each["reason"] for each in reported("redrive", "--dry-run", code=0)} >= {"\x1b[31m"}
    assert r"\u009b.csv: there is no such upload" in invoke("rejects", "\x9b.csv", code=1).stderr
