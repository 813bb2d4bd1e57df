"""The operator's commands, run in this process on the world of a test."""

import json
from typing import Any

from click.testing import CliRunner, Result

from csv_ingest.events import Event
from ops.commands import main
from tests.integration.world import World


def invoke(*arguments: str, code: int, answer: str = "") -> Result:
    """`python -m ops ...`, that ends with the exit code expected; without an answer, its input has ended."""
    done = CliRunner().invoke(main, arguments, input=answer)
    assert done.exit_code == code, (done.output, done.exception)
    return done


def run(*arguments: str, code: int) -> str:
    """What a command prints to standard output."""
    return invoke(*arguments, code=code).stdout


def reported(*arguments: str, code: int) -> Any:
    """What a command prints as JSON."""
    return json.loads(run(*arguments, "--json", code=code))


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
