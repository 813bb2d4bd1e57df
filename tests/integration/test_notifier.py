"""Whoever waits for a file is told what became of it: by an event, by a mail, by a file of rejected rows."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError

from csv_ingest import clients
from csv_ingest.configuration import NotifierConfig
from csv_ingest.events import Event, upload_event
from csv_ingest.model import VERIFY_FOLDER, Deadline, MalformedEvent, NotTold, PartJob
from csv_ingest.notifier import Notifier, handler
from ops import forgetting, reloading
from ops.pipeline import Pipeline
from tests.integration.faults import Calls, Killed
from tests.integration.invoking import Invocations, invocation, metrics_in, version_of
from tests.integration.settings import set_feed
from tests.integration.telling import Told, told_in
from tests.integration.test_crashes import BROKEN_UP, UNREADABLE
from tests.integration.world import World


@pytest.fixture(autouse=True)
def _all_have_one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.erasing.CLOCKS", 0)


@pytest.fixture
def told(world: World, queue: Invocations, monkeypatch: pytest.MonkeyPatch) -> Told:
    return told_in(world, queue, monkeypatch)


@pytest.mark.parametrize("parts", [False, True], ids=["whole", "parts"])
@pytest.mark.parametrize(
    ("world", "content"),
    [
        ("dynamodb", BROKEN_UP),
        ("merge", BROKEN_UP),
        ("postgresql", BROKEN_UP),
        ("postgresql merge", BROKEN_UP),
        ("dynamodb", UNREADABLE),
    ],
    ids=["append", "merge", "postgresql", "postgresql-merge", "unreadable"],
    indirect=["world"],
)
def test_a_file_is_told_wherever_its_delivery_dies(
    world: World, queue: Invocations, told: Told, content: str, *, parts: bool
) -> None:
    """Wherever: at each of the last calls, which settle the file, and those before."""
    world = world.tuned(part_lines=40, whole_parts=0) if parts else world
    calls = Calls(*world.engines)

    def ingest(key: str) -> str:
        event = world.upload(key, content)
        with suppress(Killed):
            world.deliver(event)
        calls.die_after = None
        world.deliver(event)
        while queue.events:
            world.deliver(queue.events.pop(0))
        return version_of(event).version_id

    ingest("first.csv")
    total = len(calls.names) // 2
    told.tell()
    [first] = {json.dumps(comparable(detail)) for _, detail in told.events()}
    for number in range(max(total - 4, 1), total + 1):
        calls.names.clear()
        calls.die_after = number
        version = ingest(f"{number}.csv")
        told.tell()
        events = told.events()
        assert {kind for kind, _ in events} == {"CSV File Rejected" if content == UNREADABLE else "CSV File Complete"}
        assert {detail["version_id"] for _, detail in events} == {version}
        assert {json.dumps(comparable(detail)) for _, detail in events} == {first}, number


def comparable(detail: dict[str, Any]) -> dict[str, Any]:
    """What two uploads of the same bytes have in common."""
    own = ("object_key", "version_id", "uploaded_at", "started_at", "settled_at")
    return {name: value for name, value in detail.items() if name not in own}


def test_an_event_says_what_the_ledger_says(world: World, told: Told) -> None:
    event = world.ingest("a +é.csv", BROKEN_UP)
    told.tell()
    [(kind, detail)] = told.events()
    version = version_of(event)
    record = {item["object_key"]["S"]: item for (_, entry), item in world._files().items() if entry == version.etag}
    times = {name: record["a +é.csv"][name]["S"] for name in ("uploaded_at", "started_at", "settled_at")}
    assert kind == "CSV File Complete"
    assert detail == dict.fromkeys(detail) | times | {
        "stack": "CsvIngest",
        "pipeline": "CsvIngest",
        "bucket": world.bucket,
        "feed": "default",
        "object_key": "a +é.csv",
        "etag": version.etag,
        "version_id": version.version_id,
        "size": version.size,
        "status": "COMPLETE",
        "rows_read": 120,
        "rows_stored": 99,
        "rows_rejected": 21,
        "rows_superseded": 0,
        "first_rejects": detail["first_rejects"],
        "columns_added": [],
    }
    assert [reject["line"] for reject in detail["first_rejects"]] == [line for line, _ in world.rejects("a +é.csv")][:5]


def test_added_columns_are_named(world: World, told: Told) -> None:
    for number, names in enumerate(("id,a", "id,a,b,c", "id,c")):
        world.ingest(f"{number}.csv", f"{names}\n")
        told.tell()
    assert [detail["columns_added"] for _, detail in told.events()] == [[], ["b", "c"], []]


def test_what_is_no_outcome_is_not_told(world: World, told: Told, pipeline: Pipeline) -> None:
    world.ingest("a.csv", "id\n1\n,2\n")
    told.tell()
    assert len(told.events()) == 1
    [record] = pipeline.files.records_of_key("a.csv")
    pipeline.files.acknowledge(record, "somebody", "known")
    world.deliver(world.upload("a.csv", "id\n1\n,2\n"))  # the same upload
    told.tell()
    assert told.events() == []


def test_reloading_tells_anew_and_forgetting_is_told(world: World, told: Told, pipeline: Pipeline) -> None:
    event = world.ingest("a.csv", "id,x\n1,2\n,3\n")
    told.tell()
    [(_, before)] = told.events()
    reloading.reload(reloading.erasure_for_reload(pipeline, version_of(event)))
    world.deliver(event)
    told.tell()
    [(kind, after)] = told.events()
    assert kind == "CSV File Complete"
    assert comparable(before) == comparable(after)
    assert before["settled_at"] < after["settled_at"]
    forgetting.forget(forgetting.forgetting_of(pipeline, "a.csv"))
    told.tell()
    [(kind, detail)] = told.events()
    forgotten = (kind, detail["object_key"], detail["rows_stored"], detail["status"])
    assert forgotten == ("CSV File Forgotten", "a.csv", 1, None)
    told.look()
    assert len(told.mails()) == 1, "about the rejected row; who forgets a file knows it"


def test_a_killed_sender_tells_the_same_again(world: World, told: Told) -> None:
    for number in range(3):
        world.ingest(f"{number}.csv", "id,a\n1,2\n,3\n")
    records = told.stream()
    engines = (clients.events(), clients.dynamodb(), clients.lambda_())
    calls = Calls(*engines)
    told.tell({"Records": records})
    expected = {json.dumps(event) for event in told.events()}
    assert len(expected) == 3
    for number in range(1, len(calls.names) + 1):
        with suppress(Killed), calls.fault("die_after", number):
            told.tell({"Records": records})
        told.tell({"Records": records})
        assert {json.dumps(event) for event in told.events()} == expected, f"killed after call {number}"


def test_a_refused_event_keeps_no_other_waiting(world: World, told: Told) -> None:
    """It goes into Lambda's queue, which tries it again and then puts it into the failure queue."""
    for key in ("a.csv", "b.csv", "c.csv"):
        world.ingest(key, "id\n1\n")
    with refused(lambda detail: detail["object_key"] == "b.csv"):
        told.tell()
        assert [detail["object_key"] for _, detail in told.events()] == ["a.csv", "c.csv"]
        [again] = told.invocations.events
        with pytest.raises(NotTold, match="ThrottlingException"):
            told.tell(again)
    told.tell(again)
    assert [detail["object_key"] for _, detail in told.events()] == ["b.csv"]


@contextmanager
def refused(is_refused: Callable[[dict[str, Any]], bool]) -> Iterator[None]:
    """Have the bus refuse some events within a block, as EventBridge does: with 200, and an error per event."""

    def answer(params: dict[str, Any], **_: Any) -> Any:
        if is_refused(json.loads(json.loads(params["body"])["Entries"][0]["Detail"])):
            entries = [{"ErrorCode": "ThrottlingException", "ErrorMessage": "made up"}]
            return SimpleNamespace(status_code=200), {"FailedEntryCount": 1, "Entries": entries}
        return None

    events: Any = clients.events().meta.events
    events.register("before-call.events.PutEvents", answer)
    yield
    events.unregister("before-call.events.PutEvents", answer)


@pytest.mark.parametrize("damage", ["no images", "no keys", "another format"])
def test_a_poisoned_record_keeps_no_other_waiting(world: World, told: Told, damage: str) -> None:
    world.ingest("a.csv", "id\n1\n")
    [record] = told.stream()
    poisoned = json.loads(json.dumps(record))
    if damage == "no images":
        poisoned.pop("dynamodb")
    elif damage == "no keys":
        poisoned["dynamodb"].pop("Keys")
    else:
        poisoned["dynamodb"]["NewImage"]["format"] = {"S": "{"}
    told.tell({"Records": [poisoned, record]})
    assert [detail["object_key"] for _, detail in told.events()] == ["a.csv"]
    assert told.invocations.events == [{"change": poisoned}]
    with pytest.raises((MalformedEvent, NotTold)):
        told.tell(told.invocations.events[0])


def test_what_time_does_not_suffice_for_is_told_later(world: World, told: Told) -> None:
    world.ingest("a.csv", "id\n1\n")
    told.tell(seconds_left=1)
    assert told.events() == []
    told.tell(told.invocations.events[0])
    assert [detail["object_key"] for _, detail in told.events()] == ["a.csv"]


def test_a_batch_without_data_is_told_by_its_time(world: World, told: Told) -> None:
    """What Lambda records of a batch that failed has no data. One upload that cannot be told keeps no other waiting."""
    for key, content in (("a.csv", "id\n1\n"), ("b.csv", "\0"), ("c.csv", "id\n3\n")):
        world.ingest(key, content)
    world.change_record("b.csv", settled_at="no time")
    told.stream()
    now = datetime.now(UTC).isoformat()
    told.tell({"again": {"since": now, "until": now}})
    for event in list(told.invocations.events):
        told.tell(event)
    uploads = [event for event in told.invocations.events if "object_key" in event["again"]]
    assert len(uploads) == 3
    for event in uploads:
        with suppress(NotTold, ValueError):
            told.tell(event)
    assert sorted(detail["object_key"] for _, detail in told.events()) == ["a.csv", "c.csv"]


def test_many_outcomes_are_told_again_in_steps(world: World, told: Told) -> None:
    """What there is no time for is left to one more event."""
    for number in range(5):
        world.ingest(f"{number}.csv", f"id\n{number}\n")
    period = {"feed": "default", "status": "COMPLETE", "since": "2026", "until": "3"}
    seconds = iter([30.0] * 3 + [0.0] * 9)
    handler({"again": period}, invocation(seconds_left=seconds, function="notifier"))
    assert 1 < len(told.invocations.events) < 6
    told.tell_dispatched()
    assert {detail["object_key"] for _, detail in told.events()} == {f"{number}.csv" for number in range(5)}


class TestFailed:
    """Uploads whose deliveries have used up their attempts."""

    def fail(self, world: World, event: Event, condition: str = "RetriesExhausted") -> None:
        message = {
            "requestContext": {"functionArn": "arn:aws:lambda:us-east-1:0:function:ingest", "condition": condition},
            "requestPayload": event,
            "responsePayload": {"errorMessage": "the table throttles"},
        }
        world.sqs.send_message(QueueUrl=world.failure_queue, MessageBody=json.dumps(message))

    def test_a_failed_upload_is_told_once(self, world: World, told: Told) -> None:
        event = world.upload("a.csv", "id\n1\n")
        self.fail(world, event)
        told.look()
        told.look()
        [(kind, detail)] = told.events()
        assert (kind, detail["object_key"], detail["feed"]) == ("CSV File Failed", "a.csv", "default")
        assert (detail["version_id"], detail["reason"]) == (
            version_of(event).version_id,
            "RetriesExhausted: the table throttles",
        )
        assert len(world.failures()) == 1, "it was hidden, or removed"

    def test_parts_of_one_file_are_one_failure(self, world: World, told: Told) -> None:
        version = version_of(world.upload("a.csv", "id\n1\n"))
        for number in range(3):
            self.fail(world, upload_event(version, PartJob(number)))
        told.look()
        assert [detail["object_key"] for _, detail in told.events()] == ["a.csv"]

    def test_an_upload_that_fails_again_is_told_again(self, world: World, told: Told) -> None:
        event = world.upload("a.csv", "id\n1\n")
        for _ in range(2):
            self.fail(world, event)
            told.look()
            world.failures()
        assert len(told.events()) == 2

    def test_a_settled_upload_has_not_failed(self, world: World, told: Told) -> None:
        self.fail(world, world.ingest("a.csv", "id\n1\n"))
        world.ingest("b.csv", "\0")  # the message about it says Rejected
        told.look()
        assert told.events() == []

    def test_a_version_of_stored_bytes_can_fail(self, world: World, told: Told) -> None:
        """The record of its key and ETag is that of the version before, which is complete."""
        world.ingest("a.csv", "id\n1\n")
        again = world.upload("a.csv", "id\n1\n")
        self.fail(world, again)
        told.look()
        [(_, detail)] = told.events()
        assert (detail["version_id"], detail["status"]) == (version_of(again).version_id, None)

    def test_a_refused_event_keeps_no_other_waiting(self, world: World, told: Told) -> None:
        for key in ("a.csv", "b.csv", "c.csv"):
            self.fail(world, world.upload(key, "id\n1\n"))
        with refused(lambda detail: detail["object_key"] == "b.csv"):
            for _ in range(2):
                with pytest.raises(NotTold):
                    told.look(mail_after=timedelta(days=1))
        assert sorted(detail["object_key"] for _, detail in told.events()) == ["a.csv", "c.csv"]
        told.look()
        assert [detail["object_key"] for _, detail in told.events()] == ["b.csv"]

    def test_each_of_many_failures_is_told_once(self, world: World, told: Told) -> None:
        keys = {f"{number}.csv" for number in range(60)}
        for key in keys:
            self.fail(world, world.upload(key, "id\n1\n"))
        for _ in range(2):
            told.look(mail_after=timedelta(days=1))
        found = [detail["object_key"] for _, detail in told.events()]
        assert (len(found), set(found)) == (len(keys), keys)
        assert len(world.failures()) == len(keys), "some are hidden, or were removed"

    @pytest.mark.parametrize(
        "body",
        [
            "no JSON",
            '{"requestPayload": {}}',
            '{"requestPayload": {"Records": [1]}}',
            json.dumps(
                {
                    "requestContext": {"functionArn": "f", "condition": "RetriesExhausted"},
                    "requestPayload": {"Records": [{"s3": {"object": {"key": "%01" * 60_000}}}]},
                }
            ),
        ],
        ids=["text", "no event", "no record", "a key of 180 KB"],
    )
    def test_any_message_can_be_in_the_queue(self, world: World, told: Told, body: str) -> None:
        world.sqs.send_message(QueueUrl=world.failure_queue, MessageBody=body)
        self.fail(world, world.upload("a.csv", "id\n1\n"))
        told.look()
        assert len(told.events()) == 1


class TestMissing:
    """Files that were expected and did not come."""

    EXPECT = "daily 06:00 Europe/Berlin"

    @pytest.fixture
    def told(self, world: World, queue: Invocations, monkeypatch: pytest.MonkeyPatch) -> Told:
        feed = {"suffixes": [".csv"], "expect": self.EXPECT}
        return told_in(world, queue, monkeypatch, default=feed)

    def look(self, *, days: float) -> None:
        """Look as if some days had passed since the first look; mails wait."""
        notifier = Notifier(NotifierConfig.from_environment(), "notifier", Deadline.never())
        notifier.look(datetime.now(UTC) + timedelta(days=days), timedelta(days=365))

    def test_a_missing_file_is_told_once_for_each_time(
        self, world: World, told: Told, capsys: pytest.CaptureFixture[str]
    ) -> None:
        missing = []
        for days in (0, 1, 2, 2.01, 3):
            self.look(days=days)
            missing.append(metrics_in(capsys.readouterr().out)["FilesMissing"])
        assert missing == [0, 0, 1, 1, 1]
        events = told.events()
        assert {kind for kind, _ in events} == {"CSV File Missing"}
        until = [datetime.fromisoformat(detail["expected_until"]) for _, detail in events]
        assert until[1] - until[0] == timedelta(days=1)
        assert {detail["feed"] for _, detail in events} == {"default"}
        assert world.rows() == {}

    @pytest.mark.usefixtures("told")
    def test_a_late_file_ends_the_alarm(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        self.look(days=0)
        self.look(days=2)
        world.ingest("a.csv", "id\n1\n")
        world.change_record("a.csv", status_at=(datetime.now(UTC) + timedelta(days=2)).isoformat())
        capsys.readouterr()
        self.look(days=2.01)
        assert metrics_in(capsys.readouterr().out) == {"FilesMissing": 0}

    def test_a_time_that_was_met_stays_met(self, world: World, told: Told, pipeline: Pipeline) -> None:
        self.look(days=0)
        world.ingest("a.csv", "id\n1\n")
        world.change_record("a.csv", status_at=(datetime.now(UTC) + timedelta(days=2)).isoformat())
        self.look(days=2)
        forgetting.forget(forgetting.forgetting_of(pipeline, "a.csv"))
        self.look(days=2.01)
        assert told.events() == []

    @pytest.mark.parametrize(("key", "content"), [("a.csv", "\0"), (f"in/{VERIFY_FOLDER}a1b2/a.csv", "id\n1\n")])
    def test_no_rejected_file_and_none_of_verify_has_come(
        self, world: World, told: Told, key: str, content: str
    ) -> None:
        self.look(days=0)
        world.ingest(key, content)
        world.change_record(key, status_at=(datetime.now(UTC) + timedelta(days=2)).isoformat())
        self.look(days=2)
        assert [kind for kind, _ in told.events()] == ["CSV File Missing"]


class TestMail:
    """What a person gets who has subscribed to the alarm topic."""

    def test_a_mail_names_the_file_and_the_reason(self, world: World, told: Told) -> None:
        world.ingest("vendor/a b.csv", "\0")
        world.ingest("rejects.csv", "id,x\n,1\n2,3\n")
        world.ingest("good.csv", "id\n1\n")
        told.tell()
        told.look()
        [(subject, text)] = told.mails()
        assert subject == "csv-ingest CsvIngest: 1 rejected, 1 complete with rejected rows"
        assert "REJECTED: vendor/a b.csv\n" in text
        assert world.file("vendor/a b.csv")["reason"] in text
        assert "  next: csv-ingest status 'vendor/a b.csv'\n" in text
        assert "  line 2: no id" in text
        assert "good.csv" not in text
        told.look()
        assert told.mails() == []

    def test_a_burst_is_one_mail_after_minutes(self, world: World, told: Told) -> None:
        for number in range(60):
            world.ingest(f"{number}.csv", f"\0{number}")
            told.tell()
        told.look(mail_after=timedelta(minutes=4))
        assert told.mails() == []
        told.look()
        [(subject, text)] = told.mails()
        assert subject == "csv-ingest CsvIngest: 60 rejected"
        assert "and 10 more: csv-ingest status\n" in text

    def test_a_mail_that_is_not_sent_is_sent_later(self, world: World, told: Told) -> None:
        world.ingest("a.csv", "\0")
        told.tell()
        calls = Calls(clients.sns())
        with pytest.raises(ClientError), calls.fault("fail_at", 1):
            told.look()
        told.look()
        assert len(told.mails()) == 1


class TestRejectsForTheSender:
    """The setting `rejects_to`."""

    FORMAT: ClassVar = {"delimiter": ";", "encoding": "cp1252", "header": "3", "columns": {"n": "integer"}}
    CONTENT = "Report\n\nid;n;name\n1;2;Löffel\n2;x;Gabel, groß\n;3;\n"

    @pytest.fixture
    def told(self, world: World, queue: Invocations, monkeypatch: pytest.MonkeyPatch) -> Told:
        feed = {"suffixes": [".csv"], "prefix": "vendors/", "rejects_to": "returned/"}
        return told_in(world, queue, monkeypatch, default=feed)

    def read(self, world: World, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return world.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def test_the_rows_can_be_corrected_and_uploaded(self, world: World, told: Told) -> None:
        set_feed(**self.FORMAT)
        world.ingest("vendors/a.csv", self.CONTENT.encode("cp1252"))
        told.tell()
        [(_, detail)] = told.events()
        told.tell_dispatched()
        rows = self.read(world, detail["rejects_uri"])
        assert rows.decode("cp1252").splitlines() == ["", "", "id;n;name", "2;x;Gabel, groß", ";3;"]
        reasons = self.read(world, detail["rejects_uri"].replace(".rejected.csv", ".reasons.csv")).decode()
        assert [line.partition(",")[0] for line in reasons.splitlines()] == ["line", "5", "6"]
        world.ingest("vendors/b.csv", rows.replace(b";x;", b";4;").replace(b"\n;3", b"\n3;3"))
        assert world.file("vendors/b.csv")["rows_stored"] == 2

    def test_a_long_key_is_cut(self, world: World, told: Told) -> None:
        key = f"vendors/{'é' * 505}.csv"
        world.ingest(key, "id,x\n,1\n2,3\n")
        told.tell()
        told.tell_dispatched()
        [(_, detail)] = told.events()
        assert detail["object_key"] == key
        assert len(detail["rejects_uri"].partition("returned/")[2].encode()) < 700
        assert self.read(world, detail["rejects_uri"]) == b"id,x\r\n,1\r\n"

    def test_rows_of_a_forgotten_file_are_not_written(self, world: World, told: Told, pipeline: Pipeline) -> None:
        world.ingest("vendors/a.csv", "id,x\n,1\n2,3\n")
        told.tell()
        forgetting.forget(forgetting.forgetting_of(pipeline, "vendors/a.csv"))
        told.tell_dispatched()
        assert "Contents" not in world.s3.list_objects_v2(Bucket=world.bucket, Prefix="returned/")

    def test_a_file_without_rejects_writes_nothing(self, world: World, told: Told) -> None:
        world.ingest("vendors/a.csv", "id\n1\n")
        told.tell()
        [(_, detail)] = told.events()
        assert (detail["rejects_uri"], told.invocations.events) == (None, [])

    def test_nothing_is_written_where_feeds_ingest(
        self, world: World, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        feed = {"suffixes": [".csv"], "rejects_to": f"s3://{world.bucket}/returned/"}
        monkeypatch.setenv("FEEDS", json.dumps({"default": feed}))
        world.ingest("a.csv", "id,x\n,1\n2,3\n")
        told.tell()
        with pytest.raises(NotTold, match="is where files are ingested"):
            told.tell(told.invocations.events[0])
