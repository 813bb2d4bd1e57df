"""The two functions, and what their roles may do."""

import importlib
from dataclasses import fields
from typing import Any

import pytest

from csv_ingest import RELEASE
from csv_ingest.configuration import IngestConfig, NotifierConfig, SweepConfig, logging_variables
from csv_ingest.feed import Feed
from tests.infrastructure.conftest import (
    ALIAS,
    BUCKET,
    EACH_FUNCTION,
    EVENT_INVOKE_CONFIG,
    FUNCTION,
    INGEST,
    LOG_GROUP,
    NOTIFIER,
    QUEUE,
    ROLE,
    SWEEP,
    TABLE,
    TOPIC,
    VERSION,
    Synthesize,
    Synthesized,
    arn,
    ingest_permissions,
    inline_statements,
    live,
    permissions_of,
)
from tests.permissions import Permission
from tests.templates import as_list, readable


@EACH_FUNCTION
class TestFunctions:
    @pytest.fixture
    def properties(self, stack: Synthesized, function: str) -> Any:
        return stack.only(FUNCTION, function)["Properties"]

    def test_run_a_supported_python_on_arm(self, properties: Any) -> None:
        # Until 2029-06-30: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
        assert properties["Runtime"] == "python3.13"
        assert properties["Architectures"] == ["arm64"]

    def test_are_told_what_their_code_reads(self, properties: Any, function: str) -> None:
        variables = readable(properties["Environment"]["Variables"])
        kinds: dict[str, type[Any]] = {INGEST: IngestConfig, SWEEP: SweepConfig, NOTIFIER: NotifierConfig}
        config = kinds[function].from_environment(variables)
        read = {"RELEASE", *(each.name.upper() for each in fields(config)), *logging_variables("")}
        assert variables.keys() == read - {"KEEP_FILES_DAYS"}  # which this stack has for ever
        assert getattr(config, "feed", Feed()) == Feed()

    def test_have_a_handler(self, properties: Any, function: str) -> None:
        module, _, name = properties["Handler"].rpartition(".")
        assert (
            module
            == {
                INGEST: "csv_ingest.handler",
                SWEEP: "csv_ingest.sweep",
                NOTIFIER: "csv_ingest.notifier",
            }[function]
        )
        assert callable(getattr(importlib.import_module(module), name))

    def test_are_of_the_release_that_every_place_names(self, stack: Synthesized, properties: Any) -> None:
        release = properties["Environment"]["Variables"]["RELEASE"]
        assert {release, stack.template["Outputs"]["Release"]["Value"]} == {RELEASE}

    def test_have_time_and_memory_for_their_work(self, properties: Any, function: str) -> None:
        expected = {INGEST: (30, 512), SWEEP: (900, 1769), NOTIFIER: (60, 256)}
        assert (properties["Timeout"], properties["MemorySize"]) == expected[function]

    def test_cannot_take_the_accounts_whole_concurrency(self, properties: Any, function: str) -> None:
        assert properties["ReservedConcurrentExecutions"] == {INGEST: 50, SWEEP: 1, NOTIFIER: 5}[function]

    def test_reserve_nothing_where_the_account_cannot(self, synthesize: Synthesize, function: str) -> None:
        properties = synthesize(reserved_concurrency="none").only(FUNCTION, function)["Properties"]
        assert "ReservedConcurrentExecutions" not in properties

    def test_log_json_to_their_own_group_for_two_weeks(
        self, stack: Synthesized, properties: Any, function: str
    ) -> None:
        log_group = stack.id_of(LOG_GROUP, function)
        assert properties["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": {"Ref": log_group}}
        assert stack.only(LOG_GROUP, function)["Properties"]["RetentionInDays"] == 14

    def test_keep_an_event_after_its_retries(self, stack: Synthesized, function: str) -> None:
        """Also what is sent to `$LATEST`, by an earlier release or by hand."""
        configs = [each["Properties"] for id_, each in stack.all(EVENT_INVOKE_CONFIG).items() if function in id_]
        assert sorted(configs, key=lambda each: str(each["Qualifier"])) == [
            {
                "FunctionName": {"Ref": stack.id_of(FUNCTION, function)},
                "Qualifier": qualifier,
                "MaximumRetryAttempts": 0 if function == SWEEP else 2,
                "MaximumEventAgeInSeconds": 6 * 60 * 60,
                "DestinationConfig": {"OnFailure": {"Destination": arn(stack.id_of(QUEUE))}},
            }
            for qualifier in ("$LATEST", "live")
        ]

    def test_are_invoked_by_a_version_of_their_deployment(self, stack: Synthesized, function: str) -> None:
        alias = stack.only(ALIAS, function)["Properties"]
        version = stack.id_of(VERSION, function)
        assert (alias["Name"], alias["FunctionVersion"]) == ("live", {"Fn::GetAtt": [version, "Version"]})
        assert "DeletionPolicy" not in stack.all(VERSION)[version], "it would be in the way of a second deployment"


@EACH_FUNCTION
class TestRoles:
    def test_have_no_managed_policy(self, stack: Synthesized, function: str) -> None:
        assert "ManagedPolicyArns" not in stack.only(ROLE, function)["Properties"]
        assert stack.only(FUNCTION, function)["Properties"]["Role"] == arn(stack.id_of(ROLE, function))

    def test_are_only_for_lambda(self, stack: Synthesized, function: str) -> None:
        [trust] = stack.only(ROLE, function)["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust == {
            "Action": "sts:AssumeRole",
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
        }

    def test_name_each_action_and_each_resource(self, stack: Synthesized, function: str) -> None:
        ingest, notifier = (str(readable(live(stack, name))) for name in (INGEST, NOTIFIER))
        bucket, files, failures, log_group, topic = (
            str(readable(arn(stack.id_of(kind, name))))
            for kind, name in (
                (BUCKET, ""),
                (TABLE, "Files"),
                (QUEUE, ""),
                (LOG_GROUP, function),
                (TOPIC, ""),
            )
        )
        bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"
        logs = {log_group: ["logs:CreateLogStream", "logs:PutLogEvents"]}
        by_sweep = logs | {
            bucket: ["s3:ListBucketVersions"],
            files: [
                "dynamodb:BatchGetItem",
                "dynamodb:DescribeTable",
                "dynamodb:GetItem",
                "dynamodb:PartiQLInsert",
                "dynamodb:PutItem",
            ],
            bus: ["events:PutEvents"],
            ingest: ["lambda:InvokeFunction"],
            failures: ["sqs:GetQueueAttributes", "sqs:SendMessage"],
        }
        by_notifier = logs | {
            files: [
                "dynamodb:BatchGetItem",
                "dynamodb:BatchWriteItem",
                "dynamodb:GetItem",
                "dynamodb:PartiQLInsert",
                "dynamodb:Query",
            ],
            f"{files}/index/feed_status-status_at": ["dynamodb:Query"],
            files.replace(".Arn}", ".StreamArn}"): [
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
            ],
            f"{files}/stream/*": ["dynamodb:ListStreams"],
            bus: ["events:PutEvents"],
            topic.replace(".Arn}", "}"): ["sns:Publish"],
            notifier: ["lambda:InvokeFunction"],
            failures: [
                "sqs:ChangeMessageVisibility",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
                "sqs:SendMessage",
            ],
        }
        needed = {SWEEP: by_sweep, NOTIFIER: by_notifier}.get(function, {})
        exact = {Permission(action, name) for name, actions in needed.items() for action in actions}
        expected = ingest_permissions(stack) if function == INGEST else exact
        assert permissions_of(stack, f"{function}Role") == expected


def test_only_some_feeds_may_replace_rows(synthesize: Synthesize, stack: Synthesized) -> None:
    def allowed_actions(found: Synthesized) -> set[str]:
        each = inline_statements(found.only(ROLE, INGEST))
        return {action for statement in each for action in as_list(statement["Action"])}

    for setting in ({"write_mode": "merge"}, {"keep_rows_days": 30}):
        assert allowed_actions(synthesize(**setting)) - allowed_actions(stack) == {"dynamodb:PartiQLUpdate"}


def test_only_a_ledger_that_expires_may_be_deleted_from(synthesize: Synthesize, stack: Synthesized) -> None:
    kept = synthesize(keep_uploads_days=15, keep_files_days=60)
    [more] = permissions_of(kept, "IngestRole") - permissions_of(stack, "IngestRole")
    assert more == Permission("dynamodb:PartiQLDelete", f"${{{kept.id_of(TABLE, 'Files')}.Arn}}")
