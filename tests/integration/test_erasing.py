"""Reload and forget: killed, overtaken and repeated anywhere, they end in the tables that they promise."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from threading import Event as Signal
from time import sleep
from typing import Any

import pytest
from botocore.exceptions import ClientError

from csv_ingest import clients
from csv_ingest.events import Event, upload_event
from csv_ingest.model import BeingErased, OutOfTime, OwnerNeeded, Tuning
from local.postgresql import LocalPostgresql
from local.waiting import wait_until
from ops.audit import audit
from ops.erasing import NotErasable
from ops.forgetting import forget, forgetting_of
from ops.pipeline import ObjectGone, Pipeline
from ops.reloading import erasure_for_reload, reload, versions_to_reload
from ops.repair import repair
from tests.integration.commands import invoke, run
from tests.integration.faults import Calls, Killed, between_calls
from tests.integration.invoking import Invocations, version_of
from tests.integration.rows import PostgresqlRows
from tests.integration.settings import database_settings, feed_now
from tests.integration.sweeping import run_sweep
from tests.integration.world import BOTH_DESTINATIONS, MERGING, World

FILE = "id,name\n" + "".join(f"{n},{n % 9}\n" for n in range(12)) + ",no id\n7,again\n"
"""Read by `id`, two rows are rejected; read by `name`, another one, and the rows whose name was there before."""

WHOLE = Tuning(batch_rows=25)
TUNING = IN_PARTS = Tuning(block_bytes=16, part_lines=8, whole_parts=1, batch_rows=25)

EVERYWHERE = pytest.mark.parametrize("world", ["dynamodb", "postgresql", "merge", "postgresql merge"], indirect=True)
EITHER_WAY = [(WHOLE, "die_after"), (IN_PARTS, "die_before")]


class Operator:
    """Somebody who runs commands, and Lambda, which delivers what waits in its queue."""

    def __init__(self, world: World, pipeline: Pipeline, invocations: Invocations) -> None:
        self.world = world
        self.pipeline = pipeline
        self.uploads = invocations
        self.parts = Invocations(clients.lambda_())
        self.engines = pipeline.clients.s3, pipeline.clients.dynamodb, world.statements
        self.calls = Calls(*self.engines, pipeline.clients.lambda_)
        self.waiting: list[Event] = []
        self.made = 0
        """How many calls the last command made."""

    def deliver(self, event: Event) -> None:
        """Deliver an event, and all that follows from it; what fails waits for its next attempt."""
        try:
            self.world.deliver(event)
        except BeingErased:
            self.waiting.append(event)
        self.deliver_all()

    def deliver_all(self) -> None:
        while self.parts.events:
            self.world.deliver(self.parts.events.pop(0))

    def retry(self) -> None:
        events, self.waiting = self.waiting + self.uploads.events, []
        self.uploads.events.clear()
        for event in events:
            self.deliver(event)

    def reload(self, key: str) -> None:
        def command() -> None:
            for version in versions_to_reload(self.pipeline, key):
                reload(erasure_for_reload(self.pipeline, version))

        self._until_the_owner_has(command)

    def forget(self, key: str) -> None:
        self._until_the_owner_has(lambda: forget(forgetting_of(self.pipeline, key)))

    def _until_the_owner_has(self, command: Callable[[], object]) -> None:
        self.calls.names.clear()
        try:
            command()
        except OwnerNeeded as statements:
            self._delete_as_owner(str(statements))
            command()
        finally:
            self.made = len(self.calls.names)

    def _delete_as_owner(self, statements: str) -> None:
        rows = self.world.default_rows
        assert isinstance(rows, PostgresqlRows)
        assert not [upload for upload, _ in rows.marks() if upload in statements], (
            "readers would see files without rows"
        )
        rows.server.run(statements)

    def numbers_of_calls(self) -> Iterator[int]:
        """1, 2, and so on, as long as the command that is run for a number makes so many calls."""
        number, made = 1, 1
        while made >= number:
            yield number
            made = self.made
            number += 1
        assert number > 10

    def overtaken(self, number: int, action: Callable[[], object]) -> AbstractContextManager[None]:
        """Have something done just before the n-th call of a command."""
        return between_calls(number, action, *self.engines)

    def read_by(self, id_column: str) -> None:
        """Have the settings say by which column files are read."""
        self.world.deploy(self.pipeline, id_column=id_column)


@pytest.fixture(autouse=True)
def _all_have_one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.erasing.CLOCKS", 0)
    monkeypatch.setattr("ops.erasing.STATEMENT_TIMEOUT", 0)


@pytest.fixture
def operator(world: World, pipeline: Pipeline, invocations: Invocations) -> Operator:
    return Operator(world, pipeline, invocations)


def tables_read_by(operator: Operator, id_column: str, *keys: str) -> Any:
    """The tables that deliveries alone make, by these settings; they are empty again then."""
    operator.read_by(id_column)
    for key in keys:
        operator.deliver(upload_event(operator.pipeline.latest(key)))
    tables = operator.world.tables()
    operator.world.empty()
    return tables


def assert_readers_see_whole_files(world: World, upload: str) -> None:
    """If an upload of FILE is marked as complete in PostgreSQL, readers see its 12 rows, and otherwise none."""
    if isinstance(rows := world.default_rows, PostgresqlRows):
        is_marked = upload in {upload for upload, _ in rows.marks()}
        assert len(rows.complete()) == (12 if is_marked else 0)


def upload_in(world: World) -> str:
    """What the rows in the table say of their upload."""
    [upload] = {str(item.get("uploaded", item["etag"])["S"]) for item in world.tables()[0].values()}
    return upload


def without_versions(tables: Any) -> Any:
    """The tables, but for which of two versions with the same bytes came first, and was compared with the other one."""
    rows, files = tables
    kept = {key: {**item, "version_id": None} for key, item in files.items() if "#version#" not in key[1]}
    return rows, kept


@pytest.mark.parametrize("tuning", [WHOLE], indirect=True)
@pytest.mark.usefixtures("commanded")
def test_a_reload_is_resumed_though_the_object_is_new(world: World, operator: Operator) -> None:
    """Its deliveries would fail for ever, and nobody could name the version."""
    old = world.upload("a.csv", FILE)
    operator.deliver(old)
    with pytest.raises(Killed), operator.calls.fault("die_before", 8):
        operator.reload("a.csv")
    new = world.upload("a.csv", "id,name\n1,new\n")
    operator.deliver(new)
    assert operator.pipeline.files.erasures.command(version_of(old).etag, "default") == "reload"
    operator.uploads.at_once = operator.deliver
    assert run("reload", "a.csv", "--yes", code=1).count("COMPLETE") == 2
    assert audit(operator.pipeline).findings == []


@pytest.mark.parametrize("tuning", [WHOLE], indirect=True)
@pytest.mark.usefixtures("commanded")
def test_a_reload_is_resumed_though_the_object_is_deleted(world: World, operator: Operator) -> None:
    operator.deliver(world.upload("a.csv", FILE))
    before = world.tables()
    with pytest.raises(Killed), operator.calls.fault("die_before", 8):
        operator.reload("a.csv")
    world.s3.delete_object(Bucket=world.bucket, Key="a.csv")
    operator.uploads.at_once = operator.deliver
    assert "COMPLETE" in run("reload", "a.csv", "--yes", code=1)
    assert world.tables() == before


@BOTH_DESTINATIONS
def test_a_reloaded_file_is_read_by_the_present_settings(world: World, operator: Operator) -> None:
    """And so is the other one with the same bytes."""
    for key in ("a.csv", "b.csv"):
        world.upload(key, FILE)
    expected = tables_read_by(operator, "name", "a.csv", "b.csv")
    before = tables_read_by(operator, "id", "a.csv", "b.csv")
    assert expected != before
    operator.read_by("id")
    for key in ("a.csv", "b.csv"):
        operator.deliver(upload_event(operator.pipeline.latest(key)))
    operator.read_by("name")
    operator.reload("a.csv")
    assert operator.uploads.keys() == ["a.csv", "b.csv"]
    operator.retry()
    assert world.tables() == expected
    assert audit(operator.pipeline).findings == []


def test_a_file_without_content_record_is_reloaded(world: World, operator: Operator) -> None:
    """As an earlier release left it."""
    event = world.upload("a.csv", FILE)
    expected = tables_read_by(operator, "name", "a.csv")
    operator.read_by("id")
    operator.deliver(event)
    [[etag, entry]] = [key for key in world.tables()[1] if key[1] == "#content"]
    world.delete_entry(etag, entry)
    operator.read_by("name")
    operator.reload("a.csv")
    operator.retry()
    assert world.tables() == expected


@pytest.mark.parametrize(
    ("world", "tuning", "fault"),
    [
        *(("dynamodb", *each) for each in EITHER_WAY),
        ("postgresql", WHOLE, "die_before"),
    ],
    indirect=["world", "tuning"],
)
def test_a_reload_killed_at_any_call_is_resumed(world: World, operator: Operator, fault: str) -> None:
    event = world.upload("a.csv", FILE)
    expected = tables_read_by(operator, "name", "a.csv")

    def be_stored_by_former_settings() -> None:
        world.empty()
        operator.read_by("id")
        operator.deliver(event)
        operator.read_by("name")

    be_stored_by_former_settings()
    operator.reload("a.csv")
    numbers = operator.calls.numbers(fault)
    assert len(numbers) > 3
    for number in numbers:
        be_stored_by_former_settings()
        upload = upload_in(world)
        with suppress(Killed), operator.calls.fault(fault, number):
            operator.reload("a.csv")
        assert_readers_see_whole_files(world, upload)
        operator.deliver(event)  # Lambda may deliver an event again at any time
        operator.retry()
        with suppress(NotErasable):
            operator.reload("a.csv")
        operator.retry()
        assert world.tables() == expected, f"{fault} {number}"


@pytest.mark.parametrize(
    ("world", "tuning", "other"),
    [("dynamodb", WHOLE, "a.csv"), ("dynamodb", WHOLE, "b.csv")],
    indirect=["world", "tuning"],
)
def test_a_reload_overtaken_at_any_call_loses_no_row(world: World, operator: Operator, other: str) -> None:
    """By a delivery of the same file, or of a new one with the same bytes."""
    event = world.upload("a.csv", FILE)
    overtaking = world.upload(other, FILE)
    keys = sorted({"a.csv", other})
    expected = tables_read_by(operator, "name", *keys)
    for number in operator.numbers_of_calls():
        world.empty()
        operator.read_by("id")
        operator.deliver(event)
        operator.read_by("name")
        with operator.overtaken(number, partial(operator.deliver, overtaking)):
            operator.reload("a.csv")
        operator.retry()
        operator.deliver(overtaking)
        assert without_versions(world.tables()) == without_versions(expected), f"overtaken at call {number}"
        assert audit(operator.pipeline).findings == []


class Race:
    """A reload that begins in the middle of a delivery, and goes on when the delivery has ended."""

    def __init__(self, reload_: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
        self._reload = reload_
        self._begun, self._ended = threading.Event(), threading.Event()
        self._pool = ThreadPoolExecutor(1)
        monkeypatch.setattr("ops.erasing.wait_for_deliveries", self._wait)

    def begin(self) -> None:
        self._running = self._pool.submit(self._reload)
        wait_until(lambda: self._begun.is_set() or self._running.done(), "the reload has begun")

    def end(self) -> None:
        self._ended.set()
        with self._pool, suppress(NotErasable):  # nothing was done: the new file was on its way
            self._running.result()

    def _wait(self, *_: object) -> None:
        self._begun.set()
        assert self._ended.wait(60)


@pytest.mark.parametrize("tuning", [WHOLE], indirect=True)
def test_a_delivery_that_runs_is_waited_for(world: World, operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload begins at each call of a delivery of the same bytes under a new key."""
    event, new = world.upload("a.csv", FILE), world.upload("b.csv", FILE)
    expected = tables_read_by(operator, "name", "a.csv", "b.csv")
    for number in range(1, 12):
        world.empty()
        operator.read_by("id")
        operator.deliver(event)
        operator.read_by("name")
        race = Race(partial(operator.reload, "a.csv"), monkeypatch)
        with between_calls(number, race.begin, world.s3, world.dynamodb):
            operator.deliver(new)
        race.end()
        operator.retry()
        operator.deliver(new)
        operator.reload("a.csv")
        operator.retry()
        assert world.tables() == expected, f"at call {number}"


@pytest.mark.usefixtures("commanded")
def test_an_unfinished_reload_is_seen_by_everybody(world: World, operator: Operator) -> None:
    operator.deliver(world.upload("a.csv", FILE))
    number = 0
    while not operator.pipeline.files.record(operator.pipeline.latest("a.csv")).erasing:
        number += 1
        with suppress(Killed), operator.calls.fault("die_before", number):
            operator.reload("a.csv")
    swept = run_sweep(world, operator.uploads, age=timedelta(hours=-6))
    assert (swept.unsettled, swept.delivered) == (1, 0)
    assert "next: csv-ingest reload a.csv" in run("status", "a.csv", code=1)
    [finding] = audit(operator.pipeline).findings
    assert "`csv-ingest reload` has begun: run it again" in finding.detail
    new = world.upload("b.csv", FILE)
    with pytest.raises(BeingErased, match="csv-ingest reload"):
        world.deliver(new)
    operator.reload("a.csv")
    assert operator.uploads.keys() == ["a.csv", "b.csv"]
    operator.retry()
    assert audit(operator.pipeline).findings == []


@EVERYWHERE
def test_nothing_of_a_forgotten_file_is_left(world: World, operator: Operator) -> None:
    """Of no version, and of no status."""
    for content in (FILE, "id,name\n1,1\n", "no header of ours\n", FILE, "id,name\n2,2\n"):
        operator.deliver(world.upload("a.csv", content))
    world.upload("a.csv", "id,name\n3,3\n")
    world.s3.delete_object(Bucket=world.bucket, Key="a.csv")
    other = world.ingest("ab.csv", "id,name\n99,4\n")
    [kept] = [pk for pk in world.tables()[0] if pk.endswith("99")]
    operator.forget("a.csv")
    assert set(operator.world.tables()[0]) in ({kept}, set())  # the owner deleted all rows, in PostgreSQL
    assert {key.partition("~")[0] for key, _ in world.tables()[1]} == {"ab.csv", version_of(other).etag}
    assert list(operator.pipeline.uploads("a.csv")) == []


@BOTH_DESTINATIONS
def test_rows_that_another_file_has_stay(world: World, operator: Operator) -> None:
    for key in ("b.csv", "a.csv"):
        operator.deliver(world.upload(key, FILE))
    rows, before = world.tables()
    operator.forget("a.csv")
    assert world.tables()[0] == rows
    assert world.tables()[1] == {key: item for key, item in before.items() if key[0] != "a.csv"}
    if isinstance(world.default_rows, PostgresqlRows):
        assert world.default_rows.complete() == rows
    assert audit(operator.pipeline).findings == []
    operator.forget("b.csv")
    assert world.tables() == ({}, {})


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_a_statement_of_an_ended_delivery_is_awaited(
    world: World, operator: Operator, postgresql: LocalPostgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server does not notice that the delivery has ended."""
    monkeypatch.setattr("ops.erasing.STATEMENT_TIMEOUT", 2)
    event = world.upload("a.csv", "id,name\n1,1\n")
    other = postgresql.connect()
    other.run("BEGIN")
    insert = f"INSERT INTO {world.rows_table} VALUES (:etag, '1', 2, 'null')"  # noqa: S608 - the name is the test's
    other.run(insert, etag=version_of(event).etag)
    end = time.monotonic() + 2
    with pytest.raises(OutOfTime):
        world.deliver(event, seconds_left=iter(lambda: end - time.monotonic(), None))
    threading.Timer(1, other.close).start()  # its row is gone then, and that of the delivery is stored
    operator.forget("a.csv")
    assert world.tables() == ({}, {})
    wait_until(lambda: not postgresql.run("SELECT FROM pg_stat_activity WHERE usename = 'csv_ingest'"), "the end")
    assert world.tables() == ({}, {})


@pytest.mark.parametrize(
    ("world", "tuning", "fault"),
    [
        ("dynamodb", WHOLE, "die_after"),
        ("dynamodb", IN_PARTS, "die_before"),
        ("merge", WHOLE, "die_before"),
        ("postgresql", WHOLE, "die_before"),
    ],
    indirect=["world", "tuning"],
)
def test_a_forget_killed_at_any_call_is_resumed(world: World, operator: Operator, fault: str) -> None:
    def be_uploaded_twice() -> None:
        for _ in range(2):
            operator.deliver(world.upload("a.csv", FILE))

    be_uploaded_twice()
    operator.forget("a.csv")
    numbers = operator.calls.numbers(fault)
    assert len(numbers) > 3
    for number in numbers:
        be_uploaded_twice()
        upload = upload_in(world)
        with suppress(Killed), operator.calls.fault(fault, number):
            operator.forget("a.csv")
        assert_readers_see_whole_files(world, upload)
        operator.forget("a.csv")
        assert world.tables() == ({}, {}), f"{fault} {number}"
        assert list(operator.pipeline.uploads("a.csv")) == []


@pytest.mark.parametrize("world", ["dynamodb", "merge", "postgresql"], indirect=True)
@pytest.mark.parametrize("tuning", [WHOLE], indirect=True)
def test_a_forget_overtaken_at_any_call_keeps_the_others(world: World, operator: Operator) -> None:
    """By a delivery of a new file with the same bytes, whose rows have to be there at the end."""
    for number in operator.numbers_of_calls():
        operator.deliver(world.upload("a.csv", FILE))
        key = f"b{number}.csv"
        overtaking = world.upload(key, FILE)
        with operator.overtaken(number, partial(operator.deliver, overtaking)):
            operator.forget("a.csv")
        operator.retry()
        operator.deliver(overtaking)
        assert "a.csv" not in repr(world.tables()[1])
        assert world.file(key)["status"] == "COMPLETE"
        assert audit(operator.pipeline, prefix=key).findings == [], f"overtaken at call {number}"
        world.empty()


@pytest.mark.parametrize("command", ["reload", "forget"])
@pytest.mark.usefixtures("commanded")
def test_nothing_is_done_before_somebody_agrees(world: World, operator: Operator, command: str) -> None:
    operator.deliver(world.upload("a.csv", FILE))
    before = world.tables()
    for answer in ("", "n\n"):
        told = invoke(command, "a.csv", code=1, answer=answer).stderr
        assert "Go on? [y/N]" in told
        assert "nothing was done; with --yes, the command does not ask" in told
    assert world.tables() == before


@pytest.mark.usefixtures("commanded")
def test_the_commands_say_what_becomes_of_a_file(world: World, operator: Operator) -> None:
    for key in ("a.csv", "b.csv"):
        operator.deliver(world.upload(key, FILE))
    operator.read_by("name")
    operator.uploads.at_once = operator.deliver
    done = invoke("reload", "a.csv", "--yes", code=1)
    assert done.stdout.count("COMPLETE") == 2
    assert "next: csv-ingest rejects b.csv" in done.stdout
    assert "b.csv has the same bytes and the same rows, and is reloaded with it." in done.stderr
    assert "it was read as: id_column=id, delimiter=,, encoding=utf-8" in done.stderr
    assert "to be read as: id_column=name, delimiter=,, encoding=utf-8" in done.stderr
    assert "b.csv has the same bytes and the same rows: these rows stay" in invoke("forget", "a.csv", code=1).stderr
    run("forget", "a.csv", "--yes", code=0)
    out = run("forget", "b.csv", "--yes", code=0)
    assert "1 version, 11 rows. Looked again: nothing of b.csv is left." in out
    assert invoke("forget", "b.csv", code=1).stderr.endswith("b.csv: there is nothing of it\n")
    assert "there is no such upload" in invoke("reload", "b.csv", code=1).stderr


@pytest.mark.usefixtures("commanded")
def test_what_cannot_be_reloaded_is_said(world: World) -> None:
    world.ingest("bad.csv", "no header of ours\n")
    assert "it was rejected, and no row of it is stored" in invoke("reload", "bad.csv", code=1).stderr
    event = world.upload("a.csv", FILE)
    calls = Calls(*world.engines)
    for number in count(1):
        with suppress(Killed), calls.fault("die_before", number):
            world.deliver(event)
        if world.pipeline().files.record(version_of(event)).is_planned:
            break
    reason = "a.csv has the same content, and is not complete: wait until it is"
    assert reason in invoke("reload", "a.csv", code=1).stderr


def test_a_new_version_during_a_forget_is_forgotten_next(
    world: World, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record is what tells that it has rows."""
    operator.deliver(world.upload("a.csv", FILE))

    upload_once = iter([lambda: operator.deliver(world.upload("a.csv", "id,name\n1,new\n"))])
    monkeypatch.setattr("ops.erasing.wait_for_deliveries", lambda *_: next(upload_once, bool)())
    with pytest.raises(NotErasable, match="came back meanwhile"):
        operator.forget("a.csv")
    assert world.rows() == {"1": '{"id":"1","name":"new"}'}
    operator.forget("a.csv")
    assert world.tables() == ({}, {})


@pytest.mark.parametrize(
    ("world", "tuning"), [("dynamodb", WHOLE), ("dynamodb", IN_PARTS), ("merge", WHOLE)], indirect=True
)
def test_a_forget_begun_at_any_call_deletes_every_row(
    world: World, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any call of a delivery, which goes on while the command waits for it."""
    for number in count(1):
        event = world.upload("a.csv", FILE)
        may_end, waits = Signal(), Signal()

        def wait(*_: object, may_end: Signal = may_end, waits: Signal = waits) -> None:
            waits.set()
            may_end.wait(10)

        monkeypatch.setattr("ops.erasing.wait_for_deliveries", wait)
        with ThreadPoolExecutor(1) as pool:
            forgets: list[Future[object]] = []

            def begin(forgets: list[Future[object]] = forgets, waits: Signal = waits, pool: Executor = pool) -> None:
                forgets.append(pool.submit(lambda: forget(forgetting_of(operator.pipeline, "a.csv"))))
                assert waits.wait(10)

            with between_calls(number, begin, world.s3, world.dynamodb), suppress(ClientError):
                operator.deliver(event)  # a part of a file that is complete without it fails
            may_end.set()
            for begun in forgets:
                begun.result()
        operator.waiting.clear()
        operator.parts.events.clear()
        assert bool(forgets) == (world.tables() == ({}, {})), f"begun at call {number}"
        if not forgets:
            break
    assert number > 5


@pytest.mark.parametrize("tuning", [WHOLE], indirect=True)
def test_same_bytes_forgotten_twice_at_once_are_gone(world: World, operator: Operator) -> None:
    """The other file is forgotten at each call: either command could leave the rows to the other."""
    done: list[object] = []
    for number in count(1):
        for key in ("a.csv", "b.csv"):
            operator.deliver(world.upload(key, FILE))
        forget_the_other = partial(forget, forgetting_of(operator.pipeline, "b.csv"))
        with operator.overtaken(number, lambda act=forget_the_other: done.append(act())):  # type: ignore[misc]
            operator.forget("a.csv")
        if len(done) < number:
            break  # the command made fewer calls
        assert world.tables() == ({}, {}), f"at call {number}"
    assert number > 10


@pytest.mark.parametrize("tuning", [WHOLE], indirect=True)
@pytest.mark.parametrize("first", ["forget", "reload"])
def test_a_file_reloaded_and_forgotten_at_once_is_gone(world: World, operator: Operator, first: str) -> None:
    """Either command begins at each call of the other; the reload may be refused, and the forget never is."""

    def reload_() -> None:
        with suppress(NotErasable, ObjectGone):
            operator.reload("a.csv")

    def forget_() -> None:
        operator.forget("a.csv")

    outer, inner = (forget_, reload_) if first == "forget" else (reload_, forget_)
    for number in operator.numbers_of_calls():
        operator.deliver(world.upload("a.csv", FILE))
        with operator.overtaken(number, inner):
            outer()
        with suppress(ClientError):  # an event of the reload, whose object is gone
            operator.retry()
        if left := forgetting_of(operator.pipeline, "a.csv").erasures:
            assert [erasure.records for erasure in left] == [[]], f"at call {number}"
            operator.forget("a.csv")
        assert world.tables() == ({}, {}), f"at call {number}"


@pytest.mark.usefixtures("commanded")
def test_rows_in_a_table_of_before_are_not_forgotten(
    world: World, operator: Operator, postgresql: LocalPostgresql
) -> None:
    """A command that looks into the table of today would find none, and say that nothing is left."""
    operator.deliver(world.upload("a.csv", FILE))
    before = world.tables()
    world.deploy(operator.pipeline, **database_settings(postgresql, world.rows_table.replace("-", "_")))
    way_back = f"set destination=dynamodb, rows_table={world.rows_table} and the write mode back to forget it"
    assert way_back in invoke("forget", "a.csv", code=1).stderr
    assert world.tables() == before


@pytest.mark.usefixtures("commanded")
@pytest.mark.parametrize("first", ["append", "merge"])
@pytest.mark.parametrize("again", [FILE, "id,name\n1,other\n"])
@pytest.mark.parametrize("tuning", [WHOLE], indirect=True)
def test_uploads_of_both_write_modes_are_forgotten_in_turn(
    world: World, operator: Operator, first: str, again: str
) -> None:
    """What is of the other mode stays, and is told."""
    operator.deliver(world.upload("a.csv", FILE))
    world.s3.delete_object(Bucket=world.bucket, Key="a.csv")
    world.deploy(operator.pipeline, write_mode="merge")
    operator.deliver(world.upload("a.csv", again))
    assert len(world.tables()[0]) > 12
    for mode in (first, "merge" if first == "append" else "append"):
        world.deploy(operator.pipeline, write_mode=mode)
        done = invoke("forget", "a.csv", "--yes", code=1 if mode == first else 0)
        assert done.stdout.startswith("Deleted: 1 version," if mode == first else "Deleted: 2 versions,")
        assert ("Not deleted: its rows went to" in done.stderr) == (mode == first)
    assert world.tables() == ({}, {})
    assert "Versions" not in world.s3.list_object_versions(Bucket=world.bucket)


def test_uploads_of_two_feeds_are_forgotten_at_once(world: World) -> None:
    """A prefix was given to another feed, and the same bytes were uploaded again."""
    first = world.add_feed("first", "moved/", write_mode="merge")
    world.ingest("moved/a.csv", "id,name\n1,a\n")
    world.feeds[:] = [replace(first, prefix="else/")]
    second = world.add_feed("second", "moved/", write_mode="merge")
    world.ingest("moved/a.csv", "id,name\n1,a\n")
    assert first.rows.items().keys() == second.rows.items().keys() == {"1"}
    assert forget(forgetting_of(world.pipeline(), "moved/a.csv")) == 2
    assert first.rows.items() == second.rows.items() == {}
    assert world.tables()[1] == {}


def test_a_file_that_nobody_would_deliver_stays(world: World, operator: Operator) -> None:
    operator.deliver(world.upload("old/a.csv", FILE))
    before = world.tables()
    world.deploy(operator.pipeline, key_prefix="new/")
    with pytest.raises(NotErasable, match="ingests such keys no more"):
        operator.reload("old/a.csv")
    assert world.tables() == before


def test_a_reload_leaves_a_forgotten_file_alone(
    world: World, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose forgetting has begun, and is to be ended first."""
    for key in ("a.csv", "b.csv"):
        operator.deliver(world.upload(key, FILE))
    _kill_while_it_waits(monkeypatch, lambda: operator.forget("a.csv"))
    with pytest.raises(NotErasable, match=r"a\.csv has the same content, and is being forgotten"):
        operator.reload("b.csv")
    operator.forget("a.csv")
    operator.reload("b.csv")
    assert operator.uploads.keys() == ["b.csv"]


def test_two_forgets_under_way_keep_each_others_mark(
    world: World, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("a.csv", "b.csv"):
        operator.deliver(world.upload(key, FILE))
    _kill_while_it_waits(monkeypatch, lambda: operator.forget("a.csv"))
    operator.forget("b.csv")
    with pytest.raises(BeingErased):
        world.ingest("c.csv", FILE)
    operator.forget("a.csv")
    assert world.tables()[0] == {}


def test_a_forget_waits_since_its_own_beginning(
    world: World, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not since that of another command for the same content: a part of the file can have begun in between."""
    operator.deliver(world.upload("a.csv", FILE))
    world.ingest("b.csv", FILE)
    _kill_while_it_waits(monkeypatch, lambda: operator.forget("a.csv"))
    later = datetime.now(UTC) + timedelta(milliseconds=10)
    sleep(0.02)
    waited: list[datetime] = []
    monkeypatch.setattr("ops.erasing.wait_for_deliveries", lambda _feed, since, *_: waited.append(since))
    operator.forget("b.csv")
    assert waited
    assert min(waited) >= later


def test_deliveries_during_a_reload_are_no_attempts(world: World, operator: Operator) -> None:
    """Otherwise the file would be rejected, which a reload leaves alone."""
    event = world.upload("a.csv", FILE)
    operator.deliver(event)
    for number in count(1):
        with suppress(Killed), operator.calls.fault("die_before", number):
            operator.reload("a.csv")
        if not operator.pipeline.files.record(operator.pipeline.latest("a.csv")).status:
            break
    for _ in range(13):
        with pytest.raises(BeingErased):
            world.deliver(event)
        world.an_hour_later("a.csv")
    assert world.file("a.csv")["attempts"] == 1
    operator.reload("a.csv")
    assert operator.uploads.keys() == ["a.csv"]
    operator.retry()
    assert world.file("a.csv")["status"] == "COMPLETE"


def _kill_while_it_waits(monkeypatch: pytest.MonkeyPatch, command: Callable[[], object]) -> None:
    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr("ops.erasing.wait_for_deliveries", kill)
        command()


@MERGING
def test_rows_that_a_forgotten_file_replaced_come_back(world: World, operator: Operator) -> None:
    """By a repair, which reads the files that are left."""
    for key, name in (("a.csv", "older"), ("b.csv", "newer")):
        operator.deliver(world.upload(key, f"id,name\n1,{name}\n"))
    operator.forget("b.csv")
    assert world.rows() == {}
    [finding] = audit(operator.pipeline).findings
    assert (finding.kind, finding.key) == ("missing", "a.csv")
    repair(operator.pipeline, [finding])
    assert world.rows() == {"1": '{"id":"1","name":"older"}'}
    assert audit(operator.pipeline).findings == []


@pytest.mark.usefixtures("commanded")
@pytest.mark.parametrize(("world", "tuning"), [("merge", WHOLE)], indirect=True)
def test_a_forget_says_how_replaced_rows_come_back(world: World) -> None:
    world.ingest("a.csv", FILE)
    told = invoke("forget", "a.csv", "--yes", code=0)
    assert "1 version, 12 rows. Looked again" in told.stdout
    assert "To bring them back: csv-ingest audit --repair --feed default" in told.stderr


@pytest.mark.usefixtures("commanded")
@pytest.mark.parametrize(("world", "tuning"), [("postgresql merge", WHOLE)], indirect=True)
def test_the_owner_is_asked_once_for_all_versions(world: World, postgresql: LocalPostgresql) -> None:
    for content in (FILE, "id,name\n99,newer\n"):
        world.ingest("a.csv", content)
    told = invoke("forget", "a.csv", "--yes", code=1).stderr
    statements = told.partition("run `")[2].partition("`")[0].split("; ")
    assert len(statements) == 2
    for statement in statements:
        postgresql.run(statement)
    assert run("forget", "a.csv", "--yes", code=0).startswith("Deleted: 2 versions. Looked again: nothing of a.csv is")


@pytest.mark.parametrize("conforming", ["on", "off"])
@pytest.mark.parametrize(("world", "tuning"), [("postgresql merge", WHOLE)], indirect=True)
def test_no_stored_text_becomes_sql_of_the_owner(
    world: World, operator: Operator, postgresql: LocalPostgresql, conforming: str
) -> None:
    """A release that took any text for a sequencer has stored this one."""
    operator.deliver(world.upload("a.csv", "id,name\n1,a\n"))
    written = f"2026~\\'; DROP TABLE {world.rows_table}; --~v"
    items = world.tables()[0]
    world.default_rows.put(items["1"] | {"uploaded": {"S": written}})
    for item in world.tables()[1].values():
        if "uploaded" in item:
            world.dynamodb.put_item(TableName=world.files_table, Item=item | {"uploaded": {"S": written}})
    with pytest.raises(OwnerNeeded) as needed:
        forget(forgetting_of(operator.pipeline, "a.csv"))
    with closing(postgresql.connect()) as owner:
        owner.run(f"SET standard_conforming_strings = {conforming}")
        owner.run(str(needed.value))
    assert world.rows() == {}


@MERGING
@pytest.mark.parametrize("tuning", [WHOLE], indirect=True)
def test_files_from_before_versions_are_forgotten_alone(
    world: World, operator: Operator, postgresql: LocalPostgresql
) -> None:
    """Though they are of one second, and their version ids are the same."""
    for key, content in (("a.csv", "id,name\n1,A\n2,A\n"), ("b.csv", "id,name\n3,B\n4,B\n")):
        operator.deliver(world.upload_before_versions(key, content))
    if not world.in_dynamodb:
        with pytest.raises(OwnerNeeded) as needed:
            forget(forgetting_of(operator.pipeline, "a.csv"))
        postgresql.run(str(needed.value))
    forget(forgetting_of(operator.pipeline, "a.csv"))
    assert world.rows().keys() == {"3", "4"}
    assert audit(operator.pipeline).findings == []


@MERGING
def test_newer_rows_of_others_survive_a_forget(world: World, operator: Operator) -> None:
    for key, content in (("a.csv", "id,name\n1,a\n2,a\n"), ("b.csv", "id,name\n1,b\n")):
        operator.deliver(world.upload(key, content))
    if world.in_dynamodb:  # in PostgreSQL, the owner deletes by the upload
        operator.forget("a.csv")
        assert world.rows() == {"1": '{"id":"1","name":"b"}'}
    else:
        uploaded = world.tables()[0]["2"]["uploaded"]["S"]
        with pytest.raises(OwnerNeeded, match=f"WHERE uploaded = '{uploaded}'"):
            forget(forgetting_of(operator.pipeline, "a.csv"))


@pytest.mark.parametrize(("world", "tuning"), [("merge", WHOLE), ("postgresql merge", WHOLE)], indirect=True)
def test_the_same_bytes_during_a_forget_are_forgotten_next(
    world: World, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their record is beside that of the version that is forgotten, and outlives it."""
    operator.deliver(world.upload("a.csv", FILE))

    upload_once = iter([lambda: operator.deliver(world.upload("a.csv", FILE))])
    monkeypatch.setattr("ops.erasing.wait_for_deliveries", lambda *_: next(upload_once, bool)())
    with pytest.raises(NotErasable, match="came back meanwhile"):
        operator.forget("a.csv")
    if world.in_dynamodb:
        assert len(world.rows()) == 12
        assert audit(operator.pipeline).findings == []
    assert run_sweep(world, operator.uploads, age=timedelta(hours=-6)).unsettled == 0
    operator.forget("a.csv")
    assert world.tables() == ({}, {})


@MERGING
@pytest.mark.parametrize("tuning", [WHOLE], indirect=True)
def test_a_repair_leaves_a_file_alone_that_is_forgotten(world: World, operator: Operator) -> None:
    operator.deliver(world.upload("a.csv", FILE))
    world.default_rows.delete("1")
    findings = audit(operator.pipeline).findings
    version = operator.pipeline.latest("a.csv")
    operator.pipeline.files.erasures.mark_version(version, feed_now().mode, "forget")
    before = world.tables()
    assert repair(operator.pipeline, findings).left == findings
    assert world.tables() == before


@pytest.mark.parametrize("world", ["dynamodb", "merge", "postgresql", "postgresql merge"], indirect=True)
@pytest.mark.parametrize("tuning", [WHOLE], indirect=True)
def test_a_file_with_an_impossible_id_is_forgotten(world: World, operator: Operator) -> None:
    """The id is longer than any key, so that its row was rejected."""
    operator.deliver(world.upload("a.csv", f"id,name\n{'x' * 3_000},a\n2,b\n"))
    operator.forget("a.csv")
    assert world.tables() == ({}, {})
