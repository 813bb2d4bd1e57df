"""The managed policies of the deployed stack are what the commands call, each of them run here."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from csv_ingest.model import ObjectVersion
from local.deployment import Deployment
from local.waiting import wait_until_settled
from tests.e2e.deployed import SECONDS, forget_record, upload
from tests.integration.commands import invoke
from tests.permissions import Permission, allowed, needed, refused, unused

BAD = b"id,name\n1,a\n2,b\n,c\n"


@contextmanager
def recorded() -> Iterator[set[Permission]]:
    """What is called in this process."""
    called: set[Permission] = set()
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def recording(self: Any, operation: str, params: dict[str, Any]) -> Any:
        called.update(needed(self.meta.service_model.service_name, operation, params))
        return original(self, operation, params)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", recording)
        yield called


def policy(deployment: Deployment, name: str) -> set[Permission]:
    """What the managed policy of an output allows."""
    [stack] = boto3.client("cloudformation").describe_stacks(StackName=deployment.pipeline.stack)["Stacks"]
    arn = next(each["OutputValue"] for each in stack["Outputs"] if each["OutputKey"] == name)
    iam = boto3.client("iam")
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document: Any = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    # A command knows its stack by the name.
    named = {stack["StackId"]: f"stack {stack['StackName']}"}
    return {Permission(each.action, named.get(each.resource, each.resource)) for each in allowed(document["Statement"])}


@pytest.fixture(scope="module")
def version(deployment: Deployment) -> ObjectVersion:
    """A file with a rejected row, of a deployment that has a file whose record is lost, and one that is no CSV."""
    for key, content in (("people/lost.csv", b"id\n1\n"), ("people/bad.csv", b"\0"), ("people/a.csv", BAD)):
        made = upload(deployment, key, content)
        wait_until_settled(deployment.pipeline, made, seconds=SECONDS)
    forget_record(deployment.pipeline, deployment.pipeline.latest("people/lost.csv"))
    return made


def test_a_reader_may_call_what_looking_calls(deployment: Deployment, version: ObjectVersion, tmp_path: Path) -> None:
    with recorded() as called:
        for verb in (
            ["status"],
            ["status", version.key],
            ["status", "--watch", "--until-idle"],
            ["history"],
            ["report", "--html", str(tmp_path / "report.html")],
            ["rejects", version.key, "--csv"],
            ["rows", version.key],
            ["find", "1"],
            ["audit"],
            ["redrive", "--dry-run", "--prefix", "people/"],
        ):
            invoke(*verb, code=None)
    may = policy(deployment, "ReaderPolicyArn")
    assert refused(called, may) == []
    assert unused(called, may) == []


def test_an_operator_may_call_the_rest(
    deployment: Deployment, version: ObjectVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.erasing.CLOCKS", -60)  # no delivery runs for whose end `forget` would have to wait
    pipeline = deployment.pipeline
    file = tmp_path / "b.csv"
    file.write_bytes(BAD.replace(b"a", b"z"))
    large = tmp_path / "large.csv"
    large.write_text("id,text\n" + "".join(f"{number},{'x' * 100_000}\n" for number in range(90)))  # two parts
    [feed] = pipeline.feeds
    for name in (pipeline.sweep, pipeline.notifier):
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}:live"
        record = {"requestContext": {"functionArn": arn, "condition": "RetriesExhausted"}, "requestPayload": {}}
        pipeline.clients.sqs.send_message(QueueUrl=pipeline.failure_queue, MessageBody=json.dumps(record))
    row: Any = {"pk": {"S": f"{version.etag}#1"}}
    reject: Any = {"object_key": {"S": version.key}, "entry": {"S": f"{version.etag}#reject#{4:012d}"}}
    pipeline.clients.dynamodb.delete_item(TableName=feed.rows_table, Key=row)
    pipeline.clients.dynamodb.delete_item(TableName=pipeline.files_table, Key=reject)
    with recorded() as called:
        invoke("audit", "--prefix", "people/", "--repair", "--yes", code=0)
        invoke("upload", str(file), "--to", "people/", code=1)
        invoke("upload", str(large), "--to", "people/", code=0)
        invoke("acknowledge", version.key, "--reason", "a test", code=0)
        invoke("pause", code=0)
        invoke("resume", code=0)
        invoke("backfill", "--prefix", "people/", "--again", code=0)
        invoke("reload", version.key, "--yes", code=None)
        invoke("forget", "people/b.csv", "--yes", code=0)
        invoke("redrive", "--prefix", "people/", "--discard", code=None)
        invoke("redrive", code=None)
    may = policy(deployment, "ReaderPolicyArn") | policy(deployment, "OperatorPolicyArn")
    assert refused(called, may) == []
    # An upload that breaks off, and a feed that reserves no concurrency: none of them is here.
    rare = {"s3:AbortMultipartUpload", "lambda:DeleteFunctionConcurrency"}
    assert {each.action for each in unused(called, policy(deployment, "OperatorPolicyArn"))} == rare
