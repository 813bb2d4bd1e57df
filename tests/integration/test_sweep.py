"""Uploads whose event was lost, or given up, are found and delivered again."""

from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from botocore.exceptions import ClientError

from csv_ingest import clients
from csv_ingest.events import object_version
from csv_ingest.ledger import MAX_ATTEMPTS
from csv_ingest.model import OutOfTime, TableAltered
from csv_ingest.sweep import MAX_DELIVERIES, TIME_TO_REPORT, Swept, handler
from tests.integration.faults import Calls, Killed
from tests.integration.sweeping import run_sweep
from tests.integration.world import Invocations, World, invocation, metrics_in

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
    world.deliver(world.upload("in/complete.csv", "id\n1\n"))
    world.deliver(world.upload("in/rejected.csv", "\0"))
    lost = world.upload("in/lost é+.csv", "id\n2\n")
    world.upload("in/lost é+.csv", "id\n2\n")  # the same bytes: the same upload
    world.upload("elsewhere/a.csv", "id\n")
    world.upload("in/notes.txt", "hello")
    assert run(world, invocations) == Swept(uploads=4, unsettled=1, delivered=1)
    [event] = invocations.events
    world.deliver(event)
    assert world.file("in/lost é+.csv")["entry"] == object_version(lost["Records"][0]).etag
    assert run(world, invocations) == Swept(uploads=4, unsettled=0, delivered=0)


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
    calls = Calls(world.dynamodb)
    calls.die_after = 8
    with suppress(Killed):
        world.deliver(event)
    calls.die_after = None
    [pk, *_] = world.tables()[0]
    world.dynamodb.update_item(
        TableName=world.rows_table,
        Key={"pk": {"S": pk}},
        UpdateExpression="SET #data = :data",
        ExpressionAttributeNames={"#data": "data"},
        ExpressionAttributeValues={":data": {"S": "{}"}},
    )
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
    assert run(world, invocations, age=timedelta(minutes=1)) == Swept(0, 0, 0)


def test_a_run_delivers_a_limited_number_of_uploads(world: World, invocations: Invocations) -> None:
    for number in range(MAX_DELIVERIES + 5):
        world.upload(f"in/{number}.csv", f"id\n{number}\n")
    assert run(world, invocations) == Swept(MAX_DELIVERIES + 5, MAX_DELIVERIES + 5, MAX_DELIVERIES)
    first = invocations.keys()
    invocations.events.clear()
    run(world, invocations)
    assert invocations.keys() != first, "the same ones again: the others would wait for ever"


def test_an_incomplete_sweep_raises_an_error(world: World, invocations: Invocations) -> None:
    world.upload("in/a.csv", "id\n1\n")
    with pytest.raises(OutOfTime, match="after 1 uploads"):
        run(world, invocations, seconds=0)


class TestHandler:
    """A whole run, as the schedule starts it."""

    NOW = timedelta(seconds=-5)
    """The uploads of a test are old enough."""

    @pytest.fixture(autouse=True)
    def _environment(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG002 - it has the others
        monkeypatch.setenv("FEEDS", '{"default": {"function": "ingest", "prefix": "in/", "suffixes": [".csv"]}}')

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
        assert metrics_in(capsys.readouterr().out) == {"FailuresWaiting": sent, "UnsettledFiles": 0}

    def test_an_unreadable_queue_fails_only_after_the_work(
        self, world: World, queue: Invocations, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.upload("in/lost.csv", "id\n1\n")
        monkeypatch.setenv("FAILURE_QUEUE", f"{world.failure_queue}-gone")
        with pytest.raises(ClientError, match="GetQueueAttributes"):
            handler({}, invocation(), grace=self.NOW)
        assert queue.keys() == ["in/lost.csv"]
        assert metrics_in(capsys.readouterr().out) == {"UnsettledFiles": 1}

    def test_an_incomplete_sweep_has_counted_the_failures(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        world.upload("in/a.csv", "id\n1\n")
        with pytest.raises(OutOfTime):
            handler({}, invocation(seconds_left=TIME_TO_REPORT - 1), grace=self.NOW)
        assert metrics_in(capsys.readouterr().out) == {"FailuresWaiting": 0}
