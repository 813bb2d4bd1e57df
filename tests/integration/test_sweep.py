"""Uploads whose event was lost, or given up, are found and delivered again."""

from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from csv_ingest import clients, ignored, sweep
from csv_ingest.events import object_version
from csv_ingest.intake import Intake, Taker
from csv_ingest.ledger import MAX_ATTEMPTS
from csv_ingest.model import Deadline, OutOfTime, TableAltered
from csv_ingest.sweep import TIME_TO_REPORT, handler
from csv_ingest.sweeping.due import MAX_DELIVERIES
from tests.integration.faults import Calls, Killed
from tests.integration.invoking import Invocations, invocation, metrics_in, version_of
from tests.integration.sweeping import run_sweep
from tests.integration.world import World

run = partial(run_sweep, prefix="in/")


@pytest.mark.parametrize(("hours", "delivered"), [(2, 0), (7, 1)])
def test_a_file_in_parts_has_six_hours_to_finish(
    world: World, invocations: Invocations, hours: int, delivered: int
) -> None:
    parts = Invocations(clients.lambda_())
    world.tuned(whole_parts=0).deliver(world.upload("in/large.csv", "id\n1\n"))
    assert len(parts.events) == 1
    swept = run(world, invocations, age=timedelta(hours=1 - hours))
    assert (swept.unsettled, swept.delivered, len(invocations.events)) == (delivered,) * 3


def test_only_uploads_that_never_settled_are_delivered_again(world: World, invocations: Invocations) -> None:
    world.ingest("in/complete.csv", "id\n1\n")
    world.ingest("in/rejected.csv", "\0")
    lost = world.upload("in/lost é+.csv", "id\n2\n")
    world.upload("in/lost é+.csv", "id\n2\n")  # the same bytes: the same upload
    world.upload("elsewhere/a.csv", "id\n")
    world.upload("in/notes.txt", "hello")
    assert run(world, invocations)[:3] == (4, 1, 1)
    [event] = invocations.events
    world.deliver(event)
    assert world.file("in/lost é+.csv")["entry"] == object_version(lost["Records"][0]).etag
    assert run(world, invocations)[:3] == (4, 0, 0)


def test_an_upload_whose_delivery_died_is_delivered_again(world: World, invocations: Invocations) -> None:
    event = world.upload("in/a.csv", "id\n1\n")
    with pytest.raises(OutOfTime):
        world.deliver(event, seconds_left=1)
    assert world.file("in/a.csv")["status"] == "PROCESSING"
    assert run(world, invocations).delivered == 1


def test_a_planned_file_is_left_to_a_person(world: World, invocations: Invocations) -> None:
    """REJECTED would say that no row is stored. The sweep goes on counting the file, and its alarm stays on."""
    world = world.tuned(in_flight=1)
    event = world.upload("in/a.csv", "id\n" + "".join(f"{n}\n" for n in range(200)))
    with suppress(Killed), Calls(world.dynamodb).fault("die_after", 8):
        world.deliver(event)
    item, *_ = world.tables()[0].values()
    world.default_rows.put(item | {"data": {"S": "{}"}})
    for _ in range(MAX_ATTEMPTS):
        assert run(world, invocations).delivered == 1
        with pytest.raises(TableAltered):
            world.deliver(event)
    world.an_hour_later("in/a.csv")
    swept = run(world, invocations)
    assert (swept.unsettled, swept.delivered) == (1, 0)
    assert world.file("in/a.csv")["status"] == "PROCESSING"
    assert "audit --repair" in world.file("in/a.csv")["last_error"]


def test_a_young_upload_does_not_count_as_unsettled(world: World, invocations: Invocations) -> None:
    world.upload("in/young.csv", "id\n1\n")
    assert run(world, invocations, age=timedelta(minutes=1))[:3] == (0, 0, 0)


def test_files_that_always_fail_delay_no_others(world: World, invocations: Invocations) -> None:
    keys = [f"in/{number}.csv" for number in range(MAX_DELIVERIES + 5)]
    for key in keys:
        world.upload(key, f"id\n{key}\n")
    assert run(world, invocations)[:3] == (len(keys), len(keys), MAX_DELIVERIES)
    world.upload("in/lost.csv", "id\n1\n")
    run(world, invocations)
    delivered = [version_of(event).key for event in invocations.events]
    assert {*delivered[:MAX_DELIVERIES], *delivered[MAX_DELIVERIES:][:6]} == {*keys, "in/lost.csv"}


class TestHandler:
    """A whole run, as the schedule starts it."""

    NOW = timedelta(seconds=-5)
    """The uploads of a test are old enough."""

    @pytest.fixture(autouse=True)
    def _environment(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG002 - it has the others
        monkeypatch.setenv("FEEDS", '{"default": {"function": "ingest", "prefix": "in/", "suffixes": [".csv"]}}')
        monkeypatch.setenv("IGNORED_PREFIXES", '["reports/"]')
        monkeypatch.setenv("EXISTING_BUCKET", "false")

    @pytest.mark.parametrize(("sent", "hidden"), [(0, 0), (3, 0), (3, 1), (2, 2)])
    def test_failures_are_counted_also_while_somebody_looks(
        self, world: World, sent: int, hidden: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for _ in range(sent):
            world.sqs.send_message(QueueUrl=world.failure_queue, MessageBody="{}")
        for _ in range(hidden):
            world.sqs.receive_message(QueueUrl=world.failure_queue, MaxNumberOfMessages=1, VisibilityTimeout=300)
        handler({}, invocation())
        # None is a count, too: nothing else would end the alarm.
        expected = {"FailuresWaiting": sent, "UnsettledFiles": 0, "ObjectsIgnored": 0}
        assert metrics_in(capsys.readouterr().out) == expected

    def test_an_unreadable_queue_fails_only_after_the_work(
        self, world: World, queue: Invocations, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.upload("in/lost.csv", "id\n1\n")
        monkeypatch.setenv("FAILURE_QUEUE", f"{world.failure_queue}-gone")
        with pytest.raises(ClientError, match="GetQueueAttributes"):
            handler({}, invocation(), grace=self.NOW)
        assert queue.keys() == ["in/lost.csv"]
        assert metrics_in(capsys.readouterr().out) == {"UnsettledFiles": 1, "ObjectsIgnored": 0}

    def test_a_run_without_time_publishes_no_smaller_numbers(
        self,
        world: World,
        queue: Invocations,  # noqa: ARG002 - it takes what the sweep delivers
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        world.upload("in/a.csv", "id\n1\n")
        no_time = invocation(seconds_left=TIME_TO_REPORT - 1)
        handler({}, no_time, grace=self.NOW)
        capsys.readouterr()
        handler({}, invocation(), grace=self.NOW)
        assert metrics_in(capsys.readouterr().out)["UnsettledFiles"] == 1
        handler({}, no_time, grace=self.NOW)
        assert metrics_in(capsys.readouterr().out)["UnsettledFiles"] == 1

    def test_a_day_without_a_complete_scan_is_an_error(
        self,
        world: World,
        queue: Invocations,  # noqa: ARG002 - it takes what the sweep delivers
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        world.upload("in/a.csv", "id\n1\n")
        handler({}, invocation(), grace=self.NOW)
        no_time = invocation(seconds_left=TIME_TO_REPORT - 1)
        handler({}, no_time, grace=self.NOW)
        monkeypatch.setattr(sweep, "LONGEST_SCAN", timedelta(0))
        with pytest.raises(OutOfTime, match="no scan of the bucket was complete since 2"):
            handler({}, no_time, grace=self.NOW)

    @pytest.mark.parametrize(("existing_bucket", "expected"), [("false", 5), ("true", 3)])
    def test_objects_that_no_feed_takes_are_counted(
        self,
        world: World,
        existing_bucket: str,
        expected: int,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("EXISTING_BUCKET", existing_bucket)
        world.ingest("in/a.csv", "id\n1\n")
        for key in ("in/a.Csv", "In/a.csv", "/in/a.csv", "a.csv", "elsewhere/b.csv", "reports/a.txt", "gone.csv"):
            world.upload(key, "id\n1\n")
        world.upload("in/a.Csv", "id\n2\n")  # only the current version counts
        world.upload("in/2026/", "")
        world.s3.delete_object(Bucket=world.bucket, Key="gone.csv")
        handler({}, invocation())
        assert metrics_in(capsys.readouterr().out)["ObjectsIgnored"] == expected

    def test_what_former_settings_ingested_is_not_counted(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for key, content in (("before/complete.csv", "id\n1\n"), ("before/rejected.csv", "\0")):
            world.ingest(key, content)
        with pytest.raises(OutOfTime):
            world.deliver(world.upload("before/begun.csv", "id\n1\n"), seconds_left=1)
        handler({}, invocation())
        assert metrics_in(capsys.readouterr().out)["ObjectsIgnored"] == 1

    def test_what_is_older_than_the_ledger_is_not_counted(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        world.upload("elsewhere/a.csv", "id\n1\n")

        def deployed_later(parsed: dict[str, Any], **_: Any) -> None:
            parsed["Table"]["CreationDateTime"] += timedelta(minutes=1)

        events: Any = world.dynamodb.meta.events
        events.register("after-call.dynamodb.DescribeTable", deployed_later)
        handler({}, invocation())
        assert metrics_in(capsys.readouterr().out)["ObjectsIgnored"] == 0


@pytest.mark.parametrize("prefix", ["orders/", "vendors/acme/"])
def test_others_folders_are_not_listed(world: World, prefix: str) -> None:
    """Of a bucket with a hundred million objects of others, only what can resemble a prefix is listed."""
    calls: list[str] = []
    events: Any = world.s3.meta.events
    events.register("provide-client-params.s3.ListObjectVersions", lambda params, **_: calls.append(params["Prefix"]))
    near = ["Orders/2026/a.csv", "orders", "vendor/acme/a.csv", "vendors/acmes/a.csv"]
    for key in (*near, "lake/2026/a.csv", "vendors/other/a.csv", f"{prefix}a.csv", f"{prefix}2026/a.txt"):
        world.upload(key, "id\n1\n")
    intake = Intake(takers=[Taker("f", prefix, [".csv"])], existing_bucket=True)
    found = ignored.objects_to_look_at(world.s3, world.bucket, intake=intake, deadline=Deadline.never())
    keys = sorted(each.version.key for each in found if intake.is_mistake(each.version.key, each.version.size))
    expected = [key for key in near if key.lower().startswith(prefix[:5])]
    assert keys == sorted([*expected, f"{prefix}2026/a.txt"])
    assert len(calls) == len(set(calls))
    assert not [call for call in calls if call.startswith(("lake/", "vendors/other/", f"{prefix}2026"))]
