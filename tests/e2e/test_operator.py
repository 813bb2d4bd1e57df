"""The operator's commands on the deployed stack, each on what it is for."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from csv_ingest.events import upload_event
from local.deployment import Deployment
from local.examples import EXAMPLES, orders
from local.processes import PROJECT
from local.waiting import wait_until, wait_until_settled
from tests.e2e.deployed import SECONDS, forget_record, upload
from tests.integration.commands import invoke, reported


@pytest.mark.usefixtures("deployment")
def test_upload_says_what_became_of_the_files(tmp_path: Path) -> None:
    good, bad = tmp_path / "good [1].csv", tmp_path / "bad.csv"
    good.write_bytes(orders(30))
    bad.write_text("id,name\n1,a\n,b\n")
    [record] = reported("upload", str(good), "--to", "ops/", code=0)
    assert (record["object_key"], record["status"], record["rows_stored"]) == ("ops/good [1].csv", "COMPLETE", 30)
    records = reported("upload", str(good), str(bad), "--to", "ops/", code=1)
    assert [record["rows_rejected"] for record in records] == [0, 1]
    assert "good [1].csv" in invoke("upload", str(good), code=None).stdout


def test_status_shows_a_file_with_its_rejected_rows(deployment: Deployment) -> None:
    version = upload(deployment, "story.csv", (EXAMPLES / "bad-rows.csv").read_bytes())
    wait_until_settled(deployment.pipeline, version, seconds=SECONDS)
    [record] = reported("status", "story.csv", code=1)
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (8, 3, 5)
    assert [reject["line"] for reject in record["rejects"]] == [3, 4, 5, 7, 8]
    assert "line 4: 3 fields, expected 7" in invoke("status", "story.csv", code=None).stdout
    unknown = invoke("status", "nothing.csv", code=None)
    assert unknown.exit_code == 1
    assert "nothing.csv: there is no such upload" in unknown.stderr


def test_history_and_report_tell_of_the_uploads(deployment: Deployment, tmp_path: Path) -> None:
    version = upload(deployment, "history/a.csv", orders(30))
    record = wait_until_settled(deployment.pipeline, version, seconds=SECONDS)
    [found] = reported("history", "--prefix", "history/", "--since", "1h", code=0)
    assert (found["object_key"], found["status"], found["rows_stored"]) == ("history/a.csv", "COMPLETE", 30)
    assert found["settled_at"] == record.attributes["settled_at"]
    assert 0 <= found["seconds"] < SECONDS
    file = tmp_path / "report.html"
    assert invoke("report", "--html", str(file), code=None).stdout == f"The report: {file}\n"
    assert '<span class="key">history/a.csv</span>' in file.read_text()


def test_rejects_are_a_csv_file_to_send_back(deployment: Deployment) -> None:
    version = upload(deployment, "send-back.csv", (EXAMPLES / "bad-rows.csv").read_bytes())
    wait_until_settled(deployment.pipeline, version, seconds=SECONDS)
    done = invoke("rejects", "send-back.csv", "--csv", code=None)
    header, *rows = csv.reader(io.StringIO(done.stdout))
    assert header == ["id", "customer", "item", "quantity", "price", "ordered", "gift"]
    assert (len(rows), rows[1]) == (5, ["B-3", "customer 3", "Saucer"])
    assert done.stderr.splitlines()[1] == "line 4: 3 fields, expected 7"
    assert reported("rejects", "send-back.csv", code=0)[0] == {"line": 3, "reason": "no id"}


def test_both_kinds_of_failures_are_listed_and_redriven(deployment: Deployment) -> None:
    pipeline = deployment.pipeline
    broken = upload(deployment, "redrive/broken é.csv", (EXAMPLES / "latin1.csv").read_bytes())
    assert wait_until_settled(pipeline, broken, seconds=SECONDS).attributes["status"] == "REJECTED"
    gone = upload(deployment, "redrive/gone.csv", b"id\n1\n")
    wait_until_settled(pipeline, gone, seconds=SECONDS)
    forget_record(pipeline, gone)
    pipeline.clients.s3.delete_object(Bucket=pipeline.upload_bucket, Key=gone.key, VersionId=gone.version_id)
    pipeline.redeliver(gone)
    failure = deployment.failure_of("redrive%2Fgone.csv")
    assert failure["requestPayload"] == upload_event(gone)

    def listed() -> list[tuple[str, str, str]]:
        found = reported("redrive", "--dry-run", "--prefix", "redrive/", code=None)  # 0 while none is there
        return sorted((each["keys"], each["condition"], each["action"]) for each in found)

    expected = [("redrive/broken é.csv", "Rejected", "kept"), ("redrive/gone.csv", "RetriesExhausted", "kept")]
    assert listed() == expected
    assert listed() == expected, "a dry run leaves the messages where they are"
    reported("redrive", "--prefix", "redrive/", code=0)
    # Both fail again: each message was replaced by the one of its new delivery.
    wait_until(lambda: listed() == expected, "both are in the failure queue again", seconds=SECONDS)
    assert not reported("redrive", "--dry-run", "--prefix", "elsewhere/", code=0)


def test_events_of_no_upload_return_to_the_sweep_only(deployment: Deployment) -> None:
    pipeline = deployment.pipeline
    assert pipeline.functions == {pipeline.feeds[0].function, pipeline.sweep, pipeline.notifier}
    sweep = pipeline.sweep
    for name in (sweep, "payroll"):
        event = {"source": "aws.events", "id": f"redriven by hand, of {name}"}
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}:$LATEST"
        record = {"requestContext": {"functionArn": arn, "condition": "x"}, "requestPayload": event}
        pipeline.clients.sqs.send_message(QueueUrl=pipeline.failure_queue, MessageBody=json.dumps(record))
    found = {each["function"]: each["action"] for each in reported("redrive", "--dry-run", code=1)}
    assert (found[sweep], found["payroll"]) == ("kept", "kept: payroll is not a function of the stack CsvIngest")
    pipeline.clients.sqs.purge_queue(QueueUrl=pipeline.failure_queue)


def test_backfill_delivers_what_was_there_before_the_trigger(deployment: Deployment) -> None:
    pipeline = deployment.pipeline
    version = upload(deployment, "backfill/a.csv", b"id\n1\n2\n")
    wait_until_settled(pipeline, version, seconds=SECONDS)
    forget_record(pipeline, version)
    [found] = [each for each in reported("status", code=1) if each["object_key"] == "backfill/a.csv"]
    assert "status" not in found
    arguments = ("backfill", "--prefix", "backfill/", "--rate", "50")
    assert reported(*arguments, code=0) == {"delivered": 1, "settled_before": 0, "expired": 0}
    assert wait_until_settled(pipeline, version, seconds=SECONDS).attributes["rows_stored"] == 2
    assert reported(*arguments, code=0) == {"delivered": 0, "settled_before": 1, "expired": 0}
    assert reported(*arguments, "--again", code=0) == {"delivered": 1, "settled_before": 0, "expired": 0}


def test_audit_names_each_damage_and_repairs_it(deployment: Deployment) -> None:
    pipeline = deployment.pipeline
    version = upload(deployment, "audit/a.csv", orders(60))
    wait_until_settled(pipeline, version, seconds=SECONDS)
    result = reported("audit", "--prefix", "audit/", code=0)
    assert (result["files"], result["rows"], result["findings"]) == (1, 60, [])
    deleted, changed, added = (f"{version.etag}#{id_}" for id_ in ("ORDER-0000007", "ORDER-0000009", "made up"))
    pipeline.clients.dynamodb.delete_item(TableName=pipeline.feeds[0].rows_table, Key={"pk": {"S": deleted}})
    pipeline.clients.dynamodb.update_item(
        TableName=pipeline.feeds[0].rows_table,
        Key={"pk": {"S": changed}},
        UpdateExpression="SET #data = :data",
        ExpressionAttributeNames={"#data": "data"},
        ExpressionAttributeValues={":data": {"S": "{}"}},
    )
    pipeline.clients.dynamodb.put_item(
        TableName=pipeline.feeds[0].rows_table, Item={"pk": {"S": added}, "etag": {"S": version.etag}}
    )
    damage = reported("audit", "--prefix", "audit/", code=1)["findings"]
    assert sorted((each["kind"], each["key"], each["detail"]) for each in damage) == [
        ("different", "audit/a.csv", f"line 11: {changed}"),
        ("missing", "audit/a.csv", f"line 9: {deleted}"),
        ("unexpected", "audit/a.csv", added),
    ]
    repaired = invoke("audit", "--prefix", "audit/", "--repair", "--yes", code=None)
    assert repaired.exit_code == 1
    assert repaired.stdout.endswith("1 file, 60 rows, 1 finding\n")
    assert f"unexpected: audit/a.csv: {added}" in repaired.stdout.splitlines()[-2]
    assert "repaired: 2 rows written" in repaired.stdout
    pipeline.clients.dynamodb.delete_item(TableName=pipeline.feeds[0].rows_table, Key={"pk": {"S": added}})
    assert reported("audit", "--prefix", "audit/", code=0)["findings"] == []


def test_audit_finds_what_the_ledger_misses(deployment: Deployment) -> None:
    pipeline = deployment.pipeline
    version = upload(deployment, "ledger/a.csv", b"id,name\n1,a\n,b\n")
    wait_until_settled(pipeline, version, seconds=SECONDS)
    key: Any = {"object_key": {"S": version.key}}
    reject = key | {"entry": {"S": f"{version.etag}#reject#{3:012d}"}}
    pipeline.clients.dynamodb.delete_item(TableName=pipeline.files_table, Key=reject)
    found = reported("audit", "--prefix", "ledger/", code=1)["findings"]
    assert [each["kind"] for each in found] == ["unaccounted"]
    forget_record(pipeline, version)
    found = reported("audit", "--prefix", "ledger/", code=1)["findings"]
    assert [(each["kind"], each["detail"]) for each in found] == [("unsettled", f"etag {version.etag}: no record")]
    invoke("audit", "--prefix", "ledger/", "--repair", "--yes", code=0)


def test_pause_stops_deliveries_and_resume_restores_them(deployment: Deployment) -> None:
    pipeline = deployment.pipeline

    def reserved() -> int | None:
        answer = pipeline.clients.lambda_.get_function_concurrency(FunctionName=pipeline.feeds[0].function)
        return answer.get("ReservedConcurrentExecutions")

    paused = invoke("pause", code=None)
    assert (paused.exit_code, reserved()) == (0, 0)
    assert "failure queue" in paused.stdout
    assert "To end the pause: csv-ingest resume" in invoke("upload", str(EXAMPLES / "orders.csv"), code=None).stderr
    resumed = invoke("resume", code=None)
    assert (resumed.exit_code, reserved()) == (0, 50), resumed.stderr
    assert "csv-ingest redrive" in resumed.stdout


@pytest.mark.usefixtures("deployment")
def test_a_missing_stack_is_one_line_without_traceback() -> None:
    command = [sys.executable, "-m", "ops", "--stack", "CsvIngest-prod", "status"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: stack CsvIngest-prod: ")
    assert "Traceback" not in done.stderr
