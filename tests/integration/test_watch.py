"""`status --watch` shows what is under way, and every change of it."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from rich.cells import cell_len

from csv_ingest.events import Event
from csv_ingest.model import FILES_INDEX, OutOfTime
from ops import changes, watching
from ops.commands import watch
from ops.pipeline import Pipeline
from tests.integration.commands import fail, invoke, run, shown_on_a_terminal
from tests.integration.faults import Calls
from tests.integration.invoking import Invocations
from tests.integration.parts import CONTENT, DUPLICATE_IDS, SMALL_PARTS, deliver_all
from tests.integration.world import World

TUNING = SMALL_PARTS
pytestmark = pytest.mark.usefixtures("commanded")

Step = Callable[[], object]
BEGUN = datetime(2030, 1, 1, tzinfo=UTC)


class Watched:
    """Looks at a pipeline, one after the other."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.seen: list[watching.Look] = []

    def look(self, *, seconds: float | None = None, shown: int = 20) -> watching.Look:
        """Look now, or so many seconds after the look before."""
        before = self.seen[-1] if self.seen else None
        now = before.at + timedelta(seconds=seconds) if before and seconds else datetime.now(UTC)
        self.seen.append(watching.take(self.pipeline, self.pipeline.feeds, now, before, shown=shown))
        return self.seen[-1]

    def changes(self) -> list[str]:
        """The lines about the next look."""
        before = self.seen[-1] if self.seen else None
        return list(changes.changes(before, self.look()))


@pytest.fixture
def watched(commanded: Pipeline) -> Watched:
    return Watched(commanded)


@pytest.fixture
def alarm(commanded: Pipeline) -> Iterator[Callable[..., Any]]:
    """Creates an alarm that is on, as the stack does, and returns its name."""
    cloudwatch, made = commanded.clients.cloudwatch, []

    def create(name: str, meaning: str, *, topic: str = commanded.alarm_topic) -> str:
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            AlarmDescription=meaning,
            AlarmActions=[topic],
            MetricName="Errors",
            Namespace="Test",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
        )
        made.append(name)
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
        return name

    yield create
    cloudwatch.delete_alarms(AlarmNames=made)


def begin(world: World, key: str, content: str = "id\n1\n") -> Event:
    """Upload a file whose first delivery fails."""
    event = world.upload(key, content)
    with pytest.raises(OutOfTime):
        world.deliver(event, seconds_left=1)
    return event


def deliver_next(world: World, queue: Invocations) -> None:
    world.deliver(queue.events.pop(0))


def interrupt() -> None:
    raise KeyboardInterrupt


def during(monkeypatch: pytest.MonkeyPatch, *steps: Step) -> None:
    """Have a watch do these in place of its waits, and be interrupted then."""
    remaining = iter([*steps, interrupt])
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _seconds: next(remaining)())
    monkeypatch.setattr(watch, "time", clock)


def without_times(output: str) -> list[str]:
    # The function's own log lines, in this process, begin with a brace.
    lines = [line for line in output.splitlines() if not line.startswith("{")]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", line) for line in lines)
    return [line[21:] for line in lines]


def test_a_pipe_gets_a_line_per_change(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    event = begin(world, "begun.csv")
    steps = [
        lambda: None,
        lambda: world.deliver(event),
        lambda: world.ingest("bad [red].csv", "id,name\n1,x\n,y\n"),
        lambda: world.ingest("none.csv", "\0"),
        lambda: None,
    ]
    during(monkeypatch, *steps)
    output = run("status", "--watch", code=1)
    assert "\x1b" not in output
    reason = world.file("none.csv")["reason"]
    first, *lines = without_times(output)
    assert first.startswith("begun.csv: no row so far; a delivery failed: out of time")
    assert lines == [
        "feed default: 1 file in flight",
        "failure queue: empty",
        "no alarm is on",
        "begun.csv: COMPLETE: 1 row read, 1 stored, 0 rejected",
        "feed default: 0 files in flight",
        "bad [red].csv: COMPLETE: 2 rows read, 1 stored, 1 rejected",
        f"none.csv: REJECTED: {reason}",
        "failure queue: 1 message",
    ]


def test_parts_are_followed_to_the_end(world: World, watched: Watched, queue: Invocations) -> None:
    watched.look()
    world.ingest("large.csv", CONTENT)
    parts = world.file("large.csv")["parts"]
    assert watched.changes() == [
        f"large.csv: 0 of {parts} parts done, 0 rows so far",
        "feed default: 1 file in flight",
    ]
    deliver_next(world, queue)
    [line] = watched.changes()
    assert line.startswith(f"large.csv: 1 of {parts} parts done, ")
    assert watched.changes() == []
    deliver_all(world, queue)
    record = world.file("large.csv")
    assert watched.changes() == [
        f"large.csv: COMPLETE: {record['rows_read']} rows read, {record['rows_stored']} stored, 2 rejected",
        "feed default: 0 files in flight",
    ]
    assert watched.seen[-1].feeds[0].tally.rows == record["rows_read"]


def test_rows_that_are_compared_are_not_counted_twice(world: World, watched: Watched, queue: Invocations) -> None:
    watched.look()
    world.ingest("large.csv", DUPLICATE_IDS)
    watched.look()
    later = Watched(watched.pipeline)
    while queue.events:
        deliver_next(world, queue)
        watched.look()
        if "parts_checked" in world.file("large.csv"):
            later.look()
    assert "checked for duplicate ids" in later.seen[0].files[0].progress
    read = world.file("large.csv")["rows_read"]
    assert [each.seen[-1].feeds[0].tally.rows for each in (watched, later)] == [read, 0]


def test_the_rate_is_of_the_last_half_minute(world: World, watched: Watched) -> None:
    watched.look()
    world.ingest("a.csv", "id\n" + "".join(f"{n}\n" for n in range(15)))
    rates = [watched.look(seconds=10).feeds[0].tally.rows_per_second for _ in range(5)]
    assert rates == [1.5, 0.75, 0.5, 0, 0]


def test_an_outcome_is_told_once(world: World, watched: Watched) -> None:
    watched.look()
    event = world.ingest("a.csv", "\0")
    assert sum("a.csv: REJECTED" in line for line in watched.changes()) == 1
    assert sum("a.csv: REJECTED" in line for line in watched.changes()) == 0
    world.deliver(event)
    assert sum("a.csv: REJECTED" in line for line in watched.changes()) == 1
    assert watched.seen[-1].feeds[0].tally.rejected == 2


def test_each_feed_has_its_own_counts(world: World, invocations: Invocations) -> None:
    world.add_feed("vendors", "vendors/")
    pipeline = world.pipeline()
    pipeline.clients.lambda_ = invocations.client
    invocations.paused = {"none"}
    watched = Watched(pipeline)
    assert watched.changes()[:2] == ["feed default: paused, 0 files in flight", "feed vendors: 0 files in flight"]
    invocations.paused = {"none-vendors"}
    world.ingest("vendors/a.csv", "id\n1\n")
    begin(world, "orders/a.csv")
    _, _, *lines = watched.changes()
    assert lines == ["feed default: resumed", "feed default: 1 file in flight", "feed vendors: paused"]
    assert [(feed.in_flight, feed.tally.complete) for feed in watched.seen[-1].feeds] == [(1, 0), (0, 1)]


def test_a_file_that_is_reloaded_is_not_settled(world: World, watched: Watched) -> None:
    begin(world, "a.csv")
    world.change_record("a.csv", status="COMPLETE", erasing="reload", erasing_since="2026-01-01T00:00:00.000+00:00")
    assert watched.changes()[0] == "a.csv: `reload` is under way"
    assert watched.seen[-1].in_flight == 1


def test_alarms_of_this_stack_alone_are_shown(watched: Watched, alarm: Callable[..., str]) -> None:
    meaning = "Deliveries failed. See IngestErrors in docs/runbook.md."
    name = alarm("none-IngestErrors-1", meaning)
    alarm("none-prod-IngestErrors-1", meaning, topic=f"{watched.pipeline.alarm_topic}-prod")
    assert watched.changes()[-1] == f"alarm IngestErrors is on: {meaning}"
    watched.pipeline.clients.cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="test")
    assert watched.changes() == [f"alarm IngestErrors is off: {name}", "no alarm is on"]


def in_flight(world: World) -> object:
    return begin(world, "a.csv")


def in_the_queue(world: World) -> None:
    fail(world, world.upload("a.csv", "id\n1\n"))


def hidden_in_the_queue(world: World) -> object:
    in_the_queue(world)
    return world.sqs.receive_message(QueueUrl=world.failure_queue)


@pytest.mark.parametrize("bad", [in_flight, in_the_queue, hidden_in_the_queue])
def test_the_exit_code_says_what_is_left(
    world: World, monkeypatch: pytest.MonkeyPatch, bad: Callable[[World], object]
) -> None:
    during(monkeypatch)
    assert "feed default: 0 files in flight" in run("status", "--watch", code=0)
    bad(world)
    during(monkeypatch)
    run("status", "--watch", code=1)


def test_an_alarm_that_is_on_is_exit_code_one(monkeypatch: pytest.MonkeyPatch, alarm: Callable[..., str]) -> None:
    alarm("an alarm", "")
    during(monkeypatch)
    assert "alarm an alarm is on" in run("status", "--watch", code=1)


def test_until_idle_ends_when_nothing_is_in_flight(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    event = begin(world, "a.csv")
    nothing: list[Step] = [lambda: None] * watching.IDLE_LOOKS
    during(monkeypatch, *nothing, lambda: world.deliver(event), *nothing[1:])
    assert "a.csv: COMPLETE" in run("status", "--watch", "--until-idle", code=0)


def test_until_idle_ends_when_nothing_moves(world: World, pipeline: Pipeline) -> None:
    begin(world, "a.csv")
    minutes = iter(range(100))
    looks = watching.looks(
        pipeline,
        pipeline.feeds,
        now=lambda: BEGUN + timedelta(minutes=next(minutes)),
        wait=lambda: None,
        shown=lambda: 20,
        until_idle=True,
    )
    assert [look.at - BEGUN for look in looks][-1] == timedelta(minutes=15)


@pytest.mark.parametrize(
    "arguments",
    [("--watch", "a.csv"), ("--watch", "--json"), ("--watch", "--since", "7d"), ("--until-idle",), ("--interval", "5")],
)
def test_options_that_do_not_go_together_are_refused(arguments: tuple[str, ...]) -> None:
    assert "--watch" in invoke("status", *arguments, code=2).stderr


def test_a_ledger_without_the_index_is_refused(world: World) -> None:
    world.dynamodb.update_table(
        TableName=world.files_table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": FILES_INDEX}}]
    )
    for words in (["status", "--watch"], ["history"], ["report", "--html", "none.html"]):
        assert "no index of uploads by status" in invoke(*words, code=1).stderr


def screen_of(look: watching.Look, *, width: int = 80, height: int = 24) -> list[str]:
    return [line.plain for line in watch.screen(look, "CsvIngest", width, height)]


@pytest.mark.usefixtures("queue")
def test_a_screen_shows_everything(world: World, watched: Watched, alarm: Callable[..., str]) -> None:
    alarm("1", "Deliveries failed. See IngestErrors in docs/runbook.md.")
    fail(world, world.upload("failed.csv", "id\n1\n"))
    world.ingest("large.csv", CONTENT)
    lines = screen_of(watched.look())
    parts = world.file("large.csv")["parts"]
    started = f"{watched.seen[-1].files[0].record.started_at:%H:%M:%S}"
    assert lines[1:] == [
        "",
        "feed                 in flight   complete  rejected    rows/s",
        "default                      1          0         0         0",
        "",
        "large.csv",
        f"  since {started}: 0 of {parts} parts done, 0 rows so far",
        "",
        "failure queue: 1 message",
        "alarms that are on:",
        "  IngestErrors: Deliveries failed. See IngestErrors in docs/runbook.md.",
    ]


def test_keys_cannot_steer_the_screen(world: World, watched: Watched) -> None:
    begin(world, "[red]\u202e\x9b31m\u2028.csv")
    begin(world, "long/" * 40 + "\u65e5\u672c.csv")
    lines = screen_of(watched.look())
    assert r"[red]\u202e\u009b31m\u2028.csv" in lines
    assert any(line.startswith("...") and line.endswith("/long/\u65e5\u672c.csv") for line in lines)
    assert all(cell_len(line) <= 80 and line.isprintable() for line in lines)


def test_thousands_of_files_cost_few_requests(world: World, watched: Watched, alarm: Callable[..., str]) -> None:
    for number in range(9):
        alarm(f"alarm {number}", "Something. " * 20)
    for first in range(0, 2_000, 25):
        puts: Any = [{"PutRequest": {"Item": in_parts(first + number)}} for number in range(25)]
        world.dynamodb.batch_write_item(RequestItems={world.files_table: puts})
    clients_ = watched.pipeline.clients
    calls = Calls(clients_.dynamodb, clients_.sqs, clients_.lambda_, clients_.cloudwatch)
    look = watched.look(shown=12)
    assert (look.in_flight, len(look.files)) == (2_000, 12)
    pages = calls.names.count("Query") - len(("COMPLETE", "REJECTED")) - len(look.files)
    assert 1 <= pages <= 2
    assert len(calls.names) <= 2 + 4 + 1 + 1 + len(look.files)
    for height in (21, 24, 50):
        lines = screen_of(look, height=height)
        assert len(lines) < height
        assert max(map(len, lines)) <= 80
        assert any(re.fullmatch(r"and 1,9\d\d more files in flight", line) for line in lines)


def in_parts(number: int) -> dict[str, Any]:
    """The record of a file in a hundred parts."""
    time = f"2026-01-01T00:00:00.{number % 1000:03}+00:00"
    texts = {"status": "PROCESSING", "version_id": "v", "feed_status": "default#PROCESSING", "status_at": time}
    numbers = dict.fromkeys(("rows_read", "rows_stored", "rows_rejected"), 0) | {
        "parts": 100,
        "parts_done": number % 90,
    }
    return {
        "object_key": {"S": f"{number}.csv"},
        "entry": {"S": "e"},
        "started_at": {"S": time},
        **{name: {"S": text} for name, text in texts.items()},
        **{name: {"N": str(value)} for name, value in numbers.items()},
    }


def test_a_terminal_is_drawn_in_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    event = begin(world, "a.csv")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    during(monkeypatch, lambda: world.deliver(event))
    shown = shown_on_a_terminal(monkeypatch, "status", "--watch")
    for numbers in ("1          0", "0          1"):
        assert f"default                      {numbers}" in shown
    assert "\x1b[1A\x1b[2K" in shown, "the lines of the first look are erased"
    assert "\x1b[33m  since " in shown
    monkeypatch.setenv("NO_COLOR", "1")
    during(monkeypatch)
    assert not re.search(r"\x1b\[[0-9;]*m", shown_on_a_terminal(monkeypatch, "status", "--watch"))
    monkeypatch.setenv("TERM", "dumb")
    during(monkeypatch)
    assert "\x1b" not in shown_on_a_terminal(monkeypatch, "status", "--watch")
