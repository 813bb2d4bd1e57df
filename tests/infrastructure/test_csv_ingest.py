"""`CsvIngest` in another stack: beside a second one, beside other buckets, and with what the stack has already."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as notifications
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match

from local.processes import PROJECT
from stacks import CsvIngest, Feed
from stacks.context import InvalidSetting, settings_from_context
from tests.infrastructure.conftest import (
    ALARM,
    BUCKET,
    BUCKET_NOTIFICATIONS,
    FUNCTION,
    LOG_GROUP,
    ROLE,
    TABLE,
    TOPIC,
    Synthesized,
    arn,
    but_versions,
    ingest_permissions,
    live,
    permissions_of,
    statements,
    violations,
)
from tests.permissions import Permission
from tests.templates import as_list, readable

ORDERS = Feed(name="orders", key_prefix="orders/")
OWN_APP = PROJECT / "docs" / "own-app.md"


def a_stack() -> Stack:
    return Stack(App(context={"aws:cdk:bundling-stacks": []}), "Shop")


def notified_elsewhere(stack: Stack) -> None:
    """A bucket that is none of the pipeline's, and tells a queue."""
    queue = notifications.SqsDestination(sqs.Queue(stack, "Queue"))
    s3.Bucket(stack, "Foreign").add_event_notification(s3.EventType.OBJECT_CREATED, queue)


def two_of(stack: Stack) -> None:
    for id_ in ("First", "Second"):
        CsvIngest(stack, id_, feeds=[ORDERS])


@pytest.fixture(scope="module")
def two() -> Synthesized:
    stack = a_stack()
    two_of(stack)
    return Synthesized(stack)


class TestTwoInOneStack:
    @pytest.mark.parametrize("id_", ["First", "Second"])
    def test_each_function_reads_and_writes_its_own(self, two: Synthesized, id_: str) -> None:
        expected = ingest_permissions(two, "Orders", prefix="orders/", of=id_)
        assert permissions_of(two, f"{id_}IngestionIngestOrdersRole") == expected
        variables = two.only(FUNCTION, f"{id_}IngestionIngest")["Properties"]["Environment"]["Variables"]
        for name in ("UPLOAD_BUCKET", "ROWS_TABLE", "FILES_TABLE"):
            assert variables[name]["Ref"].startswith(f"{id_}Storage")

    @pytest.mark.parametrize("id_", ["First", "Second"])
    def test_each_bucket_invokes_its_own_function(self, two: Synthesized, id_: str) -> None:
        notified = two.only(BUCKET_NOTIFICATIONS, id_)["Properties"]
        function = live(two, f"{id_}IngestionIngestOrders")
        assert notified["BucketName"] == {"Ref": two.id_of(BUCKET, id_)}
        triggers = notified["NotificationConfiguration"]["LambdaFunctionConfigurations"]
        assert [each["LambdaFunctionArn"] for each in triggers] == [function] * 3

    def test_their_metrics_and_alarms_are_apart(self, two: Synthesized) -> None:
        functions = [each["Properties"] for each in two.all(FUNCTION).values() if "Environment" in each["Properties"]]
        services = [each["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] for each in functions]
        assert set(services) == {"Shop.First", "Shop.First/orders", "Shop.Second", "Shop.Second/orders"}
        assert len(services) == 6, "each pipeline has an ingest function, a sweep and a notifier"
        alarms = [each["Properties"] for each in two.all(ALARM).values()]
        watched = [(each["MetricName"], each.get("Statistic"), str(each["Dimensions"])) for each in alarms]
        assert len(watched) == len(set(watched))

    def test_all_checks_pass(self, tmp_path: Path) -> None:
        app = App(outdir=str(tmp_path), context={"aws:cdk:bundling-stacks": []})
        two_of(Stack(app, "Shop"))
        assert violations(app) == []


FLAGS = json.loads((PROJECT / "cdk.json").read_text())["context"]


@pytest.mark.parametrize(
    "flags",
    [{}, {name: not value for name, value in FLAGS.items() if isinstance(value, bool)}],
    ids=["none", "the others"],
)
def test_feature_flags_of_another_app_change_nothing(flags: dict[str, bool], tmp_path: Path) -> None:
    """Of 89 flags, tried one by one, three change the template: how statements are written, and names of versions."""
    app = App(outdir=str(tmp_path), context={"aws:cdk:bundling-stacks": [], **flags})
    stack = Stack(app, "Shop")
    CsvIngest(stack, "First", feeds=[ORDERS])
    assert violations(app) == []
    found = Synthesized(stack)
    expected = ingest_permissions(found, "Orders", prefix="orders/", of="First")
    assert permissions_of(found, "FirstIngestionIngestOrdersRole") == expected
    app_with_ours = App(context={"aws:cdk:bundling-stacks": [], **FLAGS})
    stack_with_ours = Stack(app_with_ours, "Shop")
    CsvIngest(stack_with_ours, "First", feeds=[ORDERS])
    kinds = [
        Counter(each["Type"] for each in all_.values())
        for all_ in map(but_versions, (found, Synthesized(stack_with_ours)))
    ]
    assert kinds[0] == kinds[1]


class TestNotifications:
    """The CDK has one function in each stack for the notifications of all buckets."""

    @pytest.mark.parametrize("foreign_first", [True, False])
    def test_of_every_bucket_can_be_set(self, foreign_first: bool) -> None:
        stack = a_stack()
        makers: list[Callable[[Stack], None]] = [notified_elsewhere, two_of]
        for make in makers if foreign_first else reversed(makers):
            make(stack)
        found = Synthesized(stack)
        function = found.only(FUNCTION, "BucketNotificationsHandler")["Properties"]
        role = function["Role"]["Fn::GetAtt"][0]
        needed = {Permission("s3:PutBucketNotification", str(readable(arn(id_)))) for id_ in found.all(BUCKET)}
        assert len(needed) == 3
        assert needed <= permissions_of(found, role)
        # A function that others have made keeps what the CDK gave it; ours cannot write to every log group.
        assert ("ManagedPolicyArns" in found.only(ROLE, role)["Properties"]) is foreign_first
        assert ("LoggingConfig" in function) is not foreign_first
        for each in found.all(BUCKET_NOTIFICATIONS).values():
            before = str([found.template["Resources"][id_] for id_ in each["DependsOn"]])
            bucket = arn(each["Properties"]["BucketName"]["Ref"])
            assert f"'s3:PutBucketNotification', 'Effect': 'Allow', 'Resource': {bucket}" in before

    def test_of_one_bucket_are_not_imported_twice(self) -> None:
        stack = a_stack()
        for id_ in ("First", "Second"):
            bucket = s3.Bucket.from_bucket_name(stack, f"Import{id_}", "orders-in")
            CsvIngest(stack, id_, bucket=bucket, feeds=[Feed(key_prefix=f"{id_}/")])
        both = "Shop/First/Storage/Uploads and Shop/Second/Storage/Uploads are one bucket"
        with pytest.raises(RuntimeError, match=both):
            App.of(stack).synth()  # type: ignore[union-attr]

    def test_of_a_bucket_of_the_stack_are_not_made_of_an_import(self) -> None:
        stack = a_stack()
        bucket = s3.Bucket(stack, "Mine")
        bucket.add_event_notification(s3.EventType.OBJECT_REMOVED, notifications.SqsDestination(sqs.Queue(stack, "Q")))
        CsvIngest(stack, "Ingest", bucket=s3.Bucket.from_bucket_name(stack, "Import", bucket.bucket_name))
        with pytest.raises(RuntimeError, match="Shop/Mine and Shop/Ingest/Storage/Uploads are one bucket"):
            App.of(stack).synth()  # type: ignore[union-attr]


class TestWhatTheStackHas:
    def test_its_bucket_gets_notifications_beside_its_own(self) -> None:
        stack = a_stack()
        bucket = s3.Bucket(stack, "Mine", versioned=True)
        bucket.add_event_notification(
            s3.EventType.OBJECT_REMOVED, notifications.SqsDestination(sqs.Queue(stack, "Queue"))
        )
        pipelines = [
            CsvIngest(stack, name, bucket=bucket, feeds=[Feed(key_prefix=f"{name}/")]) for name in ("in", "back")
        ]
        found = Synthesized(stack)
        configuration = found.only(BUCKET_NOTIFICATIONS)["Properties"]["NotificationConfiguration"]
        assert len(configuration["LambdaFunctionConfigurations"]) == 6
        assert len(configuration["QueueConfigurations"]) == 1
        assert [each.bucket for each in pipelines] == [bucket, bucket]
        for sweep in (found.only(FUNCTION, f"{name}IngestionSweep") for name in ("in", "back")):
            assert sweep["Properties"]["Environment"]["Variables"]["EXISTING_BUCKET"] == "true"

    def test_a_bucket_of_another_stack_is_refused(self) -> None:
        stack = a_stack()
        with pytest.raises(ValueError, match=r"bucket Shop/Mine is of another stack.*from_bucket_name"):
            CsvIngest(Stack(App.of(stack), "Other"), "Ingest", bucket=s3.Bucket(stack, "Mine"))

    def test_its_key_lets_alarms_and_logs_in(self) -> None:
        stack = a_stack()
        CsvIngest(stack, "Ingest", key=kms.Key(stack, "Key"))
        found = Synthesized(stack)
        policy = found.only("AWS::KMS::Key")["Properties"]["KeyPolicy"]["Statement"]
        [documented] = re.findall(r"```json\n(.*?)```", OWN_APP.read_text(), flags=re.DOTALL)
        names = {"eu-west-1": "${AWS::Region}", "123456789012": "${AWS::AccountId}", "CsvIngest": "Shop"}
        for name, value in {**names, "arn:aws:": "arn:${AWS::Partition}:"}.items():
            documented = documented.replace(name, value)
        expected = [{k: v for k, v in each.items() if k != "Sid"} for each in json.loads(documented)]
        assert readable(policy)[1:] == expected
        key = str(arn(found.id_of("AWS::KMS::Key")))
        assert {str(each["Properties"]["KmsKeyId"]) for each in found.all(LOG_GROUP).values()} == {key}
        about = Match.string_like_regexp("alarms reach nobody")
        assert not Annotations.from_stack(stack).find_warning("*", about)

    def test_its_topic_is_notified(self) -> None:
        stack = a_stack()
        topic = sns.Topic(stack, "Oncall")
        ingest = CsvIngest(stack, "Ingest", topic=topic)
        found = Synthesized(stack)
        told = {"Ref": found.id_of(TOPIC)}
        assert ingest.topic is topic
        assert all(each["Properties"]["AlarmActions"] == [told] for each in found.all(ALARM).values())
        with pytest.raises(ValueError, match=r"alarm_email='me@example\.com': with topic, subscribe the address to "):
            CsvIngest(stack, "Another", topic=topic, alarm_email="me@example.com")


def test_others_may_read_the_rows_of_a_feed() -> None:
    stack = a_stack()
    ingest = CsvIngest(stack, "Ingest", feeds=[ORDERS, Feed(name="stock", key_prefix="stock/")])
    ingest.grant_read(iam.User(stack, "Shop"), feed="orders")
    with pytest.raises(KeyError):
        ingest.grant_read(iam.User(stack, "Other"), feed="vendors")
    found = Synthesized(stack)
    granted = statements(found.only("AWS::IAM::Policy", "ShopDefaultPolicy"))
    assert [as_list(each["Resource"]) for each in granted] == [[arn(found.id_of(TABLE, "RowsOrders"))]] * len(granted)
    assert "dynamodb:Query" in granted[0]["Action"]
    assert not any("Put" in str(each["Action"]) or "Delete" in str(each["Action"]) for each in granted)


@pytest.mark.parametrize(
    "prefixes",
    [
        {"orders": "in/", "vendors": "in/acme/"},
        {"orders": "", "vendors": "in/"},
        {"a-1": "x/", "a1": "y/"},
        {f"feed-{number:02}": f"{number:02}/" for number in range(21)},
    ],
)
def test_wrong_feeds_are_refused_in_the_words_of_the_context(prefixes: dict[str, str]) -> None:
    feeds = [Feed(name=name, key_prefix=prefix) for name, prefix in prefixes.items()]
    with pytest.raises(ValueError) as refused:  # noqa: PT011  compared below
        CsvIngest(a_stack(), "Ingest", feeds=feeds)
    with pytest.raises(InvalidSetting) as as_context:
        settings_from_context({"feeds": {name: {"key_prefix": prefix} for name, prefix in prefixes.items()}})
    assert str(refused.value) == str(as_context.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"feeds": []}, "feeds: 0 are too few"),
        ({"feeds": [ORDERS, ORDERS]}, "feeds orders and orders: the outputs of both would end in Orders: rename one"),
        ({"ignored_prefixes": [""]}, "ignored_prefixes: an empty one would ignore all objects"),
    ],
)
def test_what_only_code_can_give_is_refused(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        CsvIngest(a_stack(), "Ingest", **given)


def test_the_documented_example_passes_all_checks(tmp_path: Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", OWN_APP.read_text(), flags=re.DOTALL)
    assert "\napp = App()\n" in example
    unbundled = "aws:cdk:bundling-stacks"
    example = example.replace("App()", f"App(outdir={str(tmp_path)!r}, context={{{unbundled!r}: []}})")
    exec(example, {})  # noqa: S102  it is the documentation; it raises RuntimeError if its `guard` finds something
    assert (tmp_path / "Shop.template.json").exists()
    reports = json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
    assert [violation for each in reports for violation in each["violations"]] == []
