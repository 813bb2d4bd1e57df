"""The failure queue is looked through once, and nothing that is in it gets lost."""

import json
import time
from itertools import pairwise

import pytest

from csv_ingest.events import object_version, upload_event
from csv_ingest.failure import NO_REASON
from csv_ingest.model import PartJob, Phase
from ops.failures import failures, put_back
from ops.pipeline import Pipeline
from tests.integration.commands import fail, invoke, reported, run
from tests.integration.invoking import Invocations, version_of
from tests.integration.world import World

pytestmark = pytest.mark.usefixtures("commanded")


@pytest.fixture
def rejected(world: World) -> list[str]:
    """Five files whose messages are in the failure queue."""
    keys = [f"{number} [/b].csv" for number in range(5)]
    for key in keys:
        world.ingest(key, "\0")
    return keys


def keys_in(pipeline: Pipeline) -> list[str]:
    """What is in the queue, and stays there."""
    found = list(failures(pipeline))
    for failure in found:
        put_back(pipeline, failure)
    return sorted(key for failure in found for key in failure.keys)


def test_every_message_is_seen_once_however_long_it_takes(pipeline: Pipeline, rejected: list[str]) -> None:
    found = failures(pipeline, hide_seconds=0)  # as if five minutes had passed after each look
    assert sorted(key for failure in found for key in failure.keys) == rejected


def test_redrive_delivers_the_events_and_deletes_the_messages(
    pipeline: Pipeline, rejected: list[str], invocations: Invocations
) -> None:
    run("redrive", "--json", code=0)
    assert invocations.keys() == rejected
    assert keys_in(pipeline) == []


def test_what_eventbridge_could_not_deliver_is_redriven(
    world: World, pipeline: Pipeline, invocations: Invocations
) -> None:
    """Its dead-letter queue gets the event alone, in a form of its own."""
    version = version_of(world.upload("a b.csv", "id\n1\n"))
    described = {"key": version.key, "size": version.size, "etag": version.etag, "version-id": version.version_id}
    detail = {"bucket": {"name": world.bucket}, "object": described}
    event = {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}
    world.sqs.send_message(QueueUrl=world.failure_queue, MessageBody=json.dumps(event))
    [listed] = reported("redrive", "--dry-run", "--only", "NotInvoked", code=1)
    assert (listed["keys"], listed["condition"]) == ("a b.csv", "NotInvoked")
    invocations.at_once = world.deliver
    run("redrive", code=0)
    assert world.file("a b.csv")["status"] == "COMPLETE"
    assert keys_in(pipeline) == []


def test_events_that_fail_again_are_not_redriven_for_ever(
    world: World, pipeline: Pipeline, rejected: list[str], invocations: Invocations
) -> None:
    invocations.at_once = world.deliver
    run("redrive", code=0)
    assert invocations.keys() == rejected
    assert keys_in(pipeline) == rejected


@pytest.mark.parametrize("option", ["--prefix", "--key-prefix"])
def test_only_messages_of_the_prefix_are_delivered(
    pipeline: Pipeline, rejected: list[str], invocations: Invocations, option: str
) -> None:
    run("redrive", option, "3", code=0)
    assert invocations.keys() == ["3 [/b].csv"]
    assert keys_in(pipeline) == [key for key in rejected if key != "3 [/b].csv"]


def test_an_undeliverable_message_does_not_hold_up_others(
    pipeline: Pipeline, rejected: list[str], invocations: Invocations
) -> None:
    invocations.refuse = "2 [/b].csv"
    report = reported("redrive", code=1)
    assert {each["keys"]: each["action"].partition(":")[0] for each in report} == {
        key: "failed" if key == invocations.refuse else "delivered" for key in rejected
    }
    assert keys_in(pipeline) == [invocations.refuse]


def test_events_that_lambda_does_not_take_are_kept(
    pipeline: Pipeline, rejected: list[str], invocations: Invocations
) -> None:
    invocations.status = 200
    report = reported("redrive", code=1)
    assert {each["action"] for each in report} == {"failed: Lambda answered 200 to an event, expected 202"}
    assert keys_in(pipeline) == rejected


def test_a_message_that_is_no_record_is_kept(world: World, pipeline: Pipeline) -> None:
    world.sqs.send_message(QueueUrl=world.failure_queue, MessageBody="hello")
    assert "not a failure record" in run("redrive", code=1)
    assert [failure.condition for failure in failures(pipeline)] == ["unreadable"]


def test_messages_are_discarded_by_prefix_only(
    pipeline: Pipeline, rejected: list[str], invocations: Invocations
) -> None:
    run("redrive", "--discard", code=2)
    assert keys_in(pipeline) == rejected
    run("redrive", "--discard", "--prefix", "3", "--dry-run", code=1)
    assert keys_in(pipeline) == rejected
    run("redrive", "--discard", "--prefix", "3", code=0)
    assert len(keys_in(pipeline)) == 4
    assert invocations.events == []


def test_an_event_of_the_sweep_returns_to_the_sweep(world: World, pipeline: Pipeline, invocations: Invocations) -> None:
    fail(world, {"source": "aws.events"}, name="sweep")
    world.ingest("a.csv", "\0")
    run("redrive", code=0)
    assert sorted(invocations.functions) == [pipeline.feeds[0].function, "sweep"]
    assert [object_version(e["Records"][0]).key for e in invocations.events if "Records" in e] == ["a.csv"]


def test_a_function_outside_the_stack_is_never_invoked(world: World, invocations: Invocations) -> None:
    fail(world, {"source": "aws.events"}, name="payroll")
    for arguments, code in ((["--dry-run"], 1), ([], 1), ([], 1)):
        assert "kept: payroll is not a function of the stack none" in run("redrive", *arguments, code=code)
    assert invocations.events == []


def test_messages_of_one_file_are_shown_together(world: World) -> None:
    version = version_of(world.upload("large.csv", "id\n1\n"))
    for job in (PartJob(7, Phase.CHECK), PartJob(7), PartJob(3), PartJob(12)):
        fail(world, upload_event(version, job), reason="")
    fail(world, upload_event(version), reason="out of time")
    done = invoke("redrive", "--dry-run", code=1)
    lines = done.stdout.splitlines()
    together = next(line for line in lines if "of parts 3, 7, 7 (check), 12" in line)
    assert "RetriesExhausted, 20" in together
    assert "4 messages" in together
    assert lines[lines.index(together) + 1].strip() == NO_REASON
    assert lines.count("large.csv") == 2
    assert "5 messages: 5 kept" in done.stderr


@pytest.mark.usefixtures("rejected")
def test_rate_limits_how_fast_events_are_delivered() -> None:
    begun = time.monotonic()
    run("redrive", "--rate", "5", code=0)
    assert time.monotonic() - begun >= 1


def test_wait_says_what_became_of_the_files(world: World, invocations: Invocations) -> None:
    world.ingest("broken.csv", "\0")
    fail(world, world.upload("good.csv", "id\n1\n"))
    invocations.at_once = world.deliver
    lines = run("redrive", "--wait", code=1).splitlines()
    found = {key: line.split()[0] for key, line in pairwise(lines) if line.startswith(("  REJECTED ", "  COMPLETE "))}
    assert found == {"broken.csv": "REJECTED", "good.csv": "COMPLETE"}


def test_an_empty_queue_is_a_sentence() -> None:
    assert run("redrive", code=0) == "There is no message in the failure queue.\n"
    assert run("redrive", "--prefix", "a", code=0).endswith("a key that begins with 'a' in the failure queue.\n")


def test_messages_in_other_hands_are_no_empty_queue(world: World, pipeline: Pipeline) -> None:
    world.ingest("a.csv", "\0")
    assert len(list(failures(pipeline))) == 1  # as if the command had died before it put the message back
    assert "1 message hidden for up to five minutes" in invoke("redrive", code=0).stderr
    run("redrive", "--dry-run", code=1)


def test_a_paused_pipeline_redrives_nothing(pipeline: Pipeline, rejected: list[str], invocations: Invocations) -> None:
    invocations.reserved = 0
    assert "csv-ingest resume" in invoke("redrive", code=1).stderr
    assert run("redrive", "--dry-run", code=1).count("[/b].csv\n") == len(rejected)
    assert (keys_in(pipeline), invocations.events) == (rejected, [])


def test_only_messages_with_a_condition_are_delivered(
    world: World, pipeline: Pipeline, rejected: list[str], invocations: Invocations
) -> None:
    fail(world, world.upload("late.csv", "id\n1\n"))
    fail(world, world.upload("old.csv", "id\n1\n"), condition="EventAgeExceeded")
    assert len(reported("redrive", "--dry-run", "--only", "Rejected", code=1)) == len(rejected)
    run("redrive", "--only", "RetriesExhausted", "--only", "EventAgeExceeded", code=0)
    assert invocations.keys() == ["late.csv", "old.csv"]
    assert keys_in(pipeline) == rejected
    assert "with the condition RetriesExhausted in" in run("redrive", "--only", "RetriesExhausted", code=0)
    run("redrive", "--only", "Tired", code=2)


def test_rejected_files_are_not_offered_for_delivery(world: World) -> None:
    def offered() -> list[str]:
        lines = invoke("redrive", "--dry-run", code=1).stderr.splitlines()
        return [line.partition("csv-ingest ")[2] for line in lines if "csv-ingest" in line]

    fail(world, world.upload("late.csv", "id\n1\n"))
    assert offered() == ["redrive --wait"]
    world.ingest("a.csv", "\0")
    assert offered() == [
        "redrive --only Rejected --wait",
        "acknowledge --reason ... a.csv",
        "redrive --discard --prefix a.csv",
        "redrive --only RetriesExhausted --wait",
    ]
    run("redrive", "--discard", "--prefix", "late.csv", code=0)
    assert "redrive --wait" not in offered()
