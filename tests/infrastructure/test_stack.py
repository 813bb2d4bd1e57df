"""What the deployed stack promises, each property in the words of the person who relies on it."""

import importlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
from aws_cdk import App
from aws_cdk.assertions import Annotations, Match

from csv_ingest import contract as function_side
from local.server import PROJECT
from stacks import contract as stack_side
from stacks.context import settings_from_context
from stacks.gates.intrinsics import as_text
from stacks.gates.plugin import guard
from stacks.gates.template import as_list
from stacks.ingest_stack import IngestStack
from tests.infrastructure.conftest import Synthesized

BUCKET = "AWS::S3::Bucket"
TABLE = "AWS::DynamoDB::Table"
FUNCTION = "AWS::Lambda::Function"
QUEUE = "AWS::SQS::Queue"
TOPIC = "AWS::SNS::Topic"
ALARM = "AWS::CloudWatch::Alarm"

INGEST = "IngestionIngest"
SWEEP = "IngestionSweep"

Synthesize = Callable[..., Synthesized]


def arn(id_: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [id_, "Arn"]}


def statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = policy["Properties"]["PolicyDocument"]["Statement"]
    return found


def denies_plain_http(policy: dict[str, Any], action: str, resources: Any) -> bool:
    """Whether everybody is denied an action on the resources, unless the connection is encrypted."""
    return any(
        statement["Effect"] == "Deny"
        and statement["Action"] == action
        and statement["Principal"] in ("*", {"AWS": "*"})
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        and statement["Resource"] == resources
        for statement in statements(policy)
    )


class TestUploadBucket:
    @pytest.fixture
    def properties(self, stack: Synthesized) -> Any:
        return stack.only(BUCKET)["Properties"]

    def test_keeps_every_version_so_that_the_uploaded_one_can_be_read(self, properties: Any) -> None:
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}

    def test_is_not_public_and_cannot_be_made_so(self, properties: Any) -> None:
        assert properties["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }

    def test_is_encrypted(self, properties: Any) -> None:
        [rule] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}

    def test_drops_the_parts_of_an_abandoned_multipart_upload_after_a_week(self, properties: Any) -> None:
        [rule] = properties["LifecycleConfiguration"]["Rules"]
        assert rule == {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}, "Status": "Enabled"}

    def test_refuses_plain_http(self, stack: Synthesized) -> None:
        bucket = arn(stack.id_of(BUCKET))
        everything = [bucket, {"Fn::Join": ["", [bucket, "/*"]]}]
        assert denies_plain_http(stack.only("AWS::S3::BucketPolicy"), "s3:*", everything)

    def test_reports_every_kind_of_creation_once_for_each_ending(self, stack: Synthesized) -> None:
        assert list(self.triggers(stack)) == [
            (["s3:ObjectCreated:*"], {"suffix": ".csv"}),
            (["s3:ObjectCreated:*"], {"suffix": ".CSV"}),
            (["s3:ObjectCreated:*"], {"suffix": ".csv.gz"}),
        ]

    def test_reports_only_what_is_below_the_prefix(self, synthesize: Synthesize) -> None:
        filters = [filter_ for _, filter_ in self.triggers(synthesize(key_prefix="in/", key_suffixes=".csv,.txt"))]
        assert filters == [{"prefix": "in/", "suffix": ".csv"}, {"prefix": "in/", "suffix": ".txt"}]

    def triggers(self, stack: Synthesized) -> Iterator[tuple[list[str], dict[str, str]]]:
        notifications = stack.only("Custom::S3BucketNotifications")["Properties"]["NotificationConfiguration"]
        for trigger in notifications["LambdaFunctionConfigurations"]:
            assert trigger["LambdaFunctionArn"] == arn(stack.id_of(FUNCTION, INGEST))
            rules = trigger["Filter"]["Key"]["FilterRules"]
            yield trigger["Events"], {rule["Name"]: rule["Value"] for rule in rules}


@pytest.mark.parametrize("name", ["Rows", "Files"])
class TestTables:
    def test_cost_nothing_while_nothing_is_uploaded(self, stack: Synthesized, name: str) -> None:
        properties = stack.only(TABLE, name)["Properties"]
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        assert "OnDemandThroughput" not in properties

    def test_are_encrypted(self, stack: Synthesized, name: str) -> None:
        assert stack.only(TABLE, name)["Properties"]["SSESpecification"] == {"SSEEnabled": True}

    def test_can_be_restored_to_any_point_in_time(self, stack: Synthesized, name: str) -> None:
        recovery = stack.only(TABLE, name)["Properties"]["PointInTimeRecoverySpecification"]
        assert recovery == {"PointInTimeRecoveryEnabled": True}

    def test_outlive_the_stack_in_production(self, synthesize: Synthesize, name: str) -> None:
        table = synthesize(stage="prod").only(TABLE, name)
        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
        assert table["Properties"]["DeletionProtectionEnabled"] is True

    def test_go_with_the_stack_in_development(self, stack: Synthesized, name: str) -> None:
        table = stack.only(TABLE, name)
        assert table["DeletionPolicy"] == "Delete"
        assert table["Properties"].get("DeletionProtectionEnabled", False) is False


def test_the_tables_have_the_keys_that_the_function_writes(stack: Synthesized) -> None:
    def keys(name: str) -> list[tuple[str, str]]:
        return [(key["AttributeName"], key["KeyType"]) for key in stack.only(TABLE, name)["Properties"]["KeySchema"]]

    assert keys("Rows") == [("pk", "HASH")]
    assert keys("Files") == [("object_key", "HASH"), ("entry", "RANGE")]


def test_a_write_limit_bounds_what_the_rows_table_takes(synthesize: Synthesize) -> None:
    limited = synthesize(max_write_units=2_000)
    assert limited.only(TABLE, "Rows")["Properties"]["OnDemandThroughput"] == {"MaxWriteRequestUnits": 2_000}


WORKERS = pytest.mark.parametrize("worker", [INGEST, SWEEP])


@WORKERS
class TestFunctions:
    @pytest.fixture
    def properties(self, stack: Synthesized, worker: str) -> Any:
        return stack.only(FUNCTION, worker)["Properties"]

    def test_run_a_supported_python_on_arm(self, properties: Any) -> None:
        # Until 2029-06-30: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
        assert properties["Runtime"] == "python3.13"
        assert properties["Architectures"] == ["arm64"]

    def test_have_the_time_and_the_memory_for_their_work(self, properties: Any, worker: str) -> None:
        assert (properties["Timeout"], properties["MemorySize"]) == ({INGEST: 30, SWEEP: 900}[worker], 512)

    def test_cannot_take_the_accounts_whole_concurrency(self, properties: Any, worker: str) -> None:
        assert properties["ReservedConcurrentExecutions"] == {INGEST: 50, SWEEP: 1}[worker]

    def test_reserve_nothing_where_the_account_cannot(self, synthesize: Synthesize, worker: str) -> None:
        function = synthesize(reserved_concurrency="none").only(FUNCTION, worker)
        assert "ReservedConcurrentExecutions" not in function["Properties"]

    def test_log_json_to_a_log_group_of_their_own_for_two_weeks(
        self, stack: Synthesized, properties: Any, worker: str
    ) -> None:
        log_group = stack.id_of("AWS::Logs::LogGroup", worker)
        assert properties["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": {"Ref": log_group}}
        assert stack.only("AWS::Logs::LogGroup", worker)["Properties"]["RetentionInDays"] == 14

    def test_are_told_exactly_what_their_handlers_read(self, properties: Any, worker: str) -> None:
        handler = {INGEST: "csv_ingest.handler.handler", SWEEP: "csv_ingest.sweep.handler"}[worker]
        assert properties["Handler"] == handler
        assert set(properties["Environment"]["Variables"]) == function_side.ENVIRONMENT[handler]

    def test_an_event_is_retried_twice_and_then_kept_in_the_failure_queue(
        self, stack: Synthesized, worker: str
    ) -> None:
        assert stack.only("AWS::Lambda::EventInvokeConfig", worker)["Properties"] == {
            "FunctionName": {"Ref": stack.id_of(FUNCTION, worker)},
            "Qualifier": "$LATEST",
            "MaximumRetryAttempts": 2,
            "MaximumEventAgeInSeconds": 6 * 60 * 60,
            "DestinationConfig": {"OnFailure": {"Destination": arn(stack.id_of(QUEUE))}},
        }


class TestTriggers:
    def test_ingest_is_invoked_by_the_upload_bucket_of_this_account_and_by_nothing_else(
        self, stack: Synthesized
    ) -> None:
        assert stack.only("AWS::Lambda::Permission", "Uploads")["Properties"] == {
            "Action": "lambda:InvokeFunction",
            "FunctionName": arn(stack.id_of(FUNCTION, INGEST)),
            "Principal": "s3.amazonaws.com",
            "SourceAccount": {"Ref": "AWS::AccountId"},
            "SourceArn": arn(stack.id_of(BUCKET)),
        }

    def test_the_sweep_is_invoked_by_its_schedule_and_by_nothing_else(self, stack: Synthesized) -> None:
        rule = stack.id_of("AWS::Events::Rule")
        assert len(stack.all("AWS::Lambda::Permission")) == 2
        assert stack.only("AWS::Lambda::Permission", "Hourly")["Properties"] == {
            "Action": "lambda:InvokeFunction",
            "FunctionName": arn(stack.id_of(FUNCTION, SWEEP)),
            "Principal": "events.amazonaws.com",
            "SourceArn": arn(rule),
        }

    def test_the_sweep_runs_every_hour(self, stack: Synthesized) -> None:
        rule = stack.only("AWS::Events::Rule")["Properties"]
        assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 hour)", "ENABLED")
        assert [target["Arn"] for target in rule["Targets"]] == [arn(stack.id_of(FUNCTION, SWEEP))]

    def test_uploads_are_reported_only_once_their_failures_are_kept(self, stack: Synthesized) -> None:
        invocation = stack.id_of("AWS::Lambda::EventInvokeConfig", INGEST)
        assert invocation in stack.only("Custom::S3BucketNotifications")["DependsOn"]


@WORKERS
class TestRoles:
    @pytest.fixture
    def allowed(self, stack: Synthesized, worker: str) -> list[dict[str, Any]]:
        """Every statement that gives the function a permission."""
        role = stack.id_of("AWS::IAM::Role", worker)
        assert stack.only(FUNCTION, worker)["Properties"]["Role"] == arn(role)
        attached = [
            policy
            for policy in stack.all("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Properties"].get("Roles", [])
        ]
        # Only what names the function itself cannot be in the role that the function needs first.
        assert len(attached) == (worker == INGEST)
        [policy] = stack.only("AWS::IAM::Role", worker)["Properties"]["Policies"]
        documents = [policy["PolicyDocument"], *(each["Properties"]["PolicyDocument"] for each in attached)]
        return [statement for document in documents for statement in document["Statement"]]

    def test_have_no_managed_policy(self, stack: Synthesized, worker: str) -> None:
        assert "ManagedPolicyArns" not in stack.only("AWS::IAM::Role", worker)["Properties"]

    def test_are_only_for_lambda(self, stack: Synthesized, worker: str) -> None:
        [trust] = stack.only("AWS::IAM::Role", worker)["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust == {
            "Action": "sts:AssumeRole",
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
        }

    def test_name_each_action_and_each_resource(
        self, stack: Synthesized, worker: str, allowed: list[dict[str, Any]]
    ) -> None:
        permissions = {
            str(statement["Resource"]): sorted(
                [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            )
            for statement in allowed
        }
        bucket, files = arn(stack.id_of(BUCKET)), arn(stack.id_of(TABLE, "Files"))
        needed = {
            INGEST: {
                # The objects of the bucket are the one resource that no name can list.
                str({"Fn::Join": ["", [bucket, "/*"]]}): ["s3:GetObjectVersion"],
                str(arn(stack.id_of(TABLE, "Rows"))): [
                    "dynamodb:BatchGetItem",
                    "dynamodb:PartiQLInsert",
                    "dynamodb:UpdateItem",
                ],
                str(files): ["dynamodb:GetItem", "dynamodb:PartiQLInsert", "dynamodb:Query", "dynamodb:UpdateItem"],
                str(arn(stack.id_of(FUNCTION, INGEST))): ["lambda:InvokeFunction"],
            },
            SWEEP: {
                str(bucket): ["s3:ListBucketVersions"],
                str(files): ["dynamodb:BatchGetItem"],
                str(arn(stack.id_of(FUNCTION, INGEST))): ["lambda:InvokeFunction"],
            },
        }
        assert permissions == needed[worker] | {
            str(arn(stack.id_of(QUEUE))): ["sqs:SendMessage"],
            str(arn(stack.id_of("AWS::Logs::LogGroup", worker))): ["logs:CreateLogStream", "logs:PutLogEvents"],
        }

    def test_have_no_wildcard_action_and_no_wildcard_resource(self, allowed: list[dict[str, Any]]) -> None:
        for statement in allowed:
            assert "*" not in str(statement["Action"])
            assert statement["Resource"] != "*"
            assert "NotAction" not in statement
            assert "NotResource" not in statement


def test_ingest_reads_only_what_is_below_the_prefix(synthesize: Synthesize) -> None:
    prefixed = synthesize(key_prefix="in/")
    [policy] = prefixed.only("AWS::IAM::Role", INGEST)["Properties"]["Policies"]
    resources = [str(statement["Resource"]) for statement in policy["PolicyDocument"]["Statement"]]
    assert str({"Fn::Join": ["", [arn(prefixed.id_of(BUCKET)), "/in/*"]]}) in resources


class TestFailureQueue:
    def test_keeps_a_message_for_two_weeks_encrypted(self, stack: Synthesized) -> None:
        properties = stack.only(QUEUE)["Properties"]
        assert properties["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
        assert properties["SqsManagedSseEnabled"] is True

    def test_refuses_plain_http(self, stack: Synthesized) -> None:
        assert denies_plain_http(stack.only("AWS::SQS::QueuePolicy"), "sqs:*", arn(stack.id_of(QUEUE)))


LAMBDA, QUEUE_METRICS, OWN = "AWS/Lambda", "AWS/SQS", "CsvIngest"


@dataclass(frozen=True)
class Expected:
    """What an alarm must watch."""

    namespace: str
    metric: str
    statistic: str = "Sum"
    above: float = 0
    of: str = INGEST
    periods: int = 1
    missing: str = "notBreaching"
    comparison: str = "GreaterThanThreshold"


ALARMS = {
    "UploadsFailed": Expected(QUEUE_METRICS, "ApproximateNumberOfMessagesVisible", "Maximum", missing="ignore"),
    "NewFailures": Expected(QUEUE_METRICS, "NumberOfMessagesSent"),
    "FailuresExpire": Expected(
        QUEUE_METRICS, "ApproximateAgeOfOldestMessage", "Maximum", above=10 * 86_400, missing="ignore"
    ),
    "UnsettledFiles": Expected(OWN, "UnsettledFiles", "Maximum", missing="ignore"),
    "RowsRejected": Expected(OWN, "RowsRejected"),
    "IngestErrors": Expected(LAMBDA, "Errors"),
    "SweepErrors": Expected(LAMBDA, "Errors", of=SWEEP),
    "SweepMissing": Expected(
        OWN, "UnsettledFiles", "SampleCount", above=1, periods=3, missing="breaching", comparison="LessThanThreshold"
    ),
    "Throttled": Expected(LAMBDA, "Throttles", periods=3),
    "SlowDeliveries": Expected(LAMBDA, "Duration", "p99", above=0.8 * 30_000),
    "EventsWaiting": Expected(LAMBDA, "AsyncEventAge", "Maximum", above=30 * 60_000),
    "EventsDropped": Expected(LAMBDA, "AsyncEventsDropped"),
    "FailuresNotRecorded": Expected(LAMBDA, "DestinationDeliveryFailures"),
}


@pytest.mark.parametrize("name", ALARMS)
class TestAlarms:
    @pytest.fixture
    def alarm(self, stack: Synthesized, name: str) -> Any:
        return stack.only(ALARM, f"Monitoring{name}")["Properties"]

    def test_watch_what_must_not_happen(self, stack: Synthesized, alarm: Any, name: str) -> None:
        expected = ALARMS[name]
        dimensions = {
            LAMBDA: {"Name": "FunctionName", "Value": {"Ref": stack.id_of(FUNCTION, expected.of)}},
            QUEUE_METRICS: {"Name": "QueueName", "Value": {"Fn::GetAtt": [stack.id_of(QUEUE), "QueueName"]}},
            OWN: {"Name": "service", "Value": "CsvIngest"},
        }
        assert (alarm["Namespace"], alarm["MetricName"]) == (expected.namespace, expected.metric)
        assert alarm["Dimensions"] == [dimensions[expected.namespace]]
        assert alarm.get("Statistic", alarm.get("ExtendedStatistic")) == expected.statistic
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == (expected.comparison, expected.above)
        assert (alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (expected.periods, expected.missing)

    def test_tell_the_topic(self, stack: Synthesized, alarm: Any) -> None:
        assert alarm["AlarmActions"] == [{"Ref": stack.id_of(TOPIC)}]

    def test_have_a_section_in_the_runbook(self, alarm: Any, name: str) -> None:
        runbook = (PROJECT / "docs" / "runbook.md").read_text()
        assert f"### {name}\n" in runbook
        assert f"See {name} in docs/runbook.md" in alarm["AlarmDescription"]


def test_there_is_no_alarm_that_these_tests_do_not_know(stack: Synthesized) -> None:
    assert len(stack.all(ALARM)) == len(ALARMS)


class TestContract:
    """What both sides have agreed on, without importing each other."""

    def test_each_handler_is_there_and_reads_the_variables_that_it_is_given(self) -> None:
        logging = set(stack_side.LoggingEnvironment.__annotations__)
        given = {
            stack_side.INGEST_HANDLER: set(stack_side.IngestEnvironment.__annotations__) | logging,
            stack_side.SWEEP_HANDLER: set(stack_side.SweepEnvironment.__annotations__) | logging,
        }
        assert given == function_side.ENVIRONMENT
        for handler in given:
            module, _, name = handler.rpartition(".")
            assert callable(getattr(importlib.import_module(module), name))

    def test_the_tables_have_the_keys_that_are_used(self, stack: Synthesized) -> None:
        keys = (stack_side.ROWS_KEY, stack_side.FILES_KEY)
        assert keys == (function_side.ROWS_KEY, function_side.FILES_KEY)
        deployed = [table["Properties"]["KeySchema"] for table in stack.all(TABLE).values()]
        assert [tuple(key["AttributeName"] for key in schema) for schema in deployed] == list(keys)

    def test_every_metric_that_is_watched_or_shown_is_counted(self) -> None:
        assert set(get_args(stack_side.Metric)) <= set(get_args(function_side.Metric))


def test_every_metric_of_the_contract_is_watched_or_shown_and_no_other(stack: Synthesized) -> None:
    body = stack.only("AWS::CloudWatch::Dashboard")["Properties"]["DashboardBody"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else "-" for part in body)
    shown = set(re.findall(r'"CsvIngest","(\w+)"', text))
    watched = {expected.metric for expected in ALARMS.values() if expected.namespace == OWN}
    assert shown | watched == set(get_args(stack_side.Metric))


def test_a_stage_that_keeps_data_warns_if_nobody_is_told() -> None:
    def warnings(**context: Any) -> list[Any]:
        settings = settings_from_context(context)
        app = App(context={"aws:cdk:bundling-stacks": []})
        return Annotations.from_stack(IngestStack(app, settings.stack_id, settings=settings)).find_warning(
            "*", Match.string_like_regexp("alarm_email is not set")
        )

    assert len(warnings(stage="prod")) == 1
    assert not warnings(stage="prod", alarm_email="oncall@example.com")
    assert not warnings()


class TestAlarmTopic:
    def test_the_topic_lets_the_alarms_of_this_account_in(self, stack: Synthesized) -> None:
        [allowed] = [s for s in statements(stack.only("AWS::SNS::TopicPolicy")) if s["Effect"] == "Allow"]
        assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert allowed["Action"] == "sns:Publish"
        assert allowed["Resource"] == {"Ref": stack.id_of(TOPIC)}
        assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}

    def test_the_topic_refuses_plain_http(self, stack: Synthesized) -> None:
        assert denies_plain_http(stack.only("AWS::SNS::TopicPolicy"), "sns:Publish", {"Ref": stack.id_of(TOPIC)})

    def test_an_email_address_is_subscribed_if_there_is_one(self, synthesize: Synthesize, stack: Synthesized) -> None:
        told = synthesize(alarm_email="oncall@example.com")
        assert told.only("AWS::SNS::Subscription")["Properties"] == {
            "Endpoint": "oncall@example.com",
            "Protocol": "email",
            "TopicArn": {"Ref": told.id_of(TOPIC)},
        }
        assert not stack.all("AWS::SNS::Subscription")


class TestOwnParts:
    """What a company brings along: a key, a bucket, a boundary, tags."""

    REENCRYPT = ("ReEncryptFrom", "ReEncryptTo")
    KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    BOUNDARY = "arn:aws:iam::123456789012:policy/Boundary"

    def test_a_key_encrypts_the_bucket_and_the_tables(self, synthesize: Synthesize) -> None:
        stack = synthesize(kms_key=self.KEY)
        [rule] = stack.only(BUCKET)["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule == {
            "BucketKeyEnabled": True,
            "ServerSideEncryptionByDefault": {"KMSMasterKeyID": self.KEY, "SSEAlgorithm": "aws:kms"},
        }
        encrypted = {"KMSMasterKeyId": self.KEY, "SSEEnabled": True, "SSEType": "KMS"}
        assert [table["Properties"]["SSESpecification"] for table in stack.all(TABLE).values()] == [encrypted] * 2

    @pytest.mark.parametrize(
        ("worker", "expected"),
        [
            (
                INGEST,
                {"s3": {"Decrypt"}, "dynamodb": {"Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", *REENCRYPT}},
            ),
            (SWEEP, {"dynamodb": {"Decrypt", "DescribeKey"}}),
        ],
    )
    def test_the_functions_use_the_key_through_the_services_only(
        self, synthesize: Synthesize, worker: str, expected: dict[str, set[str]]
    ) -> None:
        def about_keys(stack: Synthesized) -> list[Any]:
            [policy] = stack.only("AWS::IAM::Role", worker)["Properties"]["Policies"]
            return [each for each in policy["PolicyDocument"]["Statement"] if "kms:" in str(each["Action"])]

        found = about_keys(synthesize(kms_key=self.KEY))
        assert {statement["Resource"] for statement in found} == {self.KEY}
        assert {
            as_text(statement["Condition"]["StringEquals"]["kms:ViaService"]): set(as_list(statement["Action"]))
            for statement in found
        } == {
            f"{service}.${{AWS::Region}}.${{AWS::URLSuffix}}": {f"kms:{action}" for action in actions}
            for service, actions in expected.items()
        }
        assert about_keys(synthesize()) == []

    def test_an_existing_bucket_is_used_and_left_as_it_is_but_for_its_notifications(
        self, synthesize: Synthesize
    ) -> None:
        stack = synthesize(existing_bucket="orders-in", key_prefix="in/")
        assert not stack.all(BUCKET)
        assert not stack.all("AWS::S3::BucketPolicy")
        notifications = stack.only("Custom::S3BucketNotifications")["Properties"]
        # Not managed: the notifications that are there already stay.
        assert (notifications["BucketName"], notifications["Managed"]) == ("orders-in", False)
        variables = stack.only(FUNCTION, INGEST)["Properties"]["Environment"]["Variables"]
        assert variables["UPLOAD_BUCKET"] == "orders-in"
        [policy] = stack.only("AWS::IAM::Role", INGEST)["Properties"]["Policies"]
        reading = policy["PolicyDocument"]["Statement"][0]
        assert (reading["Action"], as_text(reading["Resource"])) == (
            "s3:GetObjectVersion",
            "arn:${AWS::Partition}:s3:::orders-in/in/*",
        )
        handler = stack.only("AWS::IAM::Policy", "NotificationsCalls")["Properties"]["PolicyDocument"]["Statement"][0]
        assert set(handler["Action"]) == {"s3:GetBucketNotification", "s3:PutBucketNotification"}

    def test_every_role_is_limited_by_the_boundary(self, synthesize: Synthesize) -> None:
        roles = synthesize(permissions_boundary=self.BOUNDARY).all("AWS::IAM::Role").values()
        assert {role["Properties"]["PermissionsBoundary"] for role in roles} == {self.BOUNDARY}

    def test_everything_that_costs_or_keeps_something_is_tagged(self, synthesize: Synthesize) -> None:
        stack = synthesize(tags="team=orders")
        for kind in (BUCKET, TABLE, FUNCTION, QUEUE, TOPIC, ALARM, "AWS::Logs::LogGroup", "AWS::IAM::Role"):
            for id_, found in stack.all(kind).items():
                assert {"Key": "team", "Value": "orders"} in found["Properties"]["Tags"], id_

    @pytest.mark.parametrize(
        "context",
        [
            {"kms_key": KEY, "permissions_boundary": BOUNDARY, "tags": "team=orders"},
            {"existing_bucket": "orders-in", "key_prefix": "in/", "kms_key": KEY, "reserved_concurrency": "none"},
            {"stage": "prod", "alarm_email": "oncall@example.com"},
        ],
    )
    def test_with_whichever_of_them_the_stack_passes_all_checks(self, context: Any, tmp_path: Path) -> None:
        settings = settings_from_context(context)
        app = App(outdir=str(tmp_path), context={"aws:cdk:bundling-stacks": []})
        IngestStack(app, settings.stack_id, settings=settings)
        guard(app)
        app.synth()
        assert json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]


@pytest.mark.parametrize("kind", [BUCKET, QUEUE, "AWS::Logs::LogGroup"])
def test_uploads_failed_events_and_logs_outlive_the_stack_in_production(synthesize: Synthesize, kind: str) -> None:
    assert {found["DeletionPolicy"] for found in synthesize(stage="prod").all(kind).values()} == {"Retain"}
    assert {found["DeletionPolicy"] for found in synthesize().all(kind).values()} == {"Delete"}


def test_the_outputs_are_the_names_that_others_rely_on(stack: Synthesized) -> None:
    assert set(stack.template["Outputs"]) == {
        "UploadBucketName",
        "RowsTableName",
        "FilesTableName",
        "FailureQueueUrl",
        "IngestFunctionName",
        "AlarmTopicArn",
    }


@pytest.mark.parametrize(
    ("stage", "name"), [("dev", "CsvIngest"), ("prod", "CsvIngest-prod"), ("qa-2", "CsvIngest-qa-2")]
)
def test_each_stage_is_a_stack_of_its_own(synthesize: Synthesize, stage: str, name: str) -> None:
    assert synthesize(stage=stage).name == name
