"""The code of this release with deployments of other releases: a function's environment, and a stack's outputs."""

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from csv_ingest import RELEASE
from csv_ingest.configuration import IngestConfig, NotConfigured, SweepConfig
from csv_ingest.model import Tuning
from ops import brake
from ops.audit import audit
from ops.pipeline import Pipeline
from tests.integration.commands import invoke
from tests.integration.faults import Calls, Killed
from tests.integration.invoking import Invocations
from tests.integration.parts import SMALL_PARTS, deliver_all
from tests.integration.settings import feed_now
from tests.integration.world import BOTH_DESTINATIONS, World

earlier = pytest.mark.parametrize("release", ["", "1.1.0", "1.4.0"], ids=["before 1.1.0", "1.1.0", "1.4.0"])

Deploy = Callable[[Mapping[str, str], str], None]


@pytest.fixture
def deploy(world: World) -> Iterator[Deploy]:
    """Make a stack with the outputs of a release, and the function that they name, with some environment."""
    stack = world.bucket
    cloudformation, lambda_ = boto3.client("cloudformation"), boto3.client("lambda")

    def make(environment: Mapping[str, str], release: str) -> None:
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("handler.py", "")
        function = lambda_.create_function(
            FunctionName=stack,
            Runtime="python3.13",
            Role="arn:aws:iam::000000000000:role/ingest",
            Handler="handler.handler",
            Code={"ZipFile": package.getvalue()},
            Environment={"Variables": dict(environment)},
        )["FunctionArn"]
        trigger: Any = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
        world.s3.put_bucket_notification_configuration(
            Bucket=world.bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [trigger]}
        )
        outputs = {
            "UploadBucketName": world.bucket,
            "RowsTableName": world.rows_table,
            "FilesTableName": world.files_table,
            "FailureQueueUrl": world.failure_queue,
            "IngestFunctionName": stack,
            "AlarmTopicArn": "arn:aws:sns:us-east-1:000000000000:alarms",
            **({"Release": release} if release else {}),
        }
        template = {
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template))
        cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})

    yield make
    cloudformation.delete_stack(StackName=stack)


def environment() -> dict[str, str]:
    """Of the world's function."""
    return {name: os.environ[name] for name in ("UPLOAD_BUCKET", "ROWS_TABLE", "FILES_TABLE", "FAILURE_QUEUE", "FEED")}


def environment_in(release: str) -> dict[str, str]:
    """The same, as a release wrote it: before 1.2, FEED was the name alone."""
    return environment() | {"RELEASE": release} | ({"FEED": feed_now().name} if release < "1.2" else {})


@earlier
def test_commands_refuse_an_earlier_deployment(deploy: Deploy, world: World, release: str) -> None:
    """Its functions have no alias by which they are invoked."""
    deploy(environment_in(release), release)
    of = f"release {release}" if release else "a release before 1.1.0"
    assert invoke("--stack", world.bucket, "audit", code=1).output == (
        f"Error: the deployment is of {of}, this is {RELEASE}: deploy this one (docs/upgrading.md), or use the "
        "checkout of that release\n"
    )


@earlier
def test_the_brake_works_on_an_earlier_deployment(
    deploy: Deploy, world: World, release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(environment_in(release), release)
    done = invoke("--stack", world.bucket, "pause", code=0)
    assert (done.stdout[:7], done.stderr[:18]) == ("Paused.", "The deployment is ")
    # The local CloudFormation makes no function of this template.
    resources = [{"LogicalResourceId": "Ingest", "PhysicalResourceId": world.bucket}]
    template = {"Resources": {"Ingest": {"Properties": {"ReservedConcurrentExecutions": 7}}}}
    told = SimpleNamespace(
        get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: [{"StackResourceSummaries": resources}]),
        get_template=lambda **_: {"TemplateBody": template},
    )
    found, client = Pipeline.find(world.bucket), boto3.client
    monkeypatch.setattr("ops.brake.boto3.client", lambda name: told if name == "cloudformation" else client(name))
    assert brake.resume(found, found.feeds[0]) == (50 if release == "1.4.0" else 7)
    assert not brake.paused(found.feeds)


@pytest.mark.parametrize("release", [RELEASE, f"{RELEASE.rpartition('.')[0]}.99"])
def test_a_fix_of_the_release_is_no_mismatch(deploy: Deploy, world: World, release: str) -> None:
    deploy(environment() | {"RELEASE": release}, release)
    assert "release" not in invoke("--stack", world.bucket, "status", code=0).stderr


@pytest.mark.parametrize("verb", [["status"], ["audit", "--repair"], ["forget", "a.csv", "--yes"]])
def test_older_commands_misread_no_newer_deployment(deploy: Deploy, world: World, verb: list[str]) -> None:
    world.upload("a.csv", "id,name\n1,a\n")
    deploy(environment() | {"RELEASE": "9.0.0", "LATER": "x"}, "9.0.0")
    assert invoke("--stack", world.bucket, *verb, code=1).output == (
        f"Error: the deployment is of release 9.0.0, this is {RELEASE}, which could misread its records: use the "
        "checkout of release 9.0.0\n"
    )
    assert world.s3.head_object(Bucket=world.bucket, Key="a.csv")


def test_the_brake_works_on_a_newer_deployment(deploy: Deploy, world: World) -> None:
    deploy(environment() | {"RELEASE": "9.0.0"}, "9.0.0")
    assert invoke("--stack", world.bucket, "pause", code=0).stdout.startswith("Paused.")


def test_the_brake_is_released_by_unknown_settings(deploy: Deploy, world: World) -> None:
    later = json.loads(os.environ["FEED"]) | {"later": 1, "reserved_concurrency": 7}
    deploy(environment() | {"FEED": json.dumps(later)}, "9.0.0")
    expected = "Resumed, with a reserved concurrency of 7."
    assert invoke("--stack", world.bucket, "resume", "--feed", "default", code=0).stdout.startswith(expected)


def test_a_missing_variable_is_named_in_one_sentence(deploy: Deploy, world: World) -> None:
    without = environment()
    del without["FEED"]
    deploy(without, RELEASE)
    expected = "the function's environment lacks FEED: deploy the stack again"
    assert invoke("--stack", world.bucket, "audit", code=1).output.endswith(f"Error: {expected}\n")
    with pytest.raises(NotConfigured, match=expected):
        IngestConfig.from_environment(without)
    with pytest.raises(NotConfigured, match="lacks FEEDS"):
        SweepConfig.from_environment(environment())


def test_a_setting_of_a_later_release_is_named_in_one_sentence(world: World) -> None:  # noqa: ARG001 - for its environment
    later = json.dumps(json.loads(os.environ["FEED"]) | {"colour": "red"})
    with pytest.raises(NotConfigured, match="is of another release: colour: unknown to this release: deploy again"):
        IngestConfig.from_environment(environment() | {"FEED": later})


OF_BEFORE = "id,name\n" + "".join(f"{n},{n}\n,\n" for n in range(60)) + "id,name\n\x1a\n"
"""A record of nothing after each row, the header again, and Ctrl-Z: each is a row of it by the rules of before."""


@BOTH_DESTINATIONS
@pytest.mark.parametrize("tuning", [Tuning(), SMALL_PARTS], ids=["whole", "in parts"])
def test_a_file_begun_by_former_rules_ends_by_them(world: World, queue: Invocations, tuning: Tuning) -> None:
    world = world.tuned(**vars(tuning))
    event = world.upload("a.csv", OF_BEFORE)
    calls = Calls(*world.engines)
    world.deliver(event)
    first = next((number for number, name in enumerate(calls.names, start=1) if name in STORING), None)
    if first:
        world.empty()
        with pytest.raises(Killed), calls.fault("die_before", first):
            world.deliver(event)
    queue.events.clear()
    by_former_rules(world)
    world.deliver(event)
    deliver_all(world, queue)
    record = world.file("a.csv")
    assert (record["status"], record["rows_read"], record["rows_rejected"]) == ("COMPLETE", 122, 61)
    assert "id" in world.rows()
    assert audit(world.pipeline()).findings == []


STORING = ("BatchExecuteStatement", "WITH")
"""The calls that store rows, in DynamoDB and in PostgreSQL. A file in parts is planned without any."""


def by_former_rules(world: World) -> None:
    """Have the ledger say what a release before 1.3.0 would have said of the file that was begun."""
    for item in world.dynamodb.scan(TableName=world.files_table, ConsistentRead=True)["Items"]:
        if "format" in item:
            settings = json.loads(item["format"]["S"])
            assert settings.pop("rules") == 2
            item["format"] = {"S": json.dumps(settings)}
            item.pop("end_line", None)
            world.dynamodb.put_item(TableName=world.files_table, Item=item)
