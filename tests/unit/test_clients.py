"""What is sent to DynamoDB, whichever protocol the runtime's botocore speaks."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore
import pytest

from csv_ingest import clients
from local.processes import PROJECT

MODEL = Path(botocore.__file__).parent / "data" / "dynamodb" / "2012-08-10" / "service-2.json.gz"
STATEMENT = """INSERT INTO "rows" VALUE {'pk': ?, 'line': ?}"""
REQUEST: Any = {"Statements": [{"Statement": STATEMENT, "Parameters": [{"S": "é"}, {"N": "1"}]}]}


def test_libraries_log_nothing_at_debug() -> None:
    """Of all that have a logger, also of those that nobody has thought of; what is left logs no request."""
    code = """
import logging
logging.basicConfig(level=logging.DEBUG)  # as Lambda does, before it imports the handler
import csv_ingest.handler, csv_ingest.postgresql.connection, csv_ingest.sweep
csv_ingest.clients.dynamodb()
loggers = map(logging.getLogger, list(logging.root.manager.loggerDict))
print(*sorted({each.name.partition(".")[0] for each in loggers if each.isEnabledFor(logging.DEBUG)}))
"""
    variables = {"PYTHONPATH": "lambda", "AWS_DEFAULT_REGION": "us-east-1"}
    variables |= {"POWERTOOLS_SERVICE_NAME": "x", "POWERTOOLS_METRICS_NAMESPACE": "x"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=PROJECT, env=variables, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"asyncio", "aws_lambda_powertools", "bcdocs", "concurrent"}
    assert done.stderr == ""


class Sent(Exception):
    """Ends a call before anything leaves this machine."""


@pytest.fixture
def protocol(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A botocore whose model of DynamoDB names another protocol."""
    model = json.loads(gzip.decompress(MODEL.read_bytes()))
    model["metadata"]["protocols"] = [request.param]
    changed = tmp_path / "dynamodb" / "2012-08-10" / "service-2.json"
    changed.parent.mkdir(parents=True)
    changed.write_text(json.dumps(model))
    for name, value in {
        "AWS_DATA_PATH": str(tmp_path),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the models that it has read
    clients.dynamodb.cache_clear()
    yield request.param
    clients.dynamodb.cache_clear()


def sent_by(client: Any, request: Any) -> Any:
    """The HTTP request that a client makes of a batch."""
    sent = []

    def stop(request: Any, **_: Any) -> None:
        sent.append(request)
        raise Sent

    client.meta.events.register("before-send", stop)
    with pytest.raises(Sent):
        client.batch_execute_statement(**request)
    [only] = sent
    return only


@pytest.mark.parametrize("protocol", ["json", "smithy-rpc-v2-cbor"], indirect=True)
def test_a_batch_is_what_botocore_alone_would_send(protocol: str) -> None:
    ours, plain = sent_by(clients.dynamodb(), REQUEST), sent_by(boto3.client("dynamodb"), REQUEST)
    assert (ours.body, ours.url) == (plain.body, plain.url)
    assert ours.headers["Content-Type"] == plain.headers["Content-Type"]
    assert ("json" in ours.headers["Content-Type"].decode()) == (protocol == "json")


@pytest.mark.parametrize("protocol", ["json"], indirect=True)
@pytest.mark.usefixtures("protocol")
def test_a_batch_in_json_is_not_encoded_by_botocore() -> None:
    # Of bytes, botocore would make base64; this is base64 already.
    request: Any = {"Statements": [{"Statement": STATEMENT, "Parameters": [{"B": "AAE="}]}]}
    assert json.loads(sent_by(clients.dynamodb(), request).body) == request
