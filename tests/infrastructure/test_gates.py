"""`cdk synth` fails if anything in the app breaks a rule."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from aws_cdk import Acknowledgment, App, CfnResource, Duration, NestedStack, Stack, Stage, Validations
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct, IConstruct

from gates.plugin import guard
from gates.rules import RULES
from local.processes import PROJECT
from stacks.ingest_stack import IngestStack
from stacks.settings import Settings

Weaken = Callable[[IngestStack], None]

FUNCTION = "Ingestion/Ingest/Function/Resource"
ASYNCHRONOUS = "Ingestion/Ingest/AsynchronousInvocationOfLive"
ALLOWED = "Policies.0.PolicyDocument.Statement.0"
UNGUARDED = {"Principal": "*", "Effect": "Deny", "Action": "sns:Publish", "Resource": "*"}


def resource(stack: IngestStack, path: str) -> CfnResource:
    found: Any = stack.node.find_child("Default")
    for name in path.split("/"):
        found = found.node.find_child(name)
    assert isinstance(found, CfnResource)
    return found


def without(path: str, *names: str) -> Weaken:
    def weaken(stack: IngestStack) -> None:
        for name in names:
            resource(stack, path).add_property_deletion_override(name)

    return weaken


def with_(path: str, name: str, value: Any) -> Weaken:
    return lambda stack: resource(stack, path).add_property_override(name, value)


def allowing(action: str, arn: Any) -> Weaken:
    statement = {"Effect": "Allow", "Action": action, "Resource": arn}
    return with_("Ingestion/Ingest/Role/Resource", "Policies.0.PolicyDocument.Statement.0", statement)


def unwatched(stack: IngestStack) -> None:
    for alarm in ("UploadsFailed", "NewFailures", "FailuresExpire"):
        resource(stack, f"Monitoring/{alarm}/Resource").add_property_deletion_override("AlarmActions")


def only_puts(stack: IngestStack) -> None:
    for number in range(3):
        path = f"NotificationConfiguration.LambdaFunctionConfigurations.{number}.Events"
        resource(stack, "Storage/Uploads/Notifications/Resource").add_property_override(path, ["s3:ObjectCreated:Put"])


def looping(stack: IngestStack) -> None:
    bucket = stack.resolve(stack.get_logical_id(resource(stack, "Storage/Uploads/Resource")))
    allowing("s3:PutObject", {"Fn::Sub": f"${{{bucket}.Arn}}/*"})(stack)


FAILURES = "Ingestion/Failures/Resource"


def polled(**properties: Any) -> Weaken:
    """Have the function poll the failure queue."""

    def weaken(stack: IngestStack) -> None:
        for name, value in properties.items():
            resource(stack, FAILURES).add_property_override(name, value)
        queue, function = resource(stack, FAILURES), resource(stack, FUNCTION)
        lambda_.CfnEventSourceMapping(
            stack, "Poller", event_source_arn=queue.get_att("Arn").to_string(), function_name=function.ref
        )

    return weaken


def unwatched_letters(stack: IngestStack) -> None:
    """Have the failure queue send what nobody can read to a queue without an alarm."""
    letters = sqs.Queue(stack, "Letters", retention_period=Duration.days(14), enforce_ssl=True)
    resource(stack, FAILURES).add_property_override("RedrivePolicy.deadLetterTargetArn", letters.queue_arn)


def subscribed(stack: IngestStack) -> None:
    topic = resource(stack, "Monitoring/AlarmTopic/Resource").ref
    sns.CfnSubscription(stack, "Subscription", topic_arn=topic, protocol="https", endpoint="https://example.com")


REDRIVE = {"deadLetterTargetArn": "arn:aws:sqs:eu-central-1:111122223333:letters", "maxReceiveCount": 3}


def packaged(name: str, size: int) -> Weaken:
    """Replace the function's package by one folder with a file of some size."""

    def weaken(stack: IngestStack) -> None:
        with TemporaryDirectory() as folder:
            (Path(folder) / name).mkdir()
            with (Path(folder) / name / "data").open("wb") as file:
                file.truncate(size)
            asset = Asset(stack, "Package", path=folder)
        resource(stack, FUNCTION).add_property_override("Code.S3Key", asset.s3_object_key)

    return weaken


WEAKENED: dict[str, Weaken] = {
    "async-timeout": without(FUNCTION, "Timeout"),
    "async-retries": without(ASYNCHRONOUS, "MaximumRetryAttempts"),
    "async-on-failure": without(ASYNCHRONOUS, "DestinationConfig"),
    "async-failures-alarmed": unwatched,
    "async-reserved-concurrency": without(FUNCTION, "ReservedConcurrentExecutions"),
    "queue-redrive": polled(VisibilityTimeout=180),
    "queue-visibility": polled(VisibilityTimeout=179, RedrivePolicy=REDRIVE),
    "dead-letters-alarmed": unwatched_letters,
    "rule-dead-letters": with_("Ingestion/Hourly/Resource", "EventPattern", {"source": ["orders"]}),
    "rule-permission": with_(
        "Ingestion/Hourly/AllowEventRuleCsvIngestIngestionSweepLiveC998CF63", "Principal", "sns.amazonaws.com"
    ),
    "subscription-dead-letters": subscribed,
    "alarm-can-fire": with_("Monitoring/Throttled/Resource", "MetricName", "ApproximateNumberOfMessagesVisible"),
    "runtime-supported": with_(FUNCTION, "Runtime", "python3.9"),
    "log-retention": without("Ingestion/Ingest/Log/Resource", "RetentionInDays"),
    "memory-explicit": without(FUNCTION, "MemorySize"),
    "s3-every-creation": only_puts,
    "s3-permission": without(
        "Storage/Uploads/AllowBucketNotificationsToCsvIngestIngestionIngestLive78DF568F", "SourceAccount"
    ),
    "s3-loop": looping,
    "iam-wildcard-action": allowing("s3:Get*", "arn:aws:s3:::uploads/*"),
    "iam-wildcard-resource": allowing("dynamodb:PutItem", "*"),
    "iam-named-buckets": allowing("s3:GetObject", "arn:aws:s3:::*/*"),
    "bucket-public-access": with_(
        "Storage/Uploads/Resource", "PublicAccessBlockConfiguration.BlockPublicPolicy", False
    ),
    "bucket-tls": with_("Storage/Uploads/Policy/Resource", "PolicyDocument.Statement", [UNGUARDED]),
    "queue-tls": with_("Ingestion/Failures/Policy/Resource", "PolicyDocument.Statement", [UNGUARDED]),
    "dead-letter-retention": with_("Ingestion/Failures/Resource", "MessageRetentionPeriod", 345_600),
    "package-size": packaged("data", 51_000_000),
    "package-contents": packaged("pandas", 1),
    "template-complete": with_("Ingestion/Ingest/Log/Resource", "Fn::Transform", {"Name": "AWS::Include"}),
}
ONLY_WARNS = {"template-complete"}


def guarded(tmp_path: Path) -> tuple[App, IngestStack]:
    app = App(outdir=str(tmp_path), context={"aws:cdk:bundling-stacks": []})
    stack = IngestStack(app, "CsvIngest", settings=Settings())
    guard(app)
    return app, stack


def report(tmp_path: Path, plugin: str) -> list[dict[str, Any]]:
    """The violations in the CDK's report that the gates, or a pack of cdk-nag, found."""
    plugins = json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
    return [violation for each in plugins if each["pluginName"] == plugin for violation in each["violations"]]


def careless_function(scope: Construct) -> None:
    """A function as the CDK's examples write it."""
    code, runtime = lambda_.Code.from_inline("def handler(event, context): pass"), lambda_.Runtime.PYTHON_3_13
    lambda_.Function(scope, "Careless", code=code, handler="index.handler", runtime=runtime)


CARELESS_APP = """
from aws_cdk import App, Stack
from gates.plugin import guard
from tests.infrastructure.test_gates import careless_function

app = App()
careless_function(Stack(app, "Careless"))
guard(app)
app.synth()
"""


def test_each_rule_protects_something_in_this_stack() -> None:
    assert list(WEAKENED) == [rule.id for rule in RULES]


def test_nothing_in_this_stack_breaks_a_rule(tmp_path: Path) -> None:
    app, _ = guarded(tmp_path)
    app.synth()
    assert [report(tmp_path, plugin) for plugin in ("gates", "AwsSolutions", "Serverless")] == [[], [], []]


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.id not in ONLY_WARNS], ids=lambda rule: rule.id)
def test_the_synthesis_fails_without_a_hardening(rule: Any, tmp_path: Path) -> None:
    app, stack = guarded(tmp_path)
    WEAKENED[rule.id](stack)
    with pytest.raises(RuntimeError) as failure:
        app.synth()
    for said in (rule.why, f"Suggested fix: {rule.fix}", f"Acknowledge with 'gates::{rule.id}'"):
        assert said in str(failure.value)
    assert {each["ruleName"] for each in report(tmp_path, "gates")} == {rule.id}


@pytest.mark.parametrize(
    ("guarded", "found"),
    [
        ("", {"First", "Second", "Prod"}),
        ("First", {"First"}),
        ("First/Part", set()),
        ("First/Careless", {"First"}),
        ("Prod", {"Prod"}),
        ("Prod/Third", {"Prod"}),
    ],
)
def test_what_is_guarded_is_checked_and_nothing_else(guarded: str, found: set[str], tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path), context={"aws:cdk:bundling-stacks": []})
    for stack in (Stack(app, "First"), Stack(app, "Second"), Stack(Stage(app, "Prod"), "Third")):
        careless_function(stack)
        Construct(stack, "Part")
    scope: IConstruct = app
    for id_ in filter(None, guarded.split("/")):
        scope = scope.node.find_child(id_)
    guard(scope)
    with pytest.raises(RuntimeError) if found else nullcontext():
        app.synth()
    for plugin in ("gates", "AwsSolutions", "Serverless"):
        paths = [path["constructPath"] for each in report(tmp_path, plugin) for path in each["violatingConstructs"]]
        assert {path.partition("/")[0] for path in paths} == found, plugin


def test_a_function_in_a_nested_stack_is_checked(tmp_path: Path) -> None:
    app, stack = guarded(tmp_path)
    careless_function(NestedStack(stack, "Nested"))
    with pytest.raises(RuntimeError):
        app.synth()
    assert {each["ruleName"] for each in report(tmp_path, "gates")} == {"memory-explicit", "log-retention"}
    # The packs of cdk-nag check nested stacks too.
    assert "AwsSolutions-IAM4" in str(report(tmp_path, "AwsSolutions"))
    assert "Serverless-LambdaDLQ" in str(report(tmp_path, "Serverless"))


@pytest.mark.parametrize("reason", ["It runs once a year, by hand.", " "])
def test_a_finding_is_acknowledged_only_with_a_reason(reason: str, tmp_path: Path) -> None:
    app, stack = guarded(tmp_path)
    WEAKENED["memory-explicit"](stack)
    Validations.of(stack).acknowledge(Acknowledgment(id="gates::memory-explicit", reason=reason))
    if reason.strip():
        app.synth()
    else:
        with pytest.raises(RuntimeError, match="gates"):
            app.synth()


UNKNOWN_RUNTIME = with_(FUNCTION, "Runtime", "python9")  # a runtime that is not in the table yet


@pytest.mark.parametrize(
    ("rule", "weaken"),
    [("runtime-supported", UNKNOWN_RUNTIME), *((rule, WEAKENED[rule]) for rule in sorted(ONLY_WARNS))],
)
def test_a_warning_lets_the_synthesis_through(rule: str, weaken: Weaken, tmp_path: Path) -> None:
    app, stack = guarded(tmp_path)
    weaken(stack)
    app.synth()
    assert [(each["ruleName"], each["severity"]) for each in report(tmp_path, "gates")] == [(rule, "warning")]


def test_cdk_synth_fails_with_the_finding(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(CARELESS_APP)
    command = [
        "cdk",
        "--no-notices",
        "synth",
        "--app",
        f"{sys.executable} {tmp_path / 'app.py'}",
        "--output",
        str(tmp_path),
    ]
    tools = [str(Path(sys.executable).parent), str(PROJECT / "node_modules" / ".bin"), os.environ["PATH"]]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PATH": os.pathsep.join(tools)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ERROR MemorySize: not set: 128 MB. Memory also determines the CPU share" in done.stdout + done.stderr
