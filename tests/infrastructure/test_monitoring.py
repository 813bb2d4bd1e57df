"""Who is notified when something fails, and what the dashboard shows.

The list of alarms is the one of docs/runbook.md. The exact properties of each alarm are in snapshot.yaml.
"""

import re
from typing import Any, get_args

import pytest

from csv_ingest.metrics import Metric
from local.processes import PROJECT
from ops.failures import HIDE_SECONDS
from tests.infrastructure.conftest import (
    ALARM,
    EACH_FUNCTION,
    EVENT_INVOKE_CONFIG,
    FUNCTION,
    INGEST,
    NOTIFIER,
    POSTGRESQL,
    QUEUE,
    SWEEP,
    TOPIC,
    Synthesize,
    Synthesized,
    app_of,
    denies_plain_http,
    statements,
    warnings,
)
from tests.templates import readable

RUNBOOK = (PROJECT / "docs" / "runbook.md").read_text()
SECTIONS = re.findall(r"^### (\w+)$", RUNBOOK.partition("## Alarms\n")[2].partition("\n## ")[0], flags=re.MULTILINE)

GAUGES = {
    "ApproximateNumberOfMessagesVisible",
    "FailuresWaiting",
    "FilesMissing",
    "ObjectsIgnored",
    "UnsettledFiles",
}
"""Metrics of a state, not of events. Their source may stop publishing while the state lasts."""

DAY = 24 * 60 * 60


def test_the_runbook_has_a_section_for_every_alarm(stack: Synthesized, postgresql: Synthesized) -> None:
    def alarms(stack: Synthesized) -> list[str]:
        return sorted(id_.removeprefix("Monitoring")[:-8] for id_ in stack.all(ALARM))

    assert alarms(postgresql) == sorted(SECTIONS)
    assert alarms(stack) == sorted(set(SECTIONS) - {"ConnectionsFailed", "FileMissing"})


@pytest.mark.parametrize("name", SECTIONS)
class TestEachAlarm:
    @pytest.fixture
    def stack(self, postgresql: Synthesized) -> Synthesized:
        """The stack that has all of them."""
        return postgresql

    @pytest.fixture
    def alarm(self, stack: Synthesized, name: str) -> Any:
        return stack.only(ALARM, f"Monitoring{name}")["Properties"]

    def test_notifies_the_topic(self, stack: Synthesized, alarm: Any) -> None:
        assert alarm["AlarmActions"] == [{"Ref": stack.id_of(TOPIC)}]
        assert alarm.get("ActionsEnabled", True) is True

    def test_says_what_happened_and_points_to_the_runbook(self, alarm: Any, name: str) -> None:
        assert re.fullmatch(rf"[A-Z].{{10,}}\. See {name} in docs/runbook\.md\.", alarm["AlarmDescription"])

    def test_watches_a_resource_of_this_stack(self, stack: Synthesized, alarm: Any) -> None:
        functions = [stack.id_of(FUNCTION, name) for name in (INGEST, SWEEP, NOTIFIER)]
        variables = [stack.all(FUNCTION)[id_]["Properties"]["Environment"]["Variables"] for id_ in functions]
        [dimension] = alarm["Dimensions"]
        watched = (alarm["Namespace"], dimension["Name"], readable(dimension["Value"]))
        assert watched in {
            *(("AWS/Lambda", "FunctionName", readable({"Ref": id_})) for id_ in functions),
            ("AWS/SQS", "QueueName", f"${{{stack.id_of(QUEUE)}.QueueName}}"),
            ("AWS/Events", "RuleName", f"${{{stack.id_of('AWS::Events::Rule', 'Notifier')}}}"),
            *((each["POWERTOOLS_METRICS_NAMESPACE"], "service", each["POWERTOOLS_SERVICE_NAME"]) for each in variables),
        }

    def test_treats_missing_data_as_its_metric_requires(self, alarm: Any) -> None:
        """A gauge that stops says nothing new; a count that stops is zero; a sign of life that stops is the failure."""
        gauge = alarm["MetricName"] in GAUGES
        expected = "breaching" if alarm.get("Statistic") == "SampleCount" else "ignore" if gauge else "notBreaching"
        assert alarm["TreatMissingData"] == expected


def alarm_on(stack: Synthesized, metric: str, of: str, *, statistic: str = "Sum") -> Any:
    """The properties of the one alarm that watches a statistic of a metric, whose dimension has a value."""
    [alarm] = [
        each["Properties"]
        for each in stack.all(ALARM).values()
        if each["Properties"]["MetricName"] == metric
        and statistic in (each["Properties"].get("Statistic"), each["Properties"].get("ExtendedStatistic"))
        and readable(each["Properties"]["Dimensions"][0]["Value"]) == of
    ]
    return alarm


STATES = {
    "UploadsFailed",
    "FailuresExpire",
    "UnsettledFiles",
    "ObjectsIgnored",
    "SweepMissing",
    "FileMissing",
    "NotifierBehind",
    "NotifierMissing",
    "EventsWaiting",
}
"""The alarms on what lasts. The others are on what happens, and end after minutes whether it was handled or not."""


def test_only_the_end_of_a_state_is_notified(postgresql: Synthesized) -> None:
    told = {name for name in SECTIONS if "OKActions" in postgresql.only(ALARM, f"Monitoring{name}")["Properties"]}
    assert told == STATES
    for name in STATES:
        alarm = postgresql.only(ALARM, f"Monitoring{name}")["Properties"]
        assert alarm["OKActions"] == [{"Ref": postgresql.id_of(TOPIC)}]


def is_raised_above(threshold: float, alarm: Any) -> bool:
    return bool(
        alarm["ComparisonOperator"] == "GreaterThanThreshold" and alarm["Threshold"] == pytest.approx(threshold)
    )


def test_every_count_alarms_at_the_first_occurrence(postgresql: Synthesized) -> None:
    alarms = [each["Properties"] for each in postgresql.all(ALARM).values()]
    counts = [alarm for alarm in alarms if alarm.get("Statistic") == "Sum"]
    assert counts
    assert all(is_raised_above(0, alarm) for alarm in counts)


class TestFailurePaths:
    """Whatever fails raises an alarm."""

    @pytest.fixture
    def queue(self, stack: Synthesized) -> str:
        return f"${{{stack.id_of(QUEUE)}.QueueName}}"

    @pytest.fixture
    def ingest(self, stack: Synthesized) -> str:
        return str(readable({"Ref": stack.id_of(FUNCTION, INGEST)}))

    def test_an_event_in_the_failure_queue(self, stack: Synthesized, queue: str) -> None:
        waiting = alarm_on(stack, "ApproximateNumberOfMessagesVisible", queue, statistic="Maximum")
        assert is_raised_above(0, waiting)
        # Otherwise each look with a redrive would end the alarm and raise it again.
        assert waiting["Period"] * waiting["EvaluationPeriods"] >= HIDE_SECONDS

    def test_another_event_in_the_failure_queue(self, stack: Synthesized, queue: str) -> None:
        """An alarm that is raised already does not notify again."""
        assert is_raised_above(0, alarm_on(stack, "NumberOfMessagesSent", queue))

    def test_an_event_that_expires_in_five_days(self, stack: Synthesized) -> None:
        """Whatever SQS publishes: by the sweep's count, which was above 0 all the days that the event was there."""
        stays = alarm_on(stack, "FailuresWaiting", stack.name, statistic="Minimum")
        assert is_raised_above(0, stays)
        # In the period in which the event comes, the queue may have been empty before.
        raised_after = stays["Period"] * (stays["EvaluationPeriods"] + 1)
        assert raised_after <= stack.only(QUEUE)["Properties"]["MessageRetentionPeriod"] - 5 * DAY
        assert stays["Period"] * stays["EvaluationPeriods"] <= 7 * DAY, "CloudWatch refuses to look further back"

    @EACH_FUNCTION
    def test_an_error_of_each_function(self, stack: Synthesized, function: str) -> None:
        assert is_raised_above(0, alarm_on(stack, "Errors", readable({"Ref": stack.id_of(FUNCTION, function)})))

    @pytest.mark.parametrize("metric", ["Throttles", "AsyncEventsDropped"])
    def test_an_event_that_lambda_cannot_deliver(self, stack: Synthesized, ingest: str, metric: str) -> None:
        assert is_raised_above(0, alarm_on(stack, metric, ingest))

    @EACH_FUNCTION
    def test_a_failure_that_is_not_recorded(self, stack: Synthesized, function: str) -> None:
        name = readable({"Ref": stack.id_of(FUNCTION, function)})
        assert is_raised_above(0, alarm_on(stack, "DestinationDeliveryFailures", name))

    def test_an_event_that_waits_for_half_an_hour(self, stack: Synthesized, ingest: str) -> None:
        config = stack.only(EVENT_INVOKE_CONFIG, f"{INGEST}AsynchronousInvocationOfLive")["Properties"]
        given_up = config["MaximumEventAgeInSeconds"]
        waiting = alarm_on(stack, "AsyncEventAge", ingest, statistic="Maximum")
        assert is_raised_above(30 * 60_000, waiting)
        assert waiting["Threshold"] < given_up * 1000

    def test_a_rejected_row(self, stack: Synthesized) -> None:
        assert is_raised_above(0, alarm_on(stack, "RowsRejected", stack.name))

    def test_a_connection_that_failed(self, postgresql: Synthesized) -> None:
        failed = alarm_on(postgresql, "ConnectionsFailed", postgresql.name)
        assert is_raised_above(0, failed)
        assert (failed["Period"], failed["EvaluationPeriods"]) == (5 * 60, 1)

    def test_an_upload_that_never_settled(self, stack: Synthesized) -> None:
        assert is_raised_above(0, alarm_on(stack, "UnsettledFiles", stack.name, statistic="Maximum"))

    def test_an_object_that_no_feed_takes(self, stack: Synthesized) -> None:
        assert is_raised_above(0, alarm_on(stack, "ObjectsIgnored", stack.name, statistic="Maximum"))

    def test_three_missing_sweeps(self, stack: Synthesized) -> None:
        ended = alarm_on(stack, "UnsettledFiles", stack.name, statistic="SampleCount")
        assert (ended["ComparisonOperator"], ended["Threshold"]) == ("LessThanThreshold", 1)
        assert stack.only("AWS::Events::Rule", "Hourly")["Properties"]["ScheduleExpression"] == "rate(1 hour)"
        assert (ended["Period"], ended["EvaluationPeriods"]) == (60 * 60, 3)
        assert ended["TreatMissingData"] == "breaching"

    def test_deliveries_near_the_timeout(self, stack: Synthesized, ingest: str) -> None:
        assert is_raised_above(0.8 * 30 * 1000, alarm_on(stack, "Duration", ingest, statistic="p99"))


def test_every_metric_is_watched_or_shown(synthesize: Synthesize) -> None:
    postgresql = synthesize(**POSTGRESQL, write_mode="merge", expect="hourly")
    body = readable(postgresql.only("AWS::CloudWatch::Dashboard")["Properties"]["DashboardBody"])
    shown = set(re.findall(r'"CsvIngest","(\w+)"', body))
    alarms = [alarm["Properties"] for alarm in postgresql.all(ALARM).values()]
    watched = {alarm["MetricName"] for alarm in alarms if alarm["Namespace"] == "CsvIngest"}
    assert shown | watched == set(get_args(Metric))


def test_production_warns_if_nobody_is_notified() -> None:
    about = "alarm_email is not set"
    assert len(warnings(app_of(stage="prod"), about)) == 1
    assert not warnings(app_of(stage="prod", alarm_email="oncall@example.com"), about)
    assert not warnings(app_of(), about)


class TestAlarmTopic:
    def test_lets_the_alarms_of_this_account_in(self, stack: Synthesized) -> None:
        [allowed] = [s for s in statements(stack.only("AWS::SNS::TopicPolicy")) if s["Effect"] == "Allow"]
        assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert allowed["Action"] == "sns:Publish"
        assert allowed["Resource"] == {"Ref": stack.id_of(TOPIC)}
        assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}

    def test_refuses_plain_http(self, stack: Synthesized) -> None:
        assert denies_plain_http(stack.only("AWS::SNS::TopicPolicy"), "sns:Publish", {"Ref": stack.id_of(TOPIC)})

    def test_sends_to_the_email_address_if_set(self, synthesize: Synthesize, stack: Synthesized) -> None:
        told = synthesize(alarm_email="oncall@example.com")
        assert told.only("AWS::SNS::Subscription")["Properties"] == {
            "Endpoint": "oncall@example.com",
            "Protocol": "email",
            "TopicArn": {"Ref": told.id_of(TOPIC)},
        }
        assert not stack.all("AWS::SNS::Subscription")
