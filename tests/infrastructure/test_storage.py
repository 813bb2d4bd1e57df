"""What keeps data: the upload bucket, the tables, the failure queue."""

from typing import Any

import pytest
from aws_cdk.assertions import Annotations, Match

from tests.infrastructure.conftest import (
    BUCKET,
    FUNCTION,
    INGEST,
    QUEUE,
    ROLE,
    TABLE,
    Synthesize,
    Synthesized,
    app_of,
    arn,
    but_versions,
    denies_plain_http,
    inline_statements,
    stack_of,
)


class TestUploadBucket:
    @pytest.fixture
    def properties(self, stack: Synthesized) -> Any:
        return stack.only(BUCKET)["Properties"]

    def test_keeps_every_version(self, properties: Any) -> None:
        """The function reads the version that was uploaded."""
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}

    def test_cannot_be_made_public(self, properties: Any) -> None:
        assert properties["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }

    def test_belongs_with_its_objects_to_the_account(self, properties: Any) -> None:
        assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}

    def test_is_encrypted(self, properties: Any) -> None:
        [rule] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}

    def test_drops_abandoned_multipart_uploads_after_a_week(self, properties: Any) -> None:
        [rule] = properties["LifecycleConfiguration"]["Rules"]
        assert rule == {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}, "Status": "Enabled"}

    def test_expires_uploads_below_the_prefix_of_a_feed(self, synthesize: Synthesize) -> None:
        found = synthesize(key_prefix="in/", keep_uploads_days=30).only(BUCKET)["Properties"]
        assert found["LifecycleConfiguration"]["Rules"][1:] == [
            {
                "ExpirationInDays": 30,
                "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                "Prefix": "in/",
                "Status": "Enabled",
            }
        ]

    def test_leaves_the_rules_of_other_owners_alone(self) -> None:
        with pytest.raises(ValueError, match=r"feeds.default.keep_uploads_days: .* make one there"):
            Synthesized(keep_uploads_days=30, existing_bucket="theirs")

    def test_refuses_plain_http(self, stack: Synthesized) -> None:
        bucket = arn(stack.id_of(BUCKET))
        everything = [bucket, {"Fn::Join": ["", [bucket, "/*"]]}]
        assert denies_plain_http(stack.only("AWS::S3::BucketPolicy"), "s3:*", everything)


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


def test_the_tables_have_the_documented_keys(stack: Synthesized) -> None:
    def keys(name: str) -> list[tuple[str, str]]:
        return [(key["AttributeName"], key["KeyType"]) for key in stack.only(TABLE, name)["Properties"]["KeySchema"]]

    assert keys("Rows") == [("pk", "HASH")]
    assert keys("Files") == [("object_key", "HASH"), ("entry", "RANGE")]


@pytest.mark.parametrize(
    ("name", "settings"),
    [("Rows", {"keep_rows_days": 30}), ("Files", {"keep_files_days": 60, "keep_uploads_days": 15})],
)
def test_only_what_is_to_expire_does(
    synthesize: Synthesize, stack: Synthesized, name: str, settings: dict[str, int]
) -> None:
    found = synthesize(**settings)
    for table, attribute in (("Rows", "row_expires_at"), ("Files", "expires_at")):
        expiry = found.only(TABLE, table)["Properties"].get("TimeToLiveSpecification")
        assert expiry == ({"AttributeName": attribute, "Enabled": True} if table == name else None)
        assert "TimeToLiveSpecification" not in stack.only(TABLE, table)["Properties"]


class TestFileIndex:
    @pytest.fixture
    def indexed(self, synthesize: Synthesize) -> Synthesized:
        return synthesize(file_index=True, reserved_concurrency=50)

    def test_has_the_keys_by_etag_and_line(self, indexed: Synthesized) -> None:
        table = indexed.only(TABLE, "Rows")["Properties"]
        assert table["GlobalSecondaryIndexes"] == [
            {
                "IndexName": "etag-line",
                "KeySchema": [
                    {"AttributeName": "etag", "KeyType": "HASH"},
                    {"AttributeName": "line", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ]
        types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
        assert types == {"pk": "S", "etag": "S", "line": "N"}

    def test_takes_no_more_write_units_than_the_table(self, synthesize: Synthesize) -> None:
        limited = synthesize(max_write_units=2_000, file_index=True).only(TABLE, "Rows")["Properties"]
        [index] = limited["GlobalSecondaryIndexes"]
        assert index["OnDemandThroughput"] == limited["OnDemandThroughput"] == {"MaxWriteRequestUnits": 2_000}

    def test_is_as_warm_as_the_table(self) -> None:
        app = app_of(warm_write_units=40_000, file_index=True)
        stack = Synthesized(stack_of(app))
        table = stack.only(TABLE, "Rows")["Properties"]
        [index] = table["GlobalSecondaryIndexes"]
        assert index["WarmThroughput"] == table["WarmThroughput"] == {"WriteUnitsPerSecond": 40_000}
        [said] = Annotations.from_stack(stack_of(app)).find_info("*", Match.string_like_regexp("warm_write_units"))
        assert "warm_write_units=40,000 costs 46.80 dollars in us-east-1, once" in str(said.entry.data)

    def test_changes_table_dashboard_feed_and_readers(self, stack: Synthesized, indexed: Synthesized) -> None:
        """The function's role gets nothing new; its variable `FEED` has the setting."""
        without, with_ = but_versions(stack), but_versions(indexed)
        assert without.keys() == with_.keys()
        changed = {with_[name]["Type"] for name in with_ if with_[name] != without[name]}
        assert changed == {TABLE, "AWS::CloudWatch::Dashboard", FUNCTION, "AWS::IAM::ManagedPolicy"}
        for each in (without, with_):
            each[stack.id_of(FUNCTION, INGEST)]["Properties"]["Environment"]["Variables"].pop("FEED")
        assert with_[stack.id_of(FUNCTION, INGEST)] == without[stack.id_of(FUNCTION, INGEST)]

    def test_is_a_table_of_no_other_feed(self, synthesize: Synthesize) -> None:
        feeds = '{"orders": {"key_prefix": "orders/", "file_index": true}, "others": {"key_prefix": "others/"}}'
        two = synthesize(feeds=feeds)
        assert [len(two.only(TABLE, name)["Properties"].get("GlobalSecondaryIndexes", []))
                for name in ("RowsOrders", "RowsOthers")] == [1, 0]  # fmt: skip


class TestExistingRowsTable:
    @pytest.fixture
    def existing(self, synthesize: Synthesize) -> Synthesized:
        return synthesize(rows_table="Restored")

    def test_takes_the_place_of_the_own_one(self, existing: Synthesized) -> None:
        assert [each.startswith("StorageFiles") for each in existing.all(TABLE)] == [True]
        assert existing.template["Outputs"]["RowsTableName"]["Value"] == "Restored"

    def test_is_described_by_its_function_alone(self, existing: Synthesized, stack: Synthesized) -> None:
        """Of the deployment's own table, the name is enough: CloudFormation gives no name twice."""

        def described(template: Synthesized) -> list[Any]:
            found = inline_statements(template.only(ROLE, "IngestionIngestRole"))
            return [each["Resource"] for each in found if "dynamodb:DescribeTable" in each["Action"]]

        [resource] = described(existing)
        assert resource["Fn::Join"][1][-1].endswith(":table/Restored")
        assert described(stack) == []


class TestFailureQueue:
    def test_keeps_a_message_for_two_weeks_encrypted(self, stack: Synthesized) -> None:
        properties = stack.only(QUEUE)["Properties"]
        assert properties["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
        assert properties["SqsManagedSseEnabled"] is True

    def test_refuses_plain_http(self, stack: Synthesized) -> None:
        assert denies_plain_http(stack.only("AWS::SQS::QueuePolicy"), "sqs:*", arn(stack.id_of(QUEUE)))
