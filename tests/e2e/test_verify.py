"""`verify` tries the deployed stack: all is good, or it says what is broken and what to do."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from csv_ingest.queues import LIVE
from local.deployment import Deployment
from ops import brake
from ops.pipeline import Pipeline
from ops.verifying import account, engine, files, operating, run, telling
from ops.verifying.report import Failed, Outcome
from ops.verifying.run import Check
from ops.verifying.sample import Sample
from ops.verifying.trial import Trial
from tests.integration.commands import invoke

SKIPPED = [
    "key of the bucket",
    "what expires is deleted",
    "tables in PostgreSQL",
    "DynamoDB: one key twice",
    "DynamoDB: conflicts",
    "an alarm",
    "REPORT lines",
]
"""What this deployment has not, or MiniStack cannot do."""


@pytest.fixture(autouse=True)
def _no_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No delivery runs for whose end `forget` would have to wait."""
    monkeypatch.setattr("ops.erasing.CLOCKS", -60)
    monkeypatch.setattr("ops.verifying.trial.LOOK_SECONDS", 0.2)


def uploaded(deployment: Deployment) -> list[str]:
    """The keys of what `verify` has uploaded and not deleted."""
    listed = deployment.pipeline.clients.s3.list_object_versions(Bucket=deployment.pipeline.upload_bucket)
    return [each["Key"] for each in listed.get("Versions", []) if "csv-ingest-verify" in each["Key"]]


@pytest.mark.usefixtures("inbox")
def test_all_is_good_and_nothing_is_left(deployment: Deployment, tmp_path: Path) -> None:
    before = deployment.rows()
    file = tmp_path / "verified.json"
    told = invoke("verify", "--yes", "--report", str(file), code=0)
    report = json.loads(file.read_text())
    assert [each["check"] for each in report["checks"] if each["outcome"] == "skipped"] == SKIPPED
    assert (report["good"], report["where"]) == (True, "a local AWS")
    assert "0 failed, 7 skipped. All that was checked is good." in told.stdout
    assert deployment.rows() == before
    assert not uploaded(deployment)


@pytest.mark.usefixtures("deployment")
def test_it_asks_before_it_begins() -> None:
    told = invoke("verify", code=1)
    assert "is paused for a minute at most" in told.stderr
    assert "nothing was done" in told.stderr


def test_nothing_is_uploaded_where_it_is_in_vain(deployment: Deployment) -> None:
    with paused(deployment.pipeline):
        told = invoke("verify", "--yes", code=1)
    assert "1 failed, 21 skipped. NO FILE WAS TRIED: see above why." in told.stdout
    assert "pause, and a redrive: first what failed above" in told.stderr


def test_what_was_uploaded_is_forgotten_after_ctrl_c(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: Trial) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "CHECKS", {"a small file": files.small, "Ctrl-C": interrupt})
    trial, told = Trial(deployment.pipeline, deployment.pipeline.feeds[0], patience=60), list[str]()
    with pytest.raises(KeyboardInterrupt):
        run.verify(trial, lambda result: told.append(f"{result.check} {result.outcome}"))
    assert told[-2:] == ["a small file passed", "nothing is left passed"]
    assert not uploaded(deployment)


@contextmanager
def hooked(pipeline: Pipeline, event: str, hook: Callable[..., Any]) -> Iterator[None]:
    """Have DynamoDB answer otherwise."""
    events: Any = pipeline.clients.dynamodb.meta.events
    events.register(event, hook)
    yield
    events.unregister(event, hook)


@contextmanager
def unversioned(pipeline: Pipeline) -> Iterator[None]:
    def put(status: Any) -> None:
        pipeline.clients.s3.put_bucket_versioning(
            Bucket=pipeline.upload_bucket, VersioningConfiguration={"Status": status}
        )

    put("Suspended")
    yield
    put("Enabled")


@contextmanager
def unnotified(pipeline: Pipeline) -> Iterator[None]:
    s3, bucket = pipeline.clients.s3, pipeline.upload_bucket
    found: Any = s3.get_bucket_notification_configuration(Bucket=bucket)
    found.pop("ResponseMetadata")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    yield
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=found)


@contextmanager
def paused(pipeline: Pipeline) -> Iterator[None]:
    brake.pause(pipeline.feeds[0])
    yield
    brake.resume(pipeline, pipeline.feeds[0])


@contextmanager
def with_old_bootstrap(_: Pipeline) -> Iterator[None]:
    ssm, name = boto3.client("ssm"), "/cdk-bootstrap/hnb659fds/version"
    version = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.put_parameter(Name=name, Value="5", Type="String", Overwrite=True)
    yield
    ssm.put_parameter(Name=name, Value=version, Type="String", Overwrite=True)


def role_of(pipeline: Pipeline) -> str:
    deployed = pipeline.clients.lambda_.get_function_configuration(
        FunctionName=pipeline.feeds[0].function, Qualifier=LIVE
    )
    return deployed["Role"].rpartition("/")[2]


@contextmanager
def with_more_rights(pipeline: Pipeline) -> Iterator[None]:
    iam, role = boto3.client("iam"), role_of(pipeline)
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="more", PolicyDocument=document)
    yield
    iam.delete_role_policy(RoleName=role, PolicyName="more")


@contextmanager
def with_fewer_rights(pipeline: Pipeline) -> Iterator[None]:
    iam, role = boto3.client("iam"), role_of(pipeline)
    [name, *_] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document: Any = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    yield
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


@contextmanager
def with_overwriting_engine(pipeline: Pipeline) -> Iterator[None]:
    """One that answers as if it had written what was there."""

    def forget_errors(parsed: dict[str, Any], **_: Any) -> None:
        for each in parsed.get("Responses", []):
            each.pop("Error", None)

    with hooked(pipeline, "after-call.dynamodb.BatchExecuteStatement", forget_errors):
        yield


@contextmanager
def without_failure_queue(pipeline: Pipeline) -> Iterator[None]:
    """Lambda keeps no event that it gives up."""
    lambda_, function = pipeline.clients.lambda_, pipeline.feeds[0].function
    found = lambda_.get_function_event_invoke_config(FunctionName=function, Qualifier=LIVE)
    lambda_.delete_function_event_invoke_config(FunctionName=function, Qualifier=LIVE)
    yield
    lambda_.put_function_event_invoke_config(
        FunctionName=function,
        Qualifier=LIVE,
        MaximumRetryAttempts=found["MaximumRetryAttempts"],
        MaximumEventAgeInSeconds=found["MaximumEventAgeInSeconds"],
        DestinationConfig=found["DestinationConfig"],
    )


@contextmanager
def without_notifier(pipeline: Pipeline) -> Iterator[None]:
    lambda_ = pipeline.clients.lambda_
    mappings = lambda_.list_event_source_mappings(FunctionName=f"{pipeline.notifier}:{LIVE}")["EventSourceMappings"]
    for mapping in mappings:
        lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    assert mappings
    yield
    for mapping in mappings:
        lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


@contextmanager
def with_lost_transactions(pipeline: Pipeline) -> Iterator[None]:
    """One transaction is answered, and never made."""
    lost = iter([True])

    def lose(**_: Any) -> tuple[Any, dict[str, Any]] | None:
        return (SimpleNamespace(status_code=200), {}) if next(lost, False) else None

    with hooked(pipeline, "before-call.dynamodb.TransactWriteItems", lose):
        yield


@contextmanager
def with_disabled_key(pipeline: Pipeline) -> Iterator[None]:
    s3, kms, bucket = pipeline.clients.s3, boto3.client("kms"), pipeline.upload_bucket
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.disable_key(KeyId=key)
    found: Any = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    default: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [default]})
    yield
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=found)


@contextmanager
def untouched(_: Pipeline) -> Iterator[None]:
    yield


def missing_row(trial: Trial) -> str:
    """Somebody has deleted a row of a file."""
    trial.patience = 60
    files.small(trial)
    rows = trial.pipeline.clients.dynamodb
    pages = rows.get_paginator("scan").paginate(TableName=trial.feed.rows_table)
    [key, *_] = [item["pk"] for page in pages for item in page["Items"] if trial.run in str(item)]
    rows.delete_item(TableName=trial.feed.rows_table, Key={"pk": key})
    return files.as_uploaded(trial)


def untold_alarm(trial: Trial) -> str:
    topic = boto3.client("sns").create_topic(Name="nobody")["TopicArn"]
    return telling.alarm(replace(trial, pipeline=replace(trial.pipeline, alarm_topic=topic)))


def failing_sweep(trial: Trial) -> str:
    return operating.sweep(replace(trial, pipeline=replace(trial.pipeline, sweep=trial.feed.function)))


def sent_and_malformed(trial: Trial) -> str:
    operating.send_malformed(trial)
    return operating.malformed(trial)


def as_on_aws(check: Check) -> Check:
    """A check that is skipped here, made all the same: MiniStack does otherwise than AWS."""

    def checked(trial: Trial) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Trial, "is_local", False)
            return check(trial)

    return checked


def a_row_too_few(trial: Trial) -> str:
    trial.patience = 60
    with pytest.MonkeyPatch.context() as patch:
        records = Sample.records

        def one_less(sample: Sample, count: int, name: str, note: str = "") -> Any:
            return records(sample, count - (count == 50), name, note)

        patch.setattr(Sample, "records", one_less)
        return files.small(trial)


@contextmanager
def with_rows_that_stay(pipeline: Pipeline) -> Iterator[None]:
    """As in a table of somebody else's, whose time to live is off."""
    [feed] = pipeline.feeds
    before = feed.config
    feed.__dict__["config"] = replace(before, feed=replace(before.feed, keep_rows_days=30))
    yield
    feed.__dict__["config"] = before


Broken = Callable[[Pipeline], AbstractContextManager[None]]


@pytest.mark.usefixtures("inbox")
@pytest.mark.parametrize(
    ("broken", "check", "said"),
    [
        (unversioned, account.versioning, "put-bucket-versioning"),
        (unnotified, account.notifications, "deploy again, then `csv-ingest backfill`"),
        (paused, account.concurrency, "csv-ingest resume"),
        (with_old_bootstrap, account.bootstrap, "run `cdk bootstrap`"),
        (with_more_rights, account.roles, "may s3:PutObject .* or deploy again"),
        (with_fewer_rights, account.roles, "may not s3:GetObjectVersion .* or deploy again"),
        (with_overwriting_engine, engine.insertion, "DuplicateItem.* report it"),
        (with_overwriting_engine, engine.condition, "ConditionalCheckFailed.* report it"),
        (with_rows_that_stay, as_on_aws(account.expiry), "run `aws dynamodb update-time-to-live"),
        (with_disabled_key, account.key, "enable it in KMS"),
        (untouched, as_on_aws(engine.same_key_twice), "took one key twice .* report it"),
        (with_lost_transactions, as_on_aws(engine.conflicts), "added 49 to a sum: .* report it"),
        (untouched, a_row_too_few, "has 49 rows, .* and has to have 50 .* report it"),
        (without_failure_queue, operating.pause, "uploaded during a pause came .* EventsDropped"),
        (untouched, as_on_aws(telling.alarm), "published nothing: look at its history"),
        (unnotified, files.small, "not settled after 3 seconds: see .*small"),
        (unnotified, files.unreadable, "not settled after 3 seconds: see .*unreadable"),
        (untouched, missing_row, "line .* of .*small.csv is not in the table.* report it"),
        (without_failure_queue, sent_and_malformed, "see EventsDropped in the runbook"),
        (without_notifier, telling.event, "see NotifierErrors"),
        (untouched, untold_alarm, "set alarm_email, or subscribe"),
        (untouched, failing_sweep, "see SweepFailing"),
    ],
)
def test_what_is_broken_is_said(deployment: Deployment, broken: Broken, check: Check, said: str) -> None:
    trial = Trial(deployment.pipeline, deployment.pipeline.feeds[0], patience=3)
    found = ""
    with broken(deployment.pipeline):
        try:
            check(trial)
        except Failed as reason:
            found = str(reason)
    assert run.clean(trial).outcome is not Outcome.FAILED
    assert re.search(said, found)
