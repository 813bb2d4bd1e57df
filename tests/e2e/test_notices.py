"""The deployed notifier: the ledger's stream, the schedule, the bus and the topic of the local AWS."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from csv_ingest.events import upload_event
from csv_ingest.model import ObjectVersion
from local.deployment import Deployment
from local.processes import PROJECT
from local.waiting import wait_until
from ops import failures
from tests.e2e.deployed import function_of, upload, wrong_permissions
from tests.e2e.inbox import Inbox
from tests.integration.commands import invoke

LOOK = """if True:
    import datetime, sys, types, csv_ingest.notifier as notifier

    context = types.SimpleNamespace(
        aws_request_id="1", function_name=sys.argv[1], invoked_function_arn="", memory_limit_in_mb=512,
        get_remaining_time_in_millis=lambda: 60_000,
    )
    notifier.handler({"source": "aws.events"}, context, mail_after=datetime.timedelta())
"""
"""The deployed notifier's handler, as its schedule invokes it. Only that a mail need not wait is another one."""


def test_each_outcome_comes_through_rule_and_queue(deployment: Deployment, inbox: Inbox) -> None:
    version = upload(deployment, "told/good é.csv", b"id,name\n1,a\n,b\n")
    upload(deployment, "told/bad.csv", b"\0")
    complete = inbox.event("CSV File Complete", "told/good é.csv")
    assert (complete["stack"], complete["bucket"]) == ("CsvIngest", deployment.pipeline.upload_bucket)
    assert (complete["version_id"], complete["rows_stored"], complete["rows_rejected"]) == (version.version_id, 1, 1)
    assert [each["line"] for each in complete["first_rejects"]] == [3]
    upload(deployment, "told/more.csv", b"id,name,price\n1,a,2\n")
    assert inbox.event("CSV File Complete", "told/more.csv")["columns_added"] == ["price"]
    rejected = inbox.event("CSV File Rejected", "told/bad.csv")
    assert rejected["reason"].startswith("line 1 ")


def test_what_cannot_be_told_is_in_the_failure_queue(deployment: Deployment, inbox: Inbox) -> None:
    """A record that nobody can read, which somebody has written into the ledger. Those behind it are told."""
    pipeline = deployment.pipeline
    key: Any = {"object_key": {"S": "told/poisoned.csv"}, "entry": {"S": "e1"}}
    time = {"S": "2026-01-01T00:00:00.000+00:00"}
    record: Any = {"status": {"S": "COMPLETE"}, "feed_status": {"S": "default#COMPLETE"}, "settled_at": time}
    item = {**key, **record, "status_at": time, "format": {"S": "{"}}
    pipeline.clients.dynamodb.put_item(TableName=pipeline.files_table, Item=item)
    upload(deployment, "told/behind.csv", b"id,name\n1,a\n")
    assert inbox.event("CSV File Complete", "told/behind.csv")
    wait_until(lambda: bool(failures.count(pipeline).visible - 1), "it is beside the message about told/bad.csv")
    pipeline.clients.dynamodb.delete_item(TableName=pipeline.files_table, Key=key)
    listed = invoke("redrive", "--dry-run", "--prefix", "told/poisoned.csv", code=None).stdout
    assert "told/poisoned.csv (its outcome could not be told)" in listed
    assert "a record of the stream is not as DynamoDB writes it" in listed


def test_a_failed_upload_is_told_and_mailed(deployment: Deployment, inbox: Inbox, recorded_calls: Path) -> None:
    pipeline = deployment.pipeline
    keys = [f"told/failed {number}.csv" for number in range(11)]
    for key in keys:
        version = ObjectVersion(pipeline.upload_bucket, key, "v1", "e1", 1)
        message = {
            "requestContext": {"functionArn": pipeline.feeds[0].function, "condition": "RetriesExhausted"},
            "requestPayload": upload_event(version),
            "responsePayload": {"errorMessage": "made up"},
        }
        pipeline.clients.sqs.send_message(QueueUrl=pipeline.failure_queue, MessageBody=json.dumps(message))
    notifier = function_of(deployment, "csv_ingest.notifier.handler")
    environment = {
        **os.environ,
        **notifier["Environment"]["Variables"],
        "PYTHONPATH": os.pathsep.join(str(PROJECT / path) for path in ("tests/recording", "lambda")),
        "RECORDED_CALLS": str(recorded_calls),
        "AWS_LAMBDA_FUNCTION_NAME": notifier["FunctionName"],
    }
    command = [sys.executable, "-c", LOOK, notifier["FunctionName"]]
    for _ in range(2):  # the second look sends the mail about what the first one told
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    for key in keys:
        assert inbox.event("CSV File Failed", key)["reason"] == "RetriesExhausted: made up"
    assert "FAILED: told/failed 3.csv" in inbox.mail("FAILED")
    assert "REJECTED: told/bad.csv" in inbox.mail("REJECTED")
    invoke("redrive", "--discard", "--prefix", "told/", code=0)


def test_the_notifiers_policy_is_what_it_called(deployment: Deployment, recorded_calls: Path) -> None:
    notifier = function_of(deployment, "csv_ingest.notifier.handler")["FunctionName"]
    assert wrong_permissions(deployment, recorded_calls).get(notifier) is None, "this test needs those before it"
