"""Whatever happens, in whatever order: afterwards the audit finds nothing wrong, and the sums hold.

A history is a list of steps that hypothesis makes up: uploads, uploads of changed content under the same key, of the
same content under other keys, of other content with the same ETag, settings changed in between; events delivered twice,
late, in another order or never, processes killed at any call, statements throttled, time running out, retries used up,
redrives and sweeps; rows and records changed by somebody else, and operators' commands, killed at any call: repairs,
backfills, reloads, forgets. There are two feeds, of which one always has a typed column, and the other one sometimes;
each one appends, or merges, and its rows expire, or do not. The longer files are delivered in parts, in half of the
histories. Each step runs the real handler, or the real command, on the real engine.
`HISTORIES=2000 make test` runs more of them.
"""

import gzip
import operator
import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csv_ingest import clients, csvfile, source
from csv_ingest.events import Event
from csv_ingest.ledger import FileRecord
from csv_ingest.model import (
    ROWS_KEY,
    BeingErased,
    FileFormat,
    ItemsNotRead,
    MalformedEvent,
    ObjectVersion,
    OtherTable,
    OutOfTime,
    OwnerNeeded,
    Row,
    RowsNotWritten,
    TableAltered,
    Tuning,
)
from csv_ingest.modes import MERGE
from csv_ingest.notices.changes import change_of
from csv_ingest.settings import InvalidSetting
from local.postgresql import LocalPostgresql
from ops.audit import audit
from ops.erasing import NotErasable
from ops.feed import DeployedFeed
from ops.forgetting import forget, forgetting_of
from ops.pipeline import Pipeline
from ops.redrive import backfill
from ops.reloading import erasure_for_reload, reload, versions_to_reload
from ops.repair import repair
from tests.integration.collisions import FIRST, ROWS, SECOND
from tests.integration.engines import create_table
from tests.integration.faults import Calls, Killed, between_calls, throttle_statements
from tests.integration.invoking import Invocations
from tests.integration.rows import DynamoDbRows, Rows
from tests.integration.settings import feed_now, set_feed
from tests.integration.sweeping import run_sweep, swept_feed
from tests.integration.telling import Stream
from tests.integration.world import FIRST_UPLOAD, World, fresh_world

HISTORIES = int(os.environ.get("HISTORIES", "20"))

CONTENTS = {
    "small.csv": "id,name\n1,a\n2,b\n",
    "other.csv": "id,name\n1,b\n2,b\n3,c\n",
    "long.csv": "id,name\n" + "".join(f"{n},{n}\n" for n in range(70)),
    "bad.csv": "id,name\n" + "".join(f"{n % 40},{n // 60}\n,\n" for n in range(35)) + "1,2,3\n1,0\n1,9\n",
    "hopeless.csv": "id,name\n" + "".join(f"{n},{n}\n" for n in range(20)) + ",\n" * 130,
    "exported.csv": "sep=;\r\nid;name;\r\n"
    + "".join(f'{n % 50};"{n % 45}";\r\n;;\r\n' for n in range(60))
    + "id;name;\r\n7;(8);x\r\n8;a\\\r\nb;\r\nTotal;60;\r\n\x1a\r\n",
    "broken.csv": "id,name\n" + "".join(f"{n},{n}\n" for n in range(60)) + '61,"x',
}
COLLISIONS = {"first": FIRST + ROWS, "second": SECOND + ROWS}
"""Two contents with one ETag."""

DAMAGES = ["change row", "change value", "delete row", "delete reject", "add reject"]

SETTINGS: list[dict[str, Any]] = [
    {},
    {"id_column": "@line", "encoding": "iso8859-1"},
    {"id_column": "name"},
    {"columns": {"name": "integer as number"}},
    {"header": "search", "footer_records": 1, "id_column": ["id", "name"]},
    {"footer_records": 20, "trim": True, "escape": "\\", "columns": {"name": "integer as number"}},
    {"null_values": ["3", "a"], "number_style": "accounting", "columns": {"name": "integer as number"}},
    {"header": 2, "short_rows": "fill", "quote": "none"},
]
"""Of the format of the default feed; what is not there is at its default."""

FEEDS = {"default": swept_feed("default", "orders/"), "typed": swept_feed("typed", "typed/")}

LONG_AGO = FIRST_UPLOAD - timedelta(days=5_000)

KEYS = ["orders/a.csv", "orders/b c+.csv", "orders/z.csv.gz", "typed/a.csv", "typed/z.csv.gz"]

keys = st.sampled_from(KEYS)
names = st.sampled_from(sorted(CONTENTS)) | st.sampled_from(sorted(COLLISIONS))
uploads = st.tuples(st.just("upload"), keys, names)
old_uploads = st.tuples(st.just("upload old"), keys, names)
"""Of which the rows would have expired, in a feed whose rows do."""
ingested = st.tuples(st.just("ingest"), keys, names)
plain_names = st.sampled_from(["small.csv", "other.csv", "long.csv", "bad.csv", "exported.csv"])
corrections = st.tuples(st.just("correct"), keys, keys, plain_names, plain_names)
"""Two uploads that have ids in common, under one key or two."""
faults = st.one_of(
    st.tuples(st.just("none")),
    st.tuples(st.just("die before"), st.integers(1, 12)),
    st.tuples(st.just("die after"), st.integers(1, 12)),
    st.tuples(st.just("throttle"), st.integers(0, 60)),
    st.tuples(st.just("no time")),
)
deliveries = st.tuples(st.just("deliver"), st.integers(0, 99), st.booleans(), faults)
others = st.sampled_from([("lose",), ("redrive",), ("sweep",), ("older",)])
settings_ = st.tuples(st.just("settings"), st.sampled_from(SETTINGS))
damages = st.tuples(st.sampled_from(DAMAGES), st.integers(0, 99))
commands = st.tuples(st.sampled_from(["repair", "backfill"]), st.none() | st.integers(1, 20))
erasures = st.tuples(st.sampled_from(["reload", "forget"]), keys, st.none() | st.integers(1, 30))
at_once = st.tuples(st.just("at_once"), st.sampled_from(["reload", "forget"]), keys, st.integers(1, 20), keys)
"""A command, and a forget that comes in between."""
tables = st.tuples(st.just("table"), st.integers(0, 99))
"""The rows table of the default feed, if it is in DynamoDB, is another one, with some of the rows."""
steps = st.one_of(
    *(
        uploads,
        old_uploads,
        corrections,
        deliveries,
        deliveries,
        deliveries,
        others,
        settings_,
        damages,
        commands,
        erasures,
    ),
    *(at_once, tables),
)
beginnings = st.lists(ingested | corrections | settings_, max_size=3)  # something to change and to repair
histories = st.builds(operator.add, beginnings, st.lists(steps, min_size=3, max_size=14))


class Kind(NamedTuple):
    """What differs between feeds."""

    destination: str
    write_mode: str
    keep_rows_days: int | None


kinds = st.builds(
    Kind,
    st.sampled_from(["dynamodb", "postgresql"]),
    st.sampled_from(["append", "merge"]),
    st.sampled_from([None, 3_650]),
)

FAILURES = (
    Killed,
    BeingErased,
    OutOfTime,
    OtherTable,
    RowsNotWritten,
    ItemsNotRead,
    TableAltered,
    ClientError,
    MalformedEvent,  # of a part whose file was forgotten
)
MAX_ATTEMPTS = 3
IN_ONE_PIECE = Tuning(begun_planned_bytes=400, batch_rows=10, in_flight=2, max_rejects=20)
IN_PARTS = Tuning(block_bytes=32, part_lines=15, whole_parts=1, begun_planned_bytes=400, batch_rows=25, max_rejects=20)


class Lambda:
    """Lambda's part in a history: events wait, are delivered, retried twice and then recorded as failures."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.waiting: list[tuple[Event, int]] = []
        self.exhausted: list[Event] = []
        self.calls = Calls(*world.engines, clients.lambda_())
        self.parts = Invocations(clients.lambda_())
        self.pipeline = world.pipeline()
        self.operator = Invocations()
        self.pipeline.clients.lambda_ = self.operator.client
        self.operator_calls = Calls(self.pipeline.clients.s3, self.pipeline.clients.dynamodb, self.operator.client)
        self.budget: Any = None
        throttle_statements(world.dynamodb, "ThrottlingError", self._throttled)

    def _throttled(self, _statement: Mapping[str, Any]) -> bool:
        return self.budget is not None and next(self.budget) <= 0

    def deliver(self, index: int, *, twice: bool, fault: tuple[Any, ...]) -> None:
        if not self.waiting:
            return
        event, attempt = self.waiting.pop(index % len(self.waiting))
        if twice:
            self.waiting.append((event, 1))
        self.calls.names.clear()
        self.calls.die_before = fault[1] if fault[0] == "die before" else None
        self.calls.die_after = fault[1] if fault[0] == "die after" else None
        self.budget = count(fault[1], -1) if fault[0] == "throttle" else None
        # What goes round in circles comes to its end: time passes with each question of how much is left.
        seconds: Any = {"no time": 1.0, "throttle": 1.6}.get(fault[0]) or count(30, -0.005)
        try:
            self.world.deliver(event, seconds_left=seconds)
        except FAILURES:
            if attempt < MAX_ATTEMPTS:
                self.waiting.append((event, attempt + 1))
            else:
                self.exhausted.append(event)
        self.calls.die_before = self.calls.die_after = self.budget = None
        self.waiting += [(part, 1) for part in self.parts.events]
        self.parts.events.clear()

    def older(self) -> None:
        """The tables of complete files are gone, as an earlier release had none, until the end of the history."""
        self.world.drop_files_tables()
        self.world.deploy(self.pipeline)

    def lose(self) -> None:
        del self.waiting[:1]

    def redrive(self) -> None:
        rejected = [failure["requestPayload"] for failure in self.world.failures()]
        self.waiting += [(event, 1) for event in self.exhausted + rejected]
        self.exhausted.clear()

    def operate(self, command: str, die_before: int | None) -> None:
        self.operator_calls.names.clear()
        self.operator_calls.die_before = die_before
        self.world.deploy(self.pipeline)
        with suppress(Killed):
            if command == "repair":
                repair(self.pipeline, audit(self.pipeline).findings)
            else:
                backfill(self.pipeline, prefix="", rate=1e9, again=True)
        self.operator_calls.die_before = None
        self.waiting += [(event, 1) for event in self.operator.events]
        self.operator.events.clear()

    def table(self, share: int) -> None:
        former = self.world.default_rows
        if not isinstance(former, DynamoDbRows):
            return
        name = f"{self.world.bucket}-rows-{uuid.uuid4().hex}"
        create_table(self.world.dynamodb, name, ROWS_KEY)
        table = DynamoDbRows(self.world.dynamodb, name)
        rows = former.items()
        for pk in sorted(rows)[: len(rows) * share // 100]:
            table.put(rows[pk])
        former.drop()
        os.environ["ROWS_TABLE"] = name
        object.__setattr__(self.world, "default_rows", table)  # the world of the test, too
        self.world.deploy(self.pipeline, rows_table=[None, name][share % 2])

    def at_once(self, command: str, key: str, number: int, forgotten: str) -> None:
        def forget_other() -> None:
            with suppress(NotErasable, OwnerNeeded, ClientError, TableAltered):
                forget(forgetting_of(self.pipeline, forgotten))

        with between_calls(number, forget_other, self.pipeline.clients.s3, self.pipeline.clients.dynamodb):
            self.erase(command, key, None)

    def erase(self, command: str, key: str, die_before: int | None) -> None:
        """Run a command, and what it asks the owner of a table for."""
        self.operator_calls.names.clear()
        self.operator_calls.die_before = die_before
        try:
            if command == "forget":
                forget(forgetting_of(self.pipeline, key))
            else:
                for version in versions_to_reload(self.pipeline, key):
                    reload(erasure_for_reload(self.pipeline, version))
        except OwnerNeeded as statement:
            upload = str(statement).split("'")[1]
            for table in self.world.rows_tables:
                for pk, item in table.items().items():
                    if pk.startswith(f"{upload}#") or item.get("uploaded") == {"S": upload}:
                        table.delete(pk)
            self.erase(command, key, None)
        except (Killed, NotErasable, OtherTable, TableAltered, ClientError):  # also: no such object
            pass
        self.operator_calls.die_before = None
        self.waiting += [(event, 1) for event in self.operator.events]
        self.operator.events.clear()

    def end_erasures(self) -> None:
        """What the ledger says of commands that did not end."""
        for key in KEYS:
            for command in ("forget", "reload"):
                if any(record.erasing == command for record in self.pipeline.files.records_of_key(key)):
                    self.erase(command, key, None)
        for (etag, entry), item in self.world.tables()[1].items():
            if "#content" in entry and "erasing" in item:
                for key in {upload.version.key for upload in self.pipeline.uploads() if upload.version.etag == etag}:
                    self.erase("reload", key, None)

    def damage(self, kind: str, index: int) -> None:
        """Somebody else changes or deletes a row, or a rejected row, or rejects a row that is none."""
        tables = self.world.rows_tables
        rows = {(n, pk): item for n, table in enumerate(tables) for pk, item in table.items().items()}
        _, files = self.world.tables()
        rejects = [key for key in files if "#reject#" in key[1]]
        uploads = [key for key, item in files.items() if "status" in item and "#" not in key[1]]
        found: list[Any] = {"delete reject": rejects, "add reject": uploads}.get(kind, list(rows))
        if not found:
            return
        chosen = sorted(found)[index % len(found)]
        match kind:
            case "change row":
                tables[chosen[0]].put(rows[chosen] | {"data": {"S": "{}"}, "line": {"N": "2"}})
            case "change value":
                tables[chosen[0]].put(rows[chosen] | {"number": {"N": "-1"}})
            case "delete row":
                tables[chosen[0]].delete(chosen[1])
            case "delete reject":
                self.world.delete_entry(*chosen)
            case "add reject":
                item = {"object_key": {"S": chosen[0]}, "entry": {"S": f"{chosen[1]}#reject#000000000002"}}
                item |= {"line": {"N": "2"}, "reason": {"S": "made up"}}
                self.world.dynamodb.put_item(TableName=self.world.files_table, Item=item)

    def deliver_all(self) -> None:
        while self.waiting:
            self.deliver(0, twice=False, fault=("none",))

    def sweep(self) -> None:
        invocations = Invocations()
        deployed = zip(FEEDS.items(), self.pipeline.feeds, strict=True)
        feeds = {name: feed._replace(mode=each.mode) for (name, feed), each in deployed}
        run_sweep(self.world, invocations, age=timedelta(hours=-6), feeds=feeds)
        self.waiting += [(event, 1) for event in invocations.events]


def play(lambda_: Lambda, step: tuple[Any, ...]) -> None:
    match step:
        case ("ingest", *upload):
            play(lambda_, ("upload", *upload))
            lambda_.deliver_all()
        case ("correct", key, other_key, name, other_name):
            play(lambda_, ("upload", key, name))
            play(lambda_, ("upload", other_key, other_name))
        case ("upload" | "upload old" as what, key, name):
            text = COLLISIONS[name] if name in COLLISIONS else CONTENTS[name].encode()
            content = gzip.compress(text, mtime=0) if key.endswith(".gz") else text
            time = None if what == "upload" else LONG_AGO + timedelta(seconds=len(lambda_.world.times))
            lambda_.waiting.append((lambda_.world.upload(key, content, time=time), 1))
        case ("deliver", index, twice, fault):
            lambda_.deliver(index, twice=twice, fault=fault)
        case ("lose" | "redrive" | "sweep" | "older" | "at_once" | "table" as what, *arguments):
            getattr(lambda_, what)(*arguments)
        case ("settings", values):
            with suppress(InvalidSetting):  # a feed that merges takes no line as an id
                os.environ["FEED"] = replace(feed_now(), format=FileFormat(**values)).to_json()
        case ("reload" | "forget" as command, key, die_before):
            lambda_.erase(command, key, die_before)
        case ("repair" | "backfill" as command, die_before):
            lambda_.operate(command, die_before)
        case (kind, index):
            lambda_.damage(kind, index)


def needs_a_person(history: list[tuple[Any, ...]]) -> bool:
    """Whether somebody changed the tables, or a lost event may be of another content under an ETag.

    Or a file was forgotten: its rows may have taken the places of others. Or a table is another one, or was not there.
    No sweep finds any of this: an audit does.
    """
    uploads = ("upload", "upload old", "ingest")
    names = {step[0] for step in history} | {step[2] for step in history if step[0] in uploads}
    return bool(names & {*DAMAGES, "forget", "at_once", "table", "older"} or names >= set(COLLISIONS))


@pytest.fixture(autouse=True)
def _all_have_one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.erasing.CLOCKS", 0)
    monkeypatch.setattr("ops.erasing.STATEMENT_TIMEOUT", 0)


@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories, in_parts=st.booleans(), kinds=st.tuples(kinds, kinds))
def test_every_row_is_accounted_for_after_any_history(
    postgresql: LocalPostgresql, history: list[tuple[Any, ...]], in_parts: bool, kinds: tuple[Kind, Kind]
) -> None:
    kind, of_typed = kinds
    tuning, server = IN_PARTS if in_parts else IN_ONE_PIECE, postgresql if kind.destination == "postgresql" else None
    with fresh_world(tuning, postgresql=server, merges=kind.write_mode == "merge") as world:
        world.default_rows.declare("number", "integer")
        if kind.keep_rows_days:
            world.default_rows.declare("row_expires_at", "timestamp")
        set_feed(max_rejected="50%", keep_rows_days=kind.keep_rows_days)
        settings = {"columns": '{"name": "decimal as number"}', **of_typed._asdict()}
        if settings.pop("destination") == "postgresql":
            world.add_postgresql_feed(postgresql, "typed", "typed/", **settings)
        else:
            world.add_feed("typed", "typed/", **settings)
        lambda_ = Lambda(world)
        for step in history:
            play(lambda_, step)
        # The end of every history: what was begun is ended, what waits is delivered, what was lost is swept up,
        # what was damaged is repaired.
        lambda_.end_erasures()
        for _ in range(2):
            lambda_.deliver_all()
            lambda_.sweep()
        world.create_files_tables()
        lambda_.world.deploy(lambda_.pipeline)
        if needs_a_person(history):
            for _ in range(2):
                lambda_.operate("repair", None)
                lambda_.deliver_all()
                lambda_.end_erasures()  # those of files whose rows were in another table
                lambda_.deliver_all()
            lambda_.operate("repair", None)
        assert not lambda_.waiting, "the sweep found something that is not settled"
        assert audit(lambda_.pipeline).findings == []
        check_records(world, [upload.version for upload in lambda_.pipeline.uploads()])
        check_tables(world, lambda_.pipeline)
        check_told(world)


def check_told(world: World) -> None:
    """Of each settled upload, the ledger's stream has told how and when it was settled."""
    changes = filter(None, map(change_of, Stream(world).new()))
    told = {(change.record.object_key, change.record.settled_at, change.record.status) for change in changes}
    records = map(FileRecord.of, world._files().values())
    settled = [each for each in records if each.is_of_upload and each.is_settled]
    assert {(each.object_key, each.settled_at, each.status) for each in settled} <= told


def check_tables(world: World, pipeline: Pipeline) -> None:
    """Where feeds merge, the rows are the newest; in PostgreSQL, what is marked is what is complete in the ledger."""
    for table, feed in zip(world.rows_tables, pipeline.feeds, strict=True):
        if feed.mode is MERGE:
            assert table_as_lines(table) == newest_lines(world, pipeline, feed)
        if feed.settings.is_postgresql:
            complete = (each for each in pipeline.files.uploads(feed.name) if each.is_complete)
            assert table.marks().keys() == {(each.origin.upload, each.object_key) for each in complete}


def check_records(world: World, versions: Sequence[ObjectVersion]) -> None:
    """Each complete file adds up, and no row is of rejected or forgotten files alone, or of files of another feed."""
    _, files = world.tables()
    uploaded = {(version.key, name) for version in versions for name in (version.etag, version.version_id)}
    complete: dict[str, set[str]] = {"default": set(), "typed": set()}
    for (key, entry), record in files.items():
        if "#" in entry or record["status"]["S"] == "REJECTED":
            continue
        etag = entry.partition("~")[0]
        if (key, record["version_id"]["S"] if "write_mode" in record else etag) not in uploaded:
            continue  # forgotten before its last event was delivered
        if "rows_read" not in record and (key, record["version_id"]["S"]) not in uploaded:
            continue  # begun by a late event of a version that was forgotten; the others have records of their own
        assert record["status"]["S"] == "COMPLETE"
        feed = record.get("feed", {"S": "default"})["S"]
        assert key.startswith(FEEDS[feed].taker.prefix)
        complete[feed].add(etag)
        read, *others = (
            int(record.get(f"rows_{name}", {"N": "0"})["N"]) for name in ("read", "stored", "rejected", "superseded")
        )
        assert read == sum(others)
        recorded = sum(e.startswith(f"{entry}#reject#") for k, e in files if k == key)
        unrecorded = int(record.get("rejects_unrecorded", {"N": "0"})["N"])
        assert others[1] - unrecorded <= recorded <= (others[1] if unrecorded else others[1] - unrecorded)
    for table, etags in zip(world.rows_tables, complete.values(), strict=True):
        assert {item["etag"]["S"] for item in table.items().values()} <= etags


def table_as_lines(table: Rows) -> dict[str, tuple[str, int]]:
    return {pk: (item["etag"]["S"], int(item["line"]["N"])) for pk, item in table.items().items()}


def newest_lines(world: World, pipeline: Pipeline, feed: DeployedFeed) -> dict[str, tuple[str, int]]:
    """The ETag and the line of the row that each id must have: as if each upload had been ingested in its turn."""
    lines: dict[str, tuple[str, int]] = {}
    uploads = sorted(feed.uploads(), key=lambda upload: world.times[upload.version.version_id])
    for upload, record in pipeline.files.records(uploads):
        if record.status == "COMPLETE" and record.format:
            own: dict[str, tuple[str, int]] = {}
            with source.open_object(upload.version, world.s3) as stream:
                for row in csvfile.read_rows(stream, record.format):
                    if isinstance(row, Row):
                        own.setdefault(row.id, (upload.version.etag, row.line))
            lines |= own
    return lines
