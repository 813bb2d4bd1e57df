"""What a company brings along: a key, a bucket, a permissions boundary, tags."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from local.processes import PROJECT
from tests.infrastructure.conftest import (
    ALARM,
    BUCKET,
    BUCKET_NOTIFICATIONS,
    FUNCTION,
    INGEST,
    KEY,
    LOG_GROUP,
    NOTIFIER,
    QUEUE,
    ROLE,
    SWEEP,
    TABLE,
    TOPIC,
    Synthesize,
    Synthesized,
    app_of,
    inline_statements,
    statements,
    violations,
    warnings,
)
from tests.templates import as_list, readable, statements_of

BOUNDARY = "arn:aws:iam::123456789012:policy/Boundary"

READ = {"kms:Decrypt", "kms:DescribeKey"}
WRITE = {"kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"}
SEND = {"kms:Decrypt", "kms:GenerateDataKey"}
"""What SQS asks of a sender: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html"""


def test_a_key_encrypts_the_bucket_and_the_tables(synthesize: Synthesize) -> None:
    stack = synthesize(kms_key=KEY)
    [rule] = stack.only(BUCKET)["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {
        "BucketKeyEnabled": True,
        "ServerSideEncryptionByDefault": {"KMSMasterKeyID": KEY, "SSEAlgorithm": "aws:kms"},
    }
    encrypted = {"KMSMasterKeyId": KEY, "SSEEnabled": True, "SSEType": "KMS"}
    assert [table["Properties"]["SSESpecification"] for table in stack.all(TABLE).values()] == [encrypted] * 2


@pytest.mark.parametrize(
    ("kind", "name"), [(QUEUE, "KmsMasterKeyId"), (TOPIC, "KmsMasterKeyId"), (LOG_GROUP, "KmsKeyId")]
)
def test_a_key_encrypts_queue_topic_and_logs(synthesize: Synthesize, kind: str, name: str) -> None:
    assert {each["Properties"].get(name) for each in synthesize(kms_key=KEY).all(kind).values()} == {KEY}
    assert {each.get("Properties", {}).get(name) for each in synthesize().all(kind).values()} == {None}


@pytest.mark.parametrize(
    ("function", "actions_by_service"),
    [
        (INGEST, {"s3": {"kms:Decrypt"}, "dynamodb": READ | WRITE, "sqs": SEND}),
        (SWEEP, {"dynamodb": READ | WRITE, "sqs": SEND}),
        (NOTIFIER, {"dynamodb": READ | WRITE, "sqs": SEND, "sns": SEND}),
    ],
)
def test_functions_use_the_key_only_through_services(
    synthesize: Synthesize, function: str, actions_by_service: dict[str, set[str]]
) -> None:
    def about_keys(stack: Synthesized) -> list[Any]:
        return [each for each in inline_statements(stack.only(ROLE, function)) if "kms:" in str(each["Action"])]

    found = about_keys(synthesize(kms_key=KEY))
    assert {statement["Resource"] for statement in found} == {KEY}
    assert {
        readable(statement["Condition"]["StringEquals"]["kms:ViaService"]): set(as_list(statement["Action"]))
        for statement in found
    } == {f"{service}.${{AWS::Region}}.${{AWS::URLSuffix}}": actions for service, actions in actions_by_service.items()}
    assert about_keys(synthesize()) == []


class TestPolicyOfTheKey:
    """Of a key that the stack does not own, so that a person has to change it."""

    @pytest.fixture
    def documented(self) -> dict[str, Any]:
        """The statements that docs/own-app.md asks for, by the service that they let in."""
        [block] = re.findall(r"```json\n(.*?)```", (PROJECT / "docs" / "own-app.md").read_text(), flags=re.DOTALL)
        return {statement["Principal"]["Service"]: statement for statement in json.loads(block)}

    def test_lets_alarms_encrypt_for_the_topic(self, documented: dict[str, Any]) -> None:
        statement = documented["cloudwatch.amazonaws.com"]
        assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}

    def test_lets_the_log_groups_of_any_stage_in(self, documented: dict[str, Any], synthesize: Synthesize) -> None:
        [pattern] = documented["logs.eu-west-1.amazonaws.com"]["Condition"]["ArnLike"].values()
        for stack in (synthesize(kms_key=KEY), synthesize(kms_key=KEY, stage="prod")):
            # CloudFormation names a group without a name after its stack.
            assert not [each for each in stack.all(LOG_GROUP).values() if "LogGroupName" in each["Properties"]]
            assert fnmatchcase(f"arn:aws:logs:eu-west-1:123456789012:log-group:{stack.name}-Log-1", pattern)

    def test_before_another_one_still_opens_uploads_and_events(self, synthesize: Synthesize) -> None:
        former = KEY.replace("1111", "3333")
        resources = readable(synthesize(kms_key=KEY, former_kms_keys=former).template["Resources"])
        found = {
            who: {
                each["Condition"]["StringEquals"]["kms:ViaService"].partition(".")[0]
                for each in statements_of(who, resources)
                if former in as_list(each["Resource"]) and each["Action"] == "kms:Decrypt"
            }
            for who in (f"{INGEST}Role", f"{NOTIFIER}Role", f"{SWEEP}Role")
        }
        assert found == {f"{INGEST}Role": {"s3"}, f"{NOTIFIER}Role": {"sqs"}, f"{SWEEP}Role": set()}
        assert former in str(next(each for id_, each in resources.items() if id_.startswith("PeopleReader")))

    @pytest.mark.parametrize(("context", "warned"), [({"kms_key": KEY}, 1), ({}, 0)])
    def test_is_asked_for_at_every_synthesis(self, context: dict[str, Any], warned: int) -> None:
        about = r"docs/own-app\.md.*key's policy.*alarms reach nobody"
        assert len(warnings(app_of(**context), about)) == warned


class TestExistingBucket:
    @pytest.fixture
    def stack(self, synthesize: Synthesize) -> Synthesized:
        return synthesize(existing_bucket="orders-in", key_prefix="in/")

    def test_is_used_instead_of_a_new_one(self, stack: Synthesized) -> None:
        assert not stack.all(BUCKET)
        variables = stack.only(FUNCTION, INGEST)["Properties"]["Environment"]["Variables"]
        assert variables["UPLOAD_BUCKET"] == "orders-in"

    def test_is_known_to_sweep_and_operators(self, stack: Synthesized, synthesize: Synthesize) -> None:
        """Objects of others are none of the pipeline's business."""
        for found, expected in ((stack, "true"), (synthesize(ignored_prefixes="reports/"), "false")):
            variables = found.only(FUNCTION, SWEEP)["Properties"]["Environment"]["Variables"]
            outputs = found.template["Outputs"]
            assert variables["EXISTING_BUCKET"] == outputs["ExistingBucket"]["Value"] == expected
            assert variables["IGNORED_PREFIXES"] == outputs["IgnoredPrefixes"]["Value"]
        assert outputs["IgnoredPrefixes"]["Value"] == '["reports/"]'

    def test_is_read_only_below_the_prefix(self, stack: Synthesized) -> None:
        reading = inline_statements(stack.only(ROLE, INGEST))[0]
        assert (reading["Action"], readable(reading["Resource"])) == (
            "s3:GetObjectVersion",
            "arn:${AWS::Partition}:s3:::orders-in/in/*",
        )

    def test_keeps_its_policy_and_its_other_notifications(self, stack: Synthesized) -> None:
        assert not stack.all("AWS::S3::BucketPolicy")
        notifications = stack.only(BUCKET_NOTIFICATIONS)["Properties"]
        # Not managed: the notifications that are there already stay.
        assert (notifications["BucketName"], notifications["Managed"]) == ("orders-in", False)
        handler = statements(stack.only("AWS::IAM::Policy", "NotificationsCalls"))[0]
        assert set(handler["Action"]) == {"s3:GetBucketNotification", "s3:PutBucketNotification"}


def test_every_role_is_limited_by_the_boundary(synthesize: Synthesize) -> None:
    roles = synthesize(permissions_boundary=BOUNDARY).all(ROLE).values()
    assert {role["Properties"]["PermissionsBoundary"] for role in roles} == {BOUNDARY}


def test_everything_that_costs_or_keeps_is_tagged(synthesize: Synthesize) -> None:
    stack = synthesize(tags="team=orders")
    for kind in (BUCKET, TABLE, FUNCTION, QUEUE, TOPIC, ALARM, LOG_GROUP, ROLE):
        for id_, found in stack.all(kind).items():
            assert {"Key": "team", "Value": "orders"} in found["Properties"]["Tags"], id_


@pytest.mark.parametrize(
    "context",
    [
        {"kms_key": KEY, "permissions_boundary": BOUNDARY, "tags": "team=orders"},
        {"existing_bucket": "orders-in", "key_prefix": "in/", "kms_key": KEY, "reserved_concurrency": "none"},
        {"stage": "prod", "alarm_email": "oncall@example.com", "file_index": True, "max_write_units": 1_000},
        {"feeds": {f"feed-{number:02}": {"key_prefix": f"feed-{number:02}/"} for number in range(20)}, "kms_key": KEY},
    ],
)
def test_all_checks_pass_whatever_is_brought_along(context: Any, tmp_path: Path) -> None:
    assert violations(app_of(tmp_path, **context)) == []
