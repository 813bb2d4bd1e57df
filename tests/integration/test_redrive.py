"""The failure queue is looked through once, and nothing that is in it gets lost."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from csv_ingest.events import object_version
from ops.commands import main
from ops.pipeline import Pipeline
from ops.redrive import failures, put_back
from tests.integration.world import Invocations, World


@pytest.fixture
def pipeline(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """What the commands find."""
    monkeypatch.setattr(Pipeline, "find", lambda _stack: pipeline)
    return pipeline


@pytest.fixture
def rejected(world: World) -> list[str]:
    """Five files whose messages are in the failure queue."""
    keys = [f"{number} [/b].csv" for number in range(5)]
    for key in keys:
        world.deliver(world.upload(key, "\0"))
    return keys


def keys_in(pipeline: Pipeline) -> list[str]:
    """What is in the queue, and stays there."""
    found = list(failures(pipeline))
    for failure in found:
        put_back(pipeline, failure)
    return sorted(key for failure in found for key in failure.keys)


def run(*arguments: str, code: int) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == code, done.output
    return done.stdout


def test_every_message_is_seen_once_however_long_it_takes(pipeline: Pipeline, rejected: list[str]) -> None:
    found = failures(pipeline, hide_seconds=0)  # as if five minutes had passed after each look
    assert sorted(key for failure in found for key in failure.keys) == rejected


def test_redrive_delivers_the_events_and_deletes_the_messages(
    pipeline: Pipeline, rejected: list[str], invocations: Invocations
) -> None:
    run("redrive", "--json", code=0)
    assert invocations.keys() == rejected
    assert keys_in(pipeline) == []


def test_events_that_fail_again_are_not_redriven_for_ever(
    world: World, pipeline: Pipeline, rejected: list[str], invocations: Invocations
) -> None:
    invocations.at_once = world.deliver
    run("redrive", code=0)
    assert invocations.keys() == rejected
    assert keys_in(pipeline) == rejected


def test_only_messages_of_the_prefix_are_delivered(
    pipeline: Pipeline, rejected: list[str], invocations: Invocations
) -> None:
    run("redrive", "--key-prefix", "3", code=0)
    assert invocations.keys() == ["3 [/b].csv"]
    assert keys_in(pipeline) == [key for key in rejected if key != "3 [/b].csv"]


def test_an_undeliverable_message_does_not_hold_up_others(
    pipeline: Pipeline, rejected: list[str], invocations: Invocations
) -> None:
    invocations.refuse = "2 [/b].csv"
    report = json.loads(run("redrive", "--json", code=1))
    assert {each["keys"]: each["action"].partition(":")[0] for each in report} == {
        key: "failed" if key == invocations.refuse else "delivered" for key in rejected
    }
    assert keys_in(pipeline) == [invocations.refuse]


def test_a_message_that_is_no_record_is_kept(world: World, pipeline: Pipeline) -> None:
    world.sqs.send_message(QueueUrl=world.failure_queue, MessageBody="hello")
    assert "not a failure record" in run("redrive", "--json", code=1)
    assert [failure.condition for failure in failures(pipeline)] == ["unreadable"]


def test_messages_are_discarded_by_prefix_only(
    pipeline: Pipeline, rejected: list[str], invocations: Invocations
) -> None:
    run("redrive", "--discard", code=2)
    assert keys_in(pipeline) == rejected
    run("redrive", "--discard", "--key-prefix", "3", code=0)
    assert len(keys_in(pipeline)) == 4
    assert invocations.events == []


@pytest.mark.usefixtures("pipeline")
def test_keys_that_look_like_markup_are_printed_unchanged(world: World) -> None:
    world.deliver(world.upload("[red]x[/b].csv", "[/i],b\n1,2\n"))
    output = run("status", code=1)
    assert "[red]x[/b].csv" in output
    assert "[red]x[/b].csv" in run("status", "[red]x[/b].csv", code=1)


@pytest.mark.usefixtures("pipeline")
def test_rejects_of_a_rejected_file_are_its_reason(world: World) -> None:
    world.deliver(world.upload("a.csv", "\0"))
    done = CliRunner().invoke(main, ["rejects", "a.csv", "--csv"])
    assert done.exit_code == 1
    assert "a.csv: no row of it was stored: line 1 has a NUL byte" in done.stderr


def test_an_event_of_another_function_returns_to_that_function(
    world: World, pipeline: Pipeline, invocations: Invocations
) -> None:
    record: Any = {
        "requestContext": {"functionArn": "arn:aws:lambda:us-east-1:1:function:sweep:$LATEST", "condition": "x"},
        "requestPayload": {"source": "aws.events"},
    }
    world.sqs.send_message(QueueUrl=world.failure_queue, MessageBody=json.dumps(record))
    world.deliver(world.upload("a.csv", "\0"))
    run("redrive", code=0)
    assert sorted(invocations.functions) == ["arn:aws:lambda:us-east-1:1:function:sweep", pipeline.function]
    assert [object_version(e["Records"][0]).key for e in invocations.events if "Records" in e] == ["a.csv"]
