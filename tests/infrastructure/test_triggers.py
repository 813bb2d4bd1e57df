"""What invokes the functions: uploads and the schedule, and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from aws_cdk import App, Stack
from aws_cdk import aws_kms as kms

from stacks import CsvIngest, Feed
from tests.infrastructure.conftest import (
    BUCKET,
    BUCKET_NOTIFICATIONS,
    INGEST,
    QUEUE,
    SWEEP,
    Synthesize,
    Synthesized,
    app_of,
    arn,
    live,
    stack_of,
    statements,
    violations,
)

PERMISSION = "AWS::Lambda::Permission"
RULE = "AWS::Events::Rule"


class TestUploads:
    def test_of_every_kind_are_reported_once_per_ending(self, stack: Synthesized) -> None:
        assert list(self.triggers(stack)) == [
            (["s3:ObjectCreated:*"], {"suffix": ".csv"}),
            (["s3:ObjectCreated:*"], {"suffix": ".CSV"}),
            (["s3:ObjectCreated:*"], {"suffix": ".csv.gz"}),
        ]

    def triggers(self, stack: Synthesized) -> Iterator[tuple[list[str], dict[str, str]]]:
        """What the bucket reports to the ingest function, and with which filter."""
        notifications = stack.only(BUCKET_NOTIFICATIONS)["Properties"]["NotificationConfiguration"]
        for trigger in notifications["LambdaFunctionConfigurations"]:
            assert trigger["LambdaFunctionArn"] == live(stack, INGEST)
            rules = trigger["Filter"]["Key"]["FilterRules"]
            yield trigger["Events"], {rule["Name"]: rule["Value"] for rule in rules}


class TestEventBridge:
    """`trigger=eventbridge`, for a bucket that notifies others."""

    SETTINGS: ClassVar = {"key_prefix": "in/", "trigger": "eventbridge"}

    def test_invokes_the_function_for_what_the_feed_takes(self, synthesize: Synthesize) -> None:
        stack = synthesize(**self.SETTINGS)
        rule = stack.only(RULE, "Uploads")["Properties"]
        assert rule["EventPattern"] == {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {
                "bucket": {"name": [{"Ref": stack.id_of(BUCKET)}]},
                "object": {"key": [{"wildcard": f"in/*{suffix}"} for suffix in (".csv", ".CSV", ".csv.gz")]},
            },
        }
        assert [target["Arn"] for target in rule["Targets"]] == [live(stack, INGEST)]
        permission = stack.only(PERMISSION, "UploadsAllowEventRule")["Properties"]
        assert permission["FunctionName"] == live(stack, INGEST)
        assert permission["SourceArn"] == arn(stack.id_of(RULE, "Uploads"))

    def test_keeps_what_it_cannot_deliver_in_the_failure_queue(self, synthesize: Synthesize) -> None:
        stack = synthesize(**self.SETTINGS)
        [target] = stack.only(RULE, "Uploads")["Properties"]["Targets"]
        assert target["DeadLetterConfig"] == {"Arn": arn(stack.id_of(QUEUE))}
        [allowed] = [each for each in statements(stack.only("AWS::SQS::QueuePolicy")) if each["Effect"] == "Allow"]
        assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": [arn(stack.id_of(RULE, "Uploads"))]}}

    def test_is_on_in_a_bucket_of_the_stack(self, synthesize: Synthesize) -> None:
        notified = synthesize(**self.SETTINGS).only(BUCKET_NOTIFICATIONS)["Properties"]["NotificationConfiguration"]
        assert notified == {"EventBridgeConfiguration": {}}

    def test_changes_nothing_in_a_bucket_of_others(self, synthesize: Synthesize) -> None:
        stack = synthesize(**self.SETTINGS, existing_bucket="theirs")
        assert not stack.all(BUCKET_NOTIFICATIONS)
        assert "s3:PutBucketNotification" not in str(stack.template)

    def test_of_many_feeds_is_one_statement_and_no_finding(self, tmp_path: Path) -> None:
        feeds = {
            f"f{n}": {"key_prefix": f"f{n}/", "key_suffixes": [".csv"], "trigger": "eventbridge"} for n in range(12)
        }
        app = app_of(tmp_path, feeds=feeds)
        assert violations(app) == []
        found = statements(Synthesized(stack_of(app)).only("AWS::SQS::QueuePolicy"))
        [allowed] = [each for each in found if each["Effect"] == "Allow"]
        assert len(allowed["Condition"]["ArnEquals"]["aws:SourceArn"]) == 12

    def test_may_use_the_key_of_the_queue(self) -> None:
        app = App()
        stack = Stack(app, "Stack", env={"account": "123456789012", "region": "eu-west-1"})
        CsvIngest(stack, "In", feeds=[Feed(trigger="eventbridge")], key=kms.Key(stack, "Key"))
        assert "events.amazonaws.com" in str(Synthesized(stack).only("AWS::KMS::Key"))


def test_only_the_upload_bucket_invokes_ingest(stack: Synthesized) -> None:
    assert stack.only(PERMISSION, "Uploads")["Properties"] == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": live(stack, INGEST),
        "Principal": "s3.amazonaws.com",
        "SourceAccount": {"Ref": "AWS::AccountId"},
        "SourceArn": arn(stack.id_of(BUCKET)),
    }


def test_only_the_schedule_invokes_the_sweep(stack: Synthesized) -> None:
    rule = stack.id_of(RULE, "Hourly")
    assert len(stack.all(PERMISSION)) == 3
    assert stack.only(PERMISSION, "Hourly")["Properties"] == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": live(stack, SWEEP),
        "Principal": "events.amazonaws.com",
        "SourceArn": arn(rule),
    }


def test_the_sweep_runs_every_hour(stack: Synthesized) -> None:
    rule = stack.only(RULE, "Hourly")["Properties"]
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 hour)", "ENABLED")
    assert [target["Arn"] for target in rule["Targets"]] == [live(stack, SWEEP)]
