"""The operator's commands, run in this process on the world of a test."""

import json
import os
import sys
from contextlib import suppress
from typing import Any

import pytest
from click.testing import CliRunner, Result

from csv_ingest.events import Event
from ops.commands import main
from tests.integration.world import World


def invoke(*arguments: str, code: int | None, answer: str = "") -> Result:
    """`csv-ingest ...`, that ends with the exit code expected, if one is; without an answer, its input has ended.

    Raises any error that the command does not explain, and that its user would see as a traceback.
    """
    done = CliRunner().invoke(main, arguments, input=answer)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert code in (None, done.exit_code), done.output
    return done


def run(*arguments: str, code: int | None) -> str:
    """What a command prints to standard output."""
    return invoke(*arguments, code=code).stdout


def reported(*arguments: str, code: int | None) -> Any:
    """What a command prints as JSON."""
    return json.loads(run(*arguments, "--json", code=code))


def shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """What a command prints to standard output if that is a terminal."""
    screen, keyboard = os.openpty()
    with open(keyboard, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:  # noqa: PTH123 - no path
        patch.setattr(sys, "stdout", stream)
        with suppress(SystemExit):
            main(arguments, standalone_mode=False)
    shown = b""
    with suppress(OSError):  # at the end of what a terminal got that is closed by now
        while piece := os.read(screen, 4096):
            shown += piece
    os.close(screen)
    return shown.decode()


def fail(
    world: World,
    event: Event,
    *,
    reason: str = "out of time",
    condition: str = "RetriesExhausted",
    name: str = "ingest",
) -> None:
    """Put into the failure queue what Lambda puts there after the last attempt."""
    record = {
        "requestContext": {
            "functionArn": f"arn:aws:lambda:us-east-1:1:function:{name}:$LATEST",
            "condition": condition,
        },
        "requestPayload": event,
        "responsePayload": {"errorMessage": reason} if reason else None,
    }
    world.sqs.send_message(QueueUrl=world.failure_queue, MessageBody=json.dumps(record))
