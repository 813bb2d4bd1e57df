"""What the deployed stack promises, each property in the words of the person who relies on it."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import pytest

from csv_ingest.settings import LOGGING_ENVIRONMENT
from csv_ingest.settings import Settings as FunctionSettings
from tests.infrastructure.conftest import Synthesized

BUCKET = "AWS::S3::Bucket"
TABLE = "AWS::DynamoDB::Table"
FUNCTION = "AWS::Lambda::Function"
QUEUE = "AWS::SQS::Queue"
TOPIC = "AWS::SNS::Topic"

Synthesize = Callable[..., Synthesized]


def arn(id_: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [id_, "Arn"]}


def statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = policy["Properties"]["PolicyDocument"]["Statement"]
    return found


def denies_plain_http(policy: dict[str, Any], resources: Any) -> bool:
    """Whether everybody is denied everything on the resources, unless the connection is encrypted."""
    return any(
        statement["Effect"] == "Deny"
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
        assert denies_plain_http(stack.only("AWS::S3::BucketPolicy"), everything)

    def test_reports_every_kind_of_creation_once_for_each_ending(self, stack: Synthesized) -> None:
        assert list(self.triggers(stack)) == [
            (["s3:ObjectCreated:*"], {"suffix": ".csv"}),
            (["s3:ObjectCreated:*"], {"suffix": ".CSV"}),
        ]

    def test_reports_only_what_is_below_the_prefix(self, synthesize: Synthesize) -> None:
        filters = [filter_ for _, filter_ in self.triggers(synthesize(key_prefix="in/", key_suffixes=".csv,.txt"))]
        assert filters == [{"prefix": "in/", "suffix": ".csv"}, {"prefix": "in/", "suffix": ".txt"}]

    def triggers(self, stack: Synthesized) -> Iterator[tuple[list[str], dict[str, str]]]:
        notifications = stack.only("Custom::S3BucketNotifications")["Properties"]["NotificationConfiguration"]
        for trigger in notifications["LambdaFunctionConfigurations"]:
            assert trigger["LambdaFunctionArn"] == arn(stack.id_of(FUNCTION, "Ingestion"))
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


class TestFunction:
    @pytest.fixture
    def properties(self, stack: Synthesized) -> Any:
        return stack.only(FUNCTION, "Ingestion")["Properties"]

    def test_runs_a_supported_python_on_arm(self, properties: Any) -> None:
        # Until 2029-06-30: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
        assert properties["Runtime"] == "python3.13"
        assert properties["Architectures"] == ["arm64"]

    def test_has_the_time_and_the_memory_for_a_file(self, properties: Any) -> None:
        assert (properties["Timeout"], properties["MemorySize"]) == (30, 512)

    def test_cannot_take_the_accounts_whole_concurrency(self, properties: Any) -> None:
        assert properties["ReservedConcurrentExecutions"] == 50

    def test_reserves_nothing_where_the_account_cannot(self, synthesize: Synthesize) -> None:
        function = synthesize(reserved_concurrency="none").only(FUNCTION, "Ingestion")
        assert "ReservedConcurrentExecutions" not in function["Properties"]

    def test_logs_json_to_a_log_group_of_its_own_for_two_weeks(self, stack: Synthesized, properties: Any) -> None:
        log_group = stack.id_of("AWS::Logs::LogGroup", "Ingestion")
        assert properties["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": {"Ref": log_group}}
        assert stack.only("AWS::Logs::LogGroup", "Ingestion")["Properties"]["RetentionInDays"] == 14

    def test_is_told_exactly_what_its_settings_read(self, properties: Any) -> None:
        read = {field.name.upper() for field in fields(FunctionSettings)} | LOGGING_ENVIRONMENT
        assert set(properties["Environment"]["Variables"]) == read

    def test_is_the_handler_of_the_package(self, properties: Any) -> None:
        assert properties["Handler"] == "csv_ingest.handler.handler"

    def test_is_invoked_by_the_upload_bucket_of_this_account_and_by_nothing_else(self, stack: Synthesized) -> None:
        assert stack.only("AWS::Lambda::Permission")["Properties"] == {
            "Action": "lambda:InvokeFunction",
            "FunctionName": arn(stack.id_of(FUNCTION, "Ingestion")),
            "Principal": "s3.amazonaws.com",
            "SourceAccount": {"Ref": "AWS::AccountId"},
            "SourceArn": arn(stack.id_of(BUCKET)),
        }


class TestRole:
    @pytest.fixture
    def allowed(self, stack: Synthesized) -> list[dict[str, Any]]:
        """Every statement that gives the function a permission."""
        role = stack.id_of("AWS::IAM::Role", "Ingestion")
        assert stack.only(FUNCTION, "Ingestion")["Properties"]["Role"] == arn(role)
        attached = [
            policy
            for policy in stack.all("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Properties"].get("Roles", [])
        ]
        assert not attached, "all permissions are in the role itself"
        [policy] = stack.only("AWS::IAM::Role", "Ingestion")["Properties"]["Policies"]
        found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
        return found

    def test_has_no_managed_policy(self, stack: Synthesized) -> None:
        assert "ManagedPolicyArns" not in stack.only("AWS::IAM::Role", "Ingestion")["Properties"]

    def test_is_only_for_lambda(self, stack: Synthesized) -> None:
        [trust] = stack.only("AWS::IAM::Role", "Ingestion")["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust == {
            "Action": "sts:AssumeRole",
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
        }

    def test_names_each_action_and_each_resource(self, stack: Synthesized, allowed: list[dict[str, Any]]) -> None:
        permissions = {
            str(statement["Resource"]): sorted(
                [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            )
            for statement in allowed
        }
        assert permissions == {
            # The objects of the bucket are the one resource that no name can list.
            str({"Fn::Join": ["", [arn(stack.id_of(BUCKET)), "/*"]]}): ["s3:GetObjectVersion"],
            str(arn(stack.id_of(TABLE, "Rows"))): ["dynamodb:BatchGetItem", "dynamodb:PartiQLInsert"],
            str(arn(stack.id_of(TABLE, "Files"))): [
                "dynamodb:GetItem",
                "dynamodb:PartiQLInsert",
                "dynamodb:UpdateItem",
            ],
            str(arn(stack.id_of(QUEUE))): ["sqs:SendMessage"],
            str(arn(stack.id_of("AWS::Logs::LogGroup", "Ingestion"))): ["logs:CreateLogStream", "logs:PutLogEvents"],
        }

    def test_has_no_wildcard_action_and_no_wildcard_resource(self, allowed: list[dict[str, Any]]) -> None:
        for statement in allowed:
            assert "*" not in str(statement["Action"])
            assert statement["Resource"] != "*"
            assert "NotAction" not in statement
            assert "NotResource" not in statement

    def test_reads_only_what_is_below_the_prefix(self, synthesize: Synthesize) -> None:
        prefixed = synthesize(key_prefix="in/")
        [policy] = prefixed.only("AWS::IAM::Role", "Ingestion")["Properties"]["Policies"]
        resources = [str(statement["Resource"]) for statement in policy["PolicyDocument"]["Statement"]]
        assert str({"Fn::Join": ["", [arn(prefixed.id_of(BUCKET)), "/in/*"]]}) in resources


class TestFailures:
    def test_an_event_is_retried_twice_and_then_kept_in_the_failure_queue(self, stack: Synthesized) -> None:
        assert stack.only("AWS::Lambda::EventInvokeConfig")["Properties"] == {
            "FunctionName": {"Ref": stack.id_of(FUNCTION, "Ingestion")},
            "Qualifier": "$LATEST",
            "MaximumRetryAttempts": 2,
            "MaximumEventAgeInSeconds": 6 * 60 * 60,
            "DestinationConfig": {"OnFailure": {"Destination": arn(stack.id_of(QUEUE))}},
        }

    def test_the_queue_keeps_a_message_for_two_weeks_encrypted(self, stack: Synthesized) -> None:
        properties = stack.only(QUEUE)["Properties"]
        assert properties["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
        assert properties["SqsManagedSseEnabled"] is True

    def test_the_queue_refuses_plain_http(self, stack: Synthesized) -> None:
        assert denies_plain_http(stack.only("AWS::SQS::QueuePolicy"), arn(stack.id_of(QUEUE)))

    def test_one_message_in_the_queue_raises_the_alarm(self, stack: Synthesized) -> None:
        alarm = stack.only("AWS::CloudWatch::Alarm")["Properties"]
        assert alarm["Namespace"] == "AWS/SQS"
        assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
        assert alarm["Dimensions"] == [
            {"Name": "QueueName", "Value": {"Fn::GetAtt": [stack.id_of(QUEUE), "QueueName"]}}
        ]
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
        assert (alarm["Statistic"], alarm["Period"], alarm["EvaluationPeriods"]) == ("Maximum", 60, 1)

    def test_the_alarm_tells_the_topic(self, stack: Synthesized) -> None:
        assert stack.only("AWS::CloudWatch::Alarm")["Properties"]["AlarmActions"] == [{"Ref": stack.id_of(TOPIC)}]

    def test_the_alarm_does_not_end_because_sqs_stopped_to_report(self, stack: Synthesized) -> None:
        assert stack.only("AWS::CloudWatch::Alarm")["Properties"]["TreatMissingData"] == "ignore"

    def test_the_topic_lets_the_alarms_of_this_account_in(self, stack: Synthesized) -> None:
        [allowed] = [s for s in statements(stack.only("AWS::SNS::TopicPolicy")) if s["Effect"] == "Allow"]
        assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert allowed["Action"] == "sns:Publish"
        assert allowed["Resource"] == {"Ref": stack.id_of(TOPIC)}
        assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}

    def test_the_topic_refuses_plain_http(self, stack: Synthesized) -> None:
        assert denies_plain_http(stack.only("AWS::SNS::TopicPolicy"), {"Ref": stack.id_of(TOPIC)})

    def test_an_email_address_is_subscribed_if_there_is_one(self, synthesize: Synthesize, stack: Synthesized) -> None:
        told = synthesize(alarm_email="oncall@example.com")
        assert told.only("AWS::SNS::Subscription")["Properties"] == {
            "Endpoint": "oncall@example.com",
            "Protocol": "email",
            "TopicArn": {"Ref": told.id_of(TOPIC)},
        }
        assert not stack.all("AWS::SNS::Subscription")


@pytest.mark.parametrize("kind", [BUCKET, QUEUE, "AWS::Logs::LogGroup"])
def test_uploads_failed_events_and_logs_outlive_the_stack_in_production(synthesize: Synthesize, kind: str) -> None:
    assert synthesize(stage="prod").only(kind)["DeletionPolicy"] == "Retain"
    assert synthesize().only(kind)["DeletionPolicy"] == "Delete"


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
