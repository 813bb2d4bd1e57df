"""The code of this release with deployments of other releases: a function's environment, and a stack's outputs."""

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import pytest

from csv_ingest import RELEASE
from csv_ingest.configuration import IngestConfig, NotConfigured, SweepConfig
from csv_ingest.file_format import FileFormat
from tests.integration.commands import invoke
from tests.integration.world import World

FIRST = frozenset(
    ["UPLOAD_BUCKET", "ROWS_TABLE", "FILES_TABLE", "FAILURE_QUEUE", "ID_COLUMN", "DELIMITER", "ENCODING", "MAX_FILE_MB"]
)
OF_FEEDS = FIRST | {"FEED", "COLUMNS", "DECIMAL_SEPARATOR"}

BEFORE = {
    "before feeds": FIRST,
    "before PostgreSQL": OF_FEEDS,
    "before merge": OF_FEEDS | {"DATABASE"},
    "before 1.1.0": OF_FEEDS | {"DATABASE", "WRITE_MODE"},
}
"""The variables that the ingest function had before a feature or a release."""

earlier = pytest.mark.parametrize("variables", BEFORE.values(), ids=BEFORE)

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


def environment(variables: frozenset[str] = BEFORE["before 1.1.0"]) -> dict[str, str]:
    """Of the world's function, as far as it had these variables."""
    return {name: os.environ[name] for name in variables}


@earlier
def test_missing_variables_mean_what_functions_did(world: World, variables: frozenset[str]) -> None:  # noqa: ARG001 - for its environment
    config = IngestConfig.from_environment(environment(variables))
    assert config.format == FileFormat("id", ",", "utf-8", ".", ())
    assert (config.feed, config.postgresql, config.merges) == ("default", None, False)
    assert (config.max_rejected, config.existing_table) == ("none", "")


@earlier
def test_new_code_works_before_its_environment_comes(
    world: World, variables: frozenset[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in {*IngestConfig.variables()} - variables:
        monkeypatch.delenv(name, raising=False)
    world.deliver(world.upload("a.csv", "id,name\n1,a\n"))
    assert world.file("a.csv")["status"] == "COMPLETE"


@earlier
def test_commands_work_on_an_earlier_deployment(deploy: Deploy, world: World, variables: frozenset[str]) -> None:
    deploy(environment(variables), "")
    world.deliver(world.upload("a.csv", "id,name\n1,a\n"))
    done = invoke("--stack", world.bucket, "audit", code=0)
    assert done.stdout == "1 file, 1 row, 0 findings\n"
    assert done.stderr.startswith(
        f"The deployment is of a release before 1.1.0, this is {RELEASE}: deploy this one (docs/upgrading.md), or use "
        "the checkout of that release\n"
    )


@pytest.mark.parametrize("release", [RELEASE, f"{RELEASE.rpartition('.')[0]}.99"])
def test_a_fix_of_the_release_is_no_mismatch(deploy: Deploy, world: World, release: str) -> None:
    deploy(environment() | {"RELEASE": release}, release)
    assert "release" not in invoke("--stack", world.bucket, "status", code=0).stderr


@pytest.mark.parametrize("verb", [["status"], ["audit", "--repair"], ["forget", "a.csv", "--yes"]])
def test_older_commands_misread_no_newer_deployment(deploy: Deploy, world: World, verb: list[str]) -> None:
    deploy(environment() | {"RELEASE": "9.0.0", "LATER": "x"}, "9.0.0")
    world.upload("a.csv", "id,name\n1,a\n")
    assert invoke("--stack", world.bucket, *verb, code=1).output == (
        f"Error: the deployment is of release 9.0.0, this is {RELEASE}, which could misread its records: use the "
        "checkout of release 9.0.0\n"
    )
    assert world.s3.head_object(Bucket=world.bucket, Key="a.csv")


def test_the_brake_works_on_a_newer_deployment(deploy: Deploy, world: World) -> None:
    deploy(environment() | {"RELEASE": "9.0.0"}, "9.0.0")
    assert invoke("--stack", world.bucket, "pause", code=0).stdout.startswith("Paused.")


def test_a_missing_variable_is_named_in_one_sentence(deploy: Deploy, world: World) -> None:
    deploy(environment(FIRST - {"ID_COLUMN"}), RELEASE)
    expected = "the function's environment lacks ID_COLUMN: deploy the stack again"
    assert invoke("--stack", world.bucket, "audit", code=1).output.endswith(f"Error: {expected}\n")
    with pytest.raises(NotConfigured, match=expected):
        IngestConfig.from_environment(environment(FIRST - {"ID_COLUMN"}))
    with pytest.raises(NotConfigured, match="lacks FEEDS"):
        SweepConfig.from_environment(environment())
