"""What invokes the functions: uploads and the schedule, and nothing else."""

from collections.abc import Iterator

from tests.infrastructure.conftest import BUCKET, BUCKET_NOTIFICATIONS, INGEST, SWEEP, Synthesized, arn, live

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
