"""Uploads to the deployed stack, each of them a way in which rows were lost before; and what an operator does then."""

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from rich.console import Console

from csv_ingest.events import upload_event
from csv_ingest.model import ObjectVersion
from local.demo import GOOD, Example
from local.demo import upload as upload_examples
from local.deployment import Deployment, TableRow
from local.examples import EXAMPLES, expected_rows, orders, sample_event
from local.server import PROJECT, LocalAws
from ops.pipeline import Pipeline, wait_until
from tests.permissions import Permission, allowed, needed, refused, unused

SECONDS = 60
QUIET = Console(quiet=True)


def upload(deployment: Deployment, key: str, content: bytes) -> ObjectVersion:
    deployment.pipeline.s3.put_object(Bucket=deployment.pipeline.upload_bucket, Key=key, Body=content)
    return deployment.pipeline.latest(key)


def rows_of(deployment: Deployment, version: ObjectVersion) -> dict[str, TableRow]:
    return {pk: row for pk, row in deployment.rows().items() if pk.startswith(f"{version.etag}#")}


def ops(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m ops ...`, as an operator runs it."""
    command = [sys.executable, "-m", "ops", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120)


def reported(*arguments: str, code: int) -> Any:
    """What a verb reports as JSON, after it ended with the exit code expected."""
    done = ops(*arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("example", GOOD, ids=lambda example: example.lesson)
def test_every_row_of_an_upload_is_in_the_table(deployment: Deployment, example: Example) -> None:
    version = upload_examples(deployment, [example], QUIET)[example.key]
    assert ("-" in version.etag) == example.multipart
    record = deployment.pipeline.wait_until_settled(version, seconds=SECONDS).attributes
    expected = expected_rows(example.content, version.etag, bad_lines=example.bad_lines)
    assert rows_of(deployment, version) == expected
    assert record["status"] == "COMPLETE"
    assert record["version_id"] == version.version_id
    assert (record["rows_stored"], record["rows_rejected"]) == (len(expected), len(example.bad_lines))


def test_a_repeated_upload_and_event_change_nothing(deployment: Deployment) -> None:
    content = orders(60)
    first = upload(deployment, "again +.csv", content)
    record = deployment.pipeline.wait_until_settled(first, seconds=SECONDS).attributes
    rows = rows_of(deployment, first)
    second = upload(deployment, "again +.csv", content)

    def recognised(version: ObjectVersion) -> bool:
        return any(line["version_id"] == version.version_id for line in deployment.logged("settled before"))

    wait_until(lambda: recognised(second), "the second upload is recognised")
    assert deployment.invoke(upload_event(first)) is None
    assert recognised(first)
    assert deployment.pipeline.files.record(first).attributes == record
    assert rows_of(deployment, first) == rows


@pytest.mark.parametrize(
    ("event", "reason"),
    [("s3-test-event.json", "test event"), ("console-template.json", "foreign bucket")],
)
def test_what_is_no_upload_is_ignored_with_a_reason(deployment: Deployment, event: str, reason: str) -> None:
    assert deployment.invoke(sample_event(event)) is None
    assert reason in [line["reason"] for line in deployment.logged("ignored")]


def functions_of(aws: LocalAws) -> list[psutil.Process]:
    """The processes in which MiniStack runs functions."""
    return [child for child in psutil.Process(aws.process.pid).children() if "_worker.py" in " ".join(child.cmdline())]


def test_a_killed_function_leaves_each_row_once(deployment: Deployment, aws: LocalAws) -> None:
    content = orders(12_000)
    version = upload(deployment, "killed.csv", content)
    wait_until(lambda: len(rows_of(deployment, version)) > 0, "the first rows are stored")
    for process in functions_of(aws):
        process.kill()
    assert 0 < len(rows_of(deployment, version)) < 12_000, "it was not in the middle"
    assert deployment.pipeline.files.record(version).status == "PROCESSING"
    record = deployment.pipeline.wait_until_settled(version, seconds=SECONDS).attributes
    assert rows_of(deployment, version) == expected_rows(content, version.etag)
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (12_000, 12_000, 0)


def test_a_large_file_survives_a_part_that_fails(deployment: Deployment) -> None:
    """26,000 rows. One part meets an item that is no row, fails three times, and is redriven when that is gone."""
    pipeline = deployment.pipeline
    content = orders(26_000)
    etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
    alien: Any = {"pk": {"S": f"{etag}#ORDER-0020000"}}
    pipeline.dynamodb.put_item(TableName=pipeline.rows_table, Item=alien)
    version = upload(deployment, "parts/large.csv", content)
    assert version.etag == etag
    failure = deployment.failure_of("parts%2Flarge.csv")
    number = failure["requestPayload"]["Records"][0]["part"]["number"]
    assert number > 0

    def others_are_done() -> bool:
        record = pipeline.files.record(version)
        return bool(record.parts_done == record.parts - 1)

    wait_until(others_are_done, "all other parts are done", seconds=SECONDS)
    [waiting] = [each for each in reported("status", code=1) if each["object_key"] == version.key]
    assert waiting["status"] == "PROCESSING"
    assert f"{waiting['parts_done']} of {waiting['parts']} parts" in ops("status", version.key).stdout
    pipeline.dynamodb.delete_item(TableName=pipeline.rows_table, Key=alien)
    [redriven] = reported("redrive", "--key-prefix", "parts/", code=0)
    assert (redriven["keys"], redriven["action"]) == (f"parts/large.csv (part {number})", "delivered")
    record = pipeline.wait_until_settled(version, seconds=SECONDS).attributes
    assert rows_of(deployment, version) == expected_rows(content, version.etag)
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (26_000, 26_000, 0)
    assert record["parts_done"] == record["parts"] == 5
    assert reported("audit", "--prefix", "parts/", code=0)["findings"] == []


def test_of_two_lines_in_different_parts_the_first_wins(
    deployment: Deployment,
) -> None:
    pipeline = deployment.pipeline
    lines = ["id,name\n", *(f"{number},a\n" for number in range(20_500)), "7,z\n"]
    content = "".join(lines).encode()
    etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
    # As if the last part had been first.
    later: Any = {
        "pk": {"S": f"{etag}#7"},
        "etag": {"S": etag},
        "line": {"N": str(len(lines))},
        "data": {"S": '{"id":"7","name":"z"}'},
    }
    pipeline.dynamodb.put_item(TableName=pipeline.rows_table, Item=later)
    version = upload(deployment, "parts/repeated.csv", content)
    record = pipeline.wait_until_settled(version, seconds=SECONDS).attributes
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (20_501, 20_500, 1)
    assert rows_of(deployment, version) == expected_rows(content, etag, bad_lines={len(lines)})
    [(line, reason)] = [(each["line"], each["reason"]) for each in reported("rejects", version.key, code=0)]
    assert (line, reason) == (len(lines), "duplicate id: line 9 has it with different values")


class TestOperator:
    """The verbs of the command line, each on what it is for."""

    def test_upload_says_what_became_of_the_files(self, deployment: Deployment, tmp_path: Path) -> None:  # noqa: ARG002
        good, bad = tmp_path / "good [1].csv", tmp_path / "bad.csv"
        good.write_bytes(orders(30))
        bad.write_text("id,name\n1,a\n,b\n")
        [record] = reported("upload", str(good), "--to", "ops/", code=0)
        assert (record["object_key"], record["status"], record["rows_stored"]) == ("ops/good [1].csv", "COMPLETE", 30)
        records = reported("upload", str(good), str(bad), "--to", "ops/", code=1)
        assert [record["rows_rejected"] for record in records] == [0, 1]
        assert "good [1].csv" in ops("upload", str(good)).stdout

    def test_upload_refuses_what_would_not_be_ingested(self, deployment: Deployment, tmp_path: Path) -> None:  # noqa: ARG002
        file = tmp_path / "notes.txt"
        file.write_text("x")
        done = ops("upload", str(file))
        assert done.returncode == 2
        assert "notes.txt would not be ingested: only *.csv, *.CSV, *.csv.gz is" in done.stderr

    def test_status_shows_a_file_with_its_rejected_rows(self, deployment: Deployment) -> None:
        version = upload(deployment, "story.csv", (EXAMPLES / "bad-rows.csv").read_bytes())
        deployment.pipeline.wait_until_settled(version, seconds=SECONDS)
        [record] = reported("status", "story.csv", code=1)
        assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (8, 3, 5)
        assert [reject["line"] for reject in record["rejects"]] == [3, 4, 5, 7, 8]
        assert "line 4: 3 fields, expected 5" in ops("status", "story.csv").stdout
        unknown = ops("status", "nothing.csv")
        assert unknown.returncode == 1
        assert "nothing.csv: it is not in the ledger" in unknown.stderr

    def test_rejects_are_a_csv_file_to_send_back(self, deployment: Deployment) -> None:
        version = upload(deployment, "send-back.csv", (EXAMPLES / "bad-rows.csv").read_bytes())
        deployment.pipeline.wait_until_settled(version, seconds=SECONDS)
        header, *rows = csv.reader(io.StringIO(ops("rejects", "send-back.csv", "--csv").stdout))
        assert header == ["line", "reason", "id", "customer", "item", "quantity", "price"]
        assert [row[0] for row in rows] == ["3", "4", "5", "7", "8"]
        assert rows[1] == ["4", "3 fields, expected 5", "B-3", "customer 3", "Saucer"]
        assert reported("rejects", "send-back.csv", code=0)[0] == {"line": 3, "reason": "no id"}

    def test_both_kinds_of_failures_are_listed_and_redriven(self, deployment: Deployment) -> None:
        pipeline = deployment.pipeline
        broken = upload(deployment, "redrive/broken é.csv", (EXAMPLES / "latin1.csv").read_bytes())
        assert pipeline.wait_until_settled(broken, seconds=SECONDS).attributes["status"] == "REJECTED"
        gone = upload(deployment, "redrive/gone.csv", b"id\n1\n")
        pipeline.wait_until_settled(gone, seconds=SECONDS)
        pipeline.files.reopen(gone)
        pipeline.s3.delete_object(Bucket=pipeline.upload_bucket, Key=gone.key, VersionId=gone.version_id)
        pipeline.redeliver(gone)
        failure = deployment.failure_of("redrive%2Fgone.csv")
        assert failure["requestPayload"] == upload_event(gone)

        def listed() -> list[tuple[str, str, str]]:
            found = reported("redrive", "--dry-run", "--key-prefix", "redrive/", code=0)
            return sorted((each["keys"], each["condition"], each["action"]) for each in found)

        expected = [
            ("redrive/broken é.csv", "Rejected", "kept"),
            ("redrive/gone.csv", "RetriesExhausted", "kept"),
        ]
        assert listed() == expected
        assert listed() == expected, "a dry run leaves the messages where they are"
        reported("redrive", "--key-prefix", "redrive/", code=0)
        # Both fail again: each message was replaced by the one of its new delivery.
        wait_until(lambda: listed() == expected, "both are in the failure queue again", seconds=SECONDS)
        assert not reported("redrive", "--dry-run", "--key-prefix", "elsewhere/", code=0)

    def test_backfill_delivers_what_was_there_before_the_trigger(self, deployment: Deployment) -> None:
        pipeline = deployment.pipeline
        version = upload(deployment, "backfill/a.csv", b"id\n1\n2\n")
        pipeline.wait_until_settled(version, seconds=SECONDS)
        self._forget(pipeline, version)
        assert reported("status", code=1)[0] == {"object_key": "backfill/a.csv"}
        arguments = ("backfill", "--prefix", "backfill/", "--rate", "50")
        assert reported(*arguments, code=0) == {"delivered": 1, "settled_before": 0}
        assert pipeline.wait_until_settled(version, seconds=SECONDS).attributes["rows_stored"] == 2
        assert reported(*arguments, code=0) == {"delivered": 0, "settled_before": 1}
        assert reported(*arguments, "--again", code=0) == {"delivered": 1, "settled_before": 0}

    def test_audit_names_each_damage_and_repairs_it(self, deployment: Deployment) -> None:
        pipeline = deployment.pipeline
        version = upload(deployment, "audit/a.csv", orders(60))
        pipeline.wait_until_settled(version, seconds=SECONDS)
        result = reported("audit", "--prefix", "audit/", code=0)
        assert (result["files"], result["rows"], result["findings"]) == (1, 60, [])
        deleted, changed, added = (f"{version.etag}#{id_}" for id_ in ("ORDER-0000007", "ORDER-0000009", "made up"))
        pipeline.dynamodb.delete_item(TableName=pipeline.rows_table, Key={"pk": {"S": deleted}})
        pipeline.dynamodb.update_item(
            TableName=pipeline.rows_table,
            Key={"pk": {"S": changed}},
            UpdateExpression="SET #data = :data",
            ExpressionAttributeNames={"#data": "data"},
            ExpressionAttributeValues={":data": {"S": "{}"}},
        )
        pipeline.dynamodb.put_item(
            TableName=pipeline.rows_table, Item={"pk": {"S": added}, "etag": {"S": version.etag}}
        )
        damage = reported("audit", "--prefix", "audit/", code=1)["findings"]
        assert sorted((each["kind"], each["key"], each["detail"]) for each in damage) == [
            ("different", "audit/a.csv", f"line 11: {changed}"),
            ("missing", "audit/a.csv", f"line 9: {deleted}"),
            ("unexpected", "audit/a.csv", added),
        ]
        repaired = ops("audit", "--prefix", "audit/", "--repair")
        assert repaired.returncode == 1
        assert repaired.stdout.endswith("1 files, 60 rows, 1 findings\n")
        assert f"unexpected: audit/a.csv: {added}" in repaired.stdout.splitlines()[-2]
        pipeline.dynamodb.delete_item(TableName=pipeline.rows_table, Key={"pk": {"S": added}})
        assert reported("audit", "--prefix", "audit/", code=0)["findings"] == []

    def test_audit_finds_what_the_ledger_misses(self, deployment: Deployment) -> None:
        pipeline = deployment.pipeline
        version = upload(deployment, "ledger/a.csv", b"id,name\n1,a\n,b\n")
        pipeline.wait_until_settled(version, seconds=SECONDS)
        key: Any = {"object_key": {"S": version.key}}
        reject = key | {"entry": {"S": f"{version.etag}#reject#{3:012d}"}}
        pipeline.dynamodb.delete_item(TableName=pipeline.files_table, Key=reject)
        found = reported("audit", "--prefix", "ledger/", code=1)["findings"]
        assert [each["kind"] for each in found] == ["unaccounted", "sums"]
        self._forget(pipeline, version)
        found = reported("audit", "--prefix", "ledger/", code=1)["findings"]
        assert [(each["kind"], each["detail"]) for each in found] == [("unsettled", f"etag {version.etag}: no record")]
        assert ops("audit", "--prefix", "ledger/", "--repair").returncode == 0

    def test_pause_stops_deliveries_and_resume_restores_them(self, deployment: Deployment) -> None:
        pipeline = deployment.pipeline

        def reserved() -> int | None:
            answer = pipeline.lambda_.get_function_concurrency(FunctionName=pipeline.function)
            return answer.get("ReservedConcurrentExecutions")

        paused = ops("pause")
        assert (paused.returncode, reserved()) == (0, 0)
        assert "failure queue" in paused.stdout
        resumed = ops("resume")
        assert (resumed.returncode, reserved()) == (0, 50), resumed.stderr
        assert "python -m ops redrive" in resumed.stdout

    def test_a_missing_stack_is_one_line_without_traceback(self, deployment: Deployment) -> None:  # noqa: ARG002
        done = ops("--stack", "CsvIngest-prod", "status")
        assert done.returncode == 1
        assert done.stderr.startswith("Error: stack CsvIngest-prod: ")
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("verb", ["upload", "status", "rejects", "redrive", "backfill", "audit", "pause", "resume"])
    def test_every_verb_explains_itself_with_an_example(self, verb: str) -> None:
        done = ops(verb, "--help")
        assert done.returncode == 0
        assert f"Example: python -m ops {verb}" in done.stdout

    def _forget(self, pipeline: Pipeline, version: ObjectVersion) -> None:
        """Leave the upload as if its event had been lost."""
        key: Any = {"object_key": {"S": version.key}, "entry": {"S": version.etag}}
        pipeline.dynamodb.delete_item(TableName=pipeline.files_table, Key=key)


def test_the_deployed_sweep_leaves_young_uploads_alone(deployment: Deployment) -> None:
    lambda_ = deployment.pipeline.lambda_
    upload(deployment, "young.csv", b"id\n1\n")
    [sweep] = [each for each in lambda_.list_functions()["Functions"] if each["Handler"] == "csv_ingest.sweep.handler"]
    answer = lambda_.invoke(FunctionName=sweep["FunctionName"], Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
    [swept] = deployment.logged("swept", function=sweep["FunctionName"])
    assert (swept["uploads"], swept["unsettled"], swept["delivered"]) == (0, 0, 0)


AN_HOUR_LATER = """if True:
    import datetime, types, csv_ingest.sweep as sweep

    sweep.GRACE = -datetime.timedelta(minutes=1)
    context = types.SimpleNamespace(
        aws_request_id="1", function_name="sweep", invoked_function_arn="", memory_limit_in_mb=512,
        get_remaining_time_in_millis=lambda: 60_000,
    )
    sweep.handler({}, context)
"""


def test_the_sweep_delivers_an_old_upload_without_event(deployment: Deployment, recorded_calls: Path) -> None:
    """The deployed sweep's handler, in a process with its environment. Only its idea of what is old is another one."""
    pipeline = deployment.pipeline
    version = upload(deployment, "lost.csv", b"id\n1\n")
    pipeline.wait_until_settled(version, seconds=SECONDS)
    key: Any = {"object_key": {"S": version.key}, "entry": {"S": version.etag}}
    pipeline.dynamodb.delete_item(TableName=pipeline.files_table, Key=key)
    [sweep] = [
        each for each in pipeline.lambda_.list_functions()["Functions"] if each["Handler"] == "csv_ingest.sweep.handler"
    ]
    environment = {
        **os.environ,
        **sweep["Environment"]["Variables"],
        "PYTHONPATH": os.pathsep.join(str(PROJECT / path) for path in ("tests/recording", "lambda")),
        "RECORDED_CALLS": str(recorded_calls),
        "AWS_LAMBDA_FUNCTION_NAME": sweep["FunctionName"],
    }
    subprocess.run([sys.executable, "-c", AN_HOUR_LATER], env=environment, capture_output=True, check=True)
    assert pipeline.wait_until_settled(version, seconds=SECONDS).attributes["status"] == "COMPLETE"


@pytest.fixture
def subscriber(deployment: Deployment) -> Iterator[str]:
    """A queue that is told what the alarm topic is told."""
    queue = deployment.pipeline.sqs.create_queue(QueueName="oncall")["QueueUrl"]
    arn = deployment.pipeline.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    boto3.client("sns").subscribe(TopicArn=deployment.pipeline.alarm_topic, Protocol="sqs", Endpoint=arn)
    yield queue
    deployment.pipeline.sqs.delete_queue(QueueUrl=queue)


def test_an_alarm_that_is_raised_reaches_who_subscribed(deployment: Deployment, subscriber: str) -> None:
    cloudwatch = boto3.client("cloudwatch")
    alarm = cloudwatch.describe_alarms()["MetricAlarms"][0]
    # The local queue publishes no metrics, so that the alarm has to be raised by hand.
    cloudwatch.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="a test")
    messages: list[Any] = []

    def told() -> bool:
        messages.extend(deployment.pipeline.sqs.receive_message(QueueUrl=subscriber).get("Messages", []))
        return bool(messages)

    wait_until(told, "the subscriber is told")
    assert json.loads(json.loads(messages[0]["Body"])["Message"])["AlarmName"] == alarm["AlarmName"]


def test_the_policies_are_what_the_functions_called(deployment: Deployment, recorded_calls: Path) -> None:
    """Every AWS call of the tests above, by the deployed functions, against the policies of their roles."""
    calls = [json.loads(line) for line in recorded_calls.read_text().splitlines()]
    functions = deployment.pipeline.lambda_.list_functions()["Functions"]
    assert {call["function"] for call in calls} == {function["FunctionName"] for function in functions}
    for function in functions:
        name = function["FunctionName"]
        did = {
            permission
            for call in calls
            if call["function"] == name
            for permission in needed(call["service"], call["operation"], call["params"])
        } | done_by_lambda(deployment, function)
        may = policy_of(function["Role"].rpartition("/")[2])
        assert (refused(did, may), unused(did, may)) == ([], []), f"{name}; this test needs those before it"


def done_by_lambda(deployment: Deployment, function: Any) -> set[Permission]:
    """What Lambda does with a function's role, around its code: it writes the logs, and delivers the failures."""
    group = f"arn:aws:logs:us-east-1:000000000000:log-group:{function['LoggingConfig']['LogGroup']}:log-stream:x"
    done = {Permission(f"logs:{action}", group) for action in ("CreateLogStream", "PutLogEvents")}
    name = function["FunctionName"]
    configs = deployment.pipeline.lambda_.list_function_event_invoke_configs(FunctionName=name)
    destinations = [each["DestinationConfig"]["OnFailure"] for each in configs["FunctionEventInvokeConfigs"]]
    return done | {Permission("sqs:SendMessage", each["Destination"]) for each in destinations}


def policy_of(role: str) -> set[Permission]:
    """All that a role may do, as it is deployed."""
    iam = boto3.client("iam")
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    documents: list[Any] = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    return {permission for document in documents for permission in allowed(document["Statement"])}
