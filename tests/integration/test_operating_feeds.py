"""The operators' commands on a deployment with several feeds: each finds the feed of a key, and touches no other."""

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from csv_ingest.events import Event, upload_event
from csv_ingest.model import PartJob, RowsNotWritten, Tuning
from local.postgresql import LocalPostgresql
from local.waiting import wait_until
from ops import brake
from ops.audit import audit
from ops.findings import Audited
from ops.pipeline import Pipeline
from ops.repair import repair
from tests.integration.commands import fail, invoke, reported, run
from tests.integration.invoking import Invocations, version_of
from tests.integration.world import World, fresh_world

pytestmark = pytest.mark.usefixtures("commanded")

Owner = Callable[..., list[list[Any]]]
"""Runs SQL as the owner of a table, whose name replaces each T."""

COLUMNS = '{"Preis": "decimal as price"}'


WRONG_PRICES: dict[str, list[Any]] = {
    "dynamodb": [{"N": "5.51"}, {"S": "5.50"}, {"BOOL": True}],
    "postgresql": [{"N": "5.51"}, {"N": "NaN"}],
}
"""By destination: what is there instead of 5.50."""


@pytest.fixture(params=["dynamodb", "postgresql"])
def destination(request: pytest.FixtureRequest) -> str:
    """Of the vendors."""
    return str(request.param)


@pytest.fixture
def world(
    request: pytest.FixtureRequest,
    tuning: Tuning,
    destination: str,
) -> Iterator[World]:
    """Two feeds: `default` below orders/, and `vendors` with semicolons and decimal commas."""
    settings = {"delimiter": ";", "decimal_separator": ",", "columns": COLUMNS}
    with fresh_world(tuning) as made:
        if destination == "dynamodb":
            made.add_feed("vendors", "vendors/", **settings)
        else:
            made.add_postgresql_feed(request.getfixturevalue("postgresql"), "vendors", "vendors/", **settings)
        yield made


@pytest.fixture
def both(world: World) -> tuple[Event, Event]:
    """A file of each feed, ingested: with a rejected row each."""
    events = (
        world.upload("orders/a.csv", "id,name\n1,a\n,b\n"),
        world.upload("vendors/a.csv", "id;Preis\n1;5,50\n2;x\n"),
    )
    for event in events:
        world.deliver(event)
    return events


def change_row(world: World, pk: str, **values: Any) -> None:
    """Set values of a row of the vendors."""
    rows = world.feeds[0].rows
    rows.put(rows.items()[pk] | values)


def kinds(pipeline: Pipeline) -> list[tuple[str, str]]:
    return sorted((finding.kind, finding.key) for finding in audit(pipeline).findings)


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["audit"], ["backfill", "--prefix", ""], ["pause"], ["resume"], ["check", __file__]],
    ids=lambda arguments: arguments[0],
)
def test_an_unknown_feed_is_a_wrong_call(arguments: list[str]) -> None:
    done = invoke(*arguments, "--feed", "nobody", code=2)
    assert "there is no feed nobody; the feeds are: default, vendors" in " ".join(done.stderr.split())


@pytest.mark.usefixtures("both")
def test_status_lists_all_feeds_or_one() -> None:
    def listed(*arguments: str) -> set[str]:
        return {each["object_key"] for each in reported("status", *arguments, code=1)}

    assert listed() == {"orders/a.csv", "vendors/a.csv"}
    assert listed("--feed", "vendors") == {"vendors/a.csv"}
    assert listed("vendors/a.csv") == {"vendors/a.csv"}
    assert "KEY says which feed" in invoke("status", "orders/a.csv", "--feed", "default", code=2).stderr


@pytest.mark.usefixtures("both")
def test_rejects_are_in_the_format_of_their_feed() -> None:
    assert run("rejects", "vendors/a.csv", "--csv", code=0) == "id;Preis\n2;x\n"
    assert run("rejects", "orders/a.csv", "--csv", code=0) == "id,name\n,b\n"


def test_backfill_delivers_to_the_feed_of_each_key(world: World, invocations: Invocations) -> None:
    world.upload("orders/a.csv", "id\n1\n")
    world.upload("vendors/a.csv", "id;Preis\n1;2\n")
    world.upload("nobody/a.csv", "id\n1\n")
    run("backfill", "--prefix", "", code=0)
    assert dict(zip(invocations.keys(), sorted(invocations.functions), strict=True)) == {
        "orders/a.csv": "none",
        "vendors/a.csv": "none-vendors",
    }
    run("backfill", "--prefix", "", "--feed", "vendors", code=0)
    assert invocations.functions[2:] == ["none-vendors"]


class TestRedrive:
    """Each message goes to the function of its feed, and to no other."""

    def test_each_message_goes_to_its_feed(self, world: World, invocations: Invocations) -> None:
        # The function that failed need not be that of the feed: the prefix can have been given to another one since.
        fail(world, world.upload("orders/a.csv", "id\n1\n"), name="none-vendors")
        fail(world, world.upload("vendors/a.csv", "id\n1\n"), name="none")
        fail(world, {"source": "aws.events"}, name="sweep")
        run("redrive", code=0)
        found = {
            version_of(event).key if "Records" in event else "": function
            for event, function in zip(invocations.events, invocations.functions, strict=True)
        }
        assert found == {"orders/a.csv": "none", "vendors/a.csv": "none-vendors", "": "sweep"}

    def test_a_key_of_no_feed_is_kept(self, world: World, invocations: Invocations) -> None:
        fail(world, world.upload("nobody/a.csv", "id\n1\n"))
        for arguments, code in ((["--dry-run"], 1), ([], 1)):
            [message] = reported("redrive", *arguments, code=code)
            reason = "below no feed's prefix; the nearest is orders/"
            assert message["action"] == f"kept: no feed takes nobody/a.csv: {reason}"
        assert invocations.events == []

    def test_keys_of_several_feeds_are_kept(self, world: World, invocations: Invocations) -> None:
        events = [world.upload(key, "id\n1\n") for key in ("orders/a.csv", "vendors/a.csv")]
        fail(world, {"Records": [event["Records"][0] for event in events]})
        [message] = reported("redrive", code=1)
        assert message["action"].startswith("kept: its keys are of several feeds, default, vendors")
        assert invocations.events == []

    def test_messages_of_a_paused_feed_are_kept(self, world: World, invocations: Invocations) -> None:
        for key in ("orders/a.csv", "vendors/a.csv"):
            fail(world, world.upload(key, "id\n1\n"))
        invocations.paused.add("none-vendors")
        actions = {each["keys"]: each["action"] for each in reported("redrive", code=1)}
        assert actions == {"orders/a.csv": "delivered", "vendors/a.csv": "kept: the feed vendors is paused"}
        assert len(world.failures()) == 1


class TestBrake:
    """The brake of one feed stops nothing of another."""

    @pytest.fixture
    def reservations(self, invocations: Invocations) -> dict[str, int]:
        """What was set, by function."""
        found: dict[str, int] = {}

        def remember(params: dict[str, Any], **_: Any) -> None:
            found[params["FunctionName"]] = params["ReservedConcurrentExecutions"]

        def answer(**_: Any) -> Any:
            return type("Answer", (), {"status_code": 200}), {}

        events: Any = invocations.client.meta.events
        events.register("provide-client-params.lambda.PutFunctionConcurrency", remember)
        events.register("before-call.lambda.PutFunctionConcurrency", answer)
        return found

    def test_pause_stops_every_feed_and_names_it(self, reservations: dict[str, int]) -> None:
        lines = run("pause", code=0).splitlines()
        assert lines[:2] == ["Paused the feed default.", "Paused the feed vendors."]
        assert reservations == {"none": 0, "none-vendors": 0}

    def test_pause_of_one_feed_stops_that_one(self, reservations: dict[str, int]) -> None:
        output = run("pause", "--feed", "vendors", code=0)
        assert reservations == {"none-vendors": 0}
        assert "To end the pause: csv-ingest resume --feed vendors" in output

    def test_commands_of_another_feed_go_on(self, world: World, invocations: Invocations) -> None:
        for key in ("orders/a.csv", "vendors/a.csv"):
            world.upload(key, "id\n1\n")
        invocations.paused.add("none-vendors")
        for arguments in (["--prefix", ""], ["--prefix", "vendors/"], ["--prefix", "", "--feed", "vendors"]):
            done = invoke("backfill", *arguments, code=1)
            assert "the feed vendors is paused: nothing was done" in done.stderr
            assert "csv-ingest resume --feed vendors" in done.stderr
        assert invocations.events == []
        run("backfill", "--prefix", "orders/", code=0)
        run("backfill", "--prefix", "", "--feed", "default", code=0)
        assert invocations.functions == ["none", "none"]
        assert "The feed vendors is paused. To end" in invoke("status", code=1).stderr
        assert "paused" not in invoke("status", "--feed", "default", code=1).stderr

    def test_a_repair_delivers_what_is_not_paused(self, world: World, invocations: Invocations) -> None:
        for key in ("orders/a.csv", "vendors/a.csv"):
            world.upload(key, "id\n1\n")
        invocations.paused.add("none-vendors")
        done = invoke("audit", "--repair", "--yes", "--timeout", "0", code=1)
        assert invocations.keys() == ["orders/a.csv"]
        assert "left as it is, for a person to look at: unsettled: vendors/a.csv" in done.stdout
        assert "The feed vendors is paused: nothing was delivered to it." in done.stderr

    def test_a_wait_ends_for_the_paused_feed(
        self, world: World, pipeline: Pipeline, invocations: Invocations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ops.waiting.LOOK_SECONDS", 0)
        for key in ("orders/a.csv", "vendors/a.csv"):
            fail(world, world.upload(key, "id\n1\n"))

        def pause_and_deliver(event: Event) -> None:
            if version_of(event).key.startswith("orders/"):
                world.deliver(event)
            else:
                invocations.paused.add("none-vendors")

        invocations.at_once = pause_and_deliver
        output = run("redrive", "--wait", "--timeout", "30", code=1)
        assert "the feed vendors is paused" in output
        assert "next: csv-ingest resume --feed vendors" in output
        assert brake.paused(pipeline.feeds) == [pipeline.feed_named("vendors")]


class TestAudit:
    """Each feed's files are compared with its own table, columns included."""

    @pytest.mark.usefixtures("both")
    def test_tables_of_all_feeds_are_as_they_should_be(self, pipeline: Pipeline) -> None:
        result = audit(pipeline)
        assert (result.files, result.rows, result.not_compared, result.findings) == (2, 2, 0, [])
        of_vendors = audit(pipeline, feed=pipeline.feed_named("vendors"))
        assert (of_vendors.files, of_vendors.rows) == (1, 1)

    def test_a_changed_value_is_found_and_mended(
        self, world: World, pipeline: Pipeline, both: tuple[Event, Event], destination: str
    ) -> None:
        pk = f"{version_of(both[1]).etag}#1"
        for value in WRONG_PRICES[destination]:
            change_row(world, pk, price=value)
            assert kinds(pipeline) == [("different", "vendors/a.csv")]
            assert repair(pipeline, audit(pipeline).findings).rows == 1
            [item] = world.feeds[0].rows.items().values()
            assert Decimal(item["price"]["N"]) == Decimal("5.5")
            assert audit(pipeline).findings == []

    def test_the_same_number_is_no_finding(self, world: World, pipeline: Pipeline, both: tuple[Event, Event]) -> None:
        """What others add under names that are not declared makes no difference either."""
        world.feeds[0].rows.declare("added", "text")
        change_row(world, f"{version_of(both[1]).etag}#1", price={"N": "5.50"}, added={"S": "by another"})
        assert audit(pipeline).findings == []

    def test_a_row_in_the_wrong_table_is_found(
        self, world: World, pipeline: Pipeline, both: tuple[Event, Event]
    ) -> None:
        pk = f"{version_of(both[0]).etag}#1"
        world.feeds[0].rows.put({"pk": {"S": pk}})
        [finding] = audit(pipeline).findings
        assert (finding.kind, finding.detail) == ("unexpected", f"{pk} in the table of the feed vendors")

    @pytest.fixture
    def moved(self, world: World) -> Event:
        """A complete file of the default feed, whose prefix was then given to the vendors."""
        feeds = list(world.feeds)
        world.feeds.clear()
        event = world.ingest("vendors/a.csv", "id\n1\n2\n")
        world.feeds.extend(feeds)
        return event

    def test_a_complete_file_stays_with_its_feed(self, world: World, pipeline: Pipeline, moved: Event) -> None:
        assert audit(pipeline) == Audited(1, 2, 0, [])
        pk = f"{version_of(moved).etag}#1"
        world.default_rows.delete(pk)
        found = audit(pipeline).findings
        assert [finding.kind for finding in found] == ["missing"]
        assert repair(pipeline, found).rows == 1
        assert list(world.feeds[0].rows.items()) == []
        assert audit(pipeline).findings == []

    def test_a_begun_file_needs_its_prefix_back(self, world: World, pipeline: Pipeline, moved: Event) -> None:
        world.change_record(version_of(moved).key, status="PROCESSING")
        [finding] = audit(pipeline).findings
        assert (finding.kind, finding.remedy) == ("unsettled", None)
        assert finding.detail.endswith("its prefix is that of the feed vendors now: give it back to default")

    @pytest.mark.usefixtures("both")
    def test_a_feed_that_is_gone_is_named(self, world: World, pipeline: Pipeline) -> None:
        world.change_record("vendors/a.csv", feed="traders")
        found = [finding for finding in audit(pipeline).findings if finding.kind == "unaccounted"]
        assert [finding.remedy for finding in found] == [None]
        assert "the feed traders ingested it, and is not deployed any more" in found[0].detail


def test_a_message_of_a_part_goes_to_its_feed(world: World, invocations: Invocations) -> None:
    version = version_of(world.upload("vendors/é b.csv", "id\n1\n"))
    fail(world, upload_event(version, PartJob(3)))
    run("redrive", code=0)
    assert invocations.functions == ["none-vendors"]


class TestPostgresql:
    """Whatever somebody does to the table is found, and mended from the files."""

    TYPED = "id;Preis;am;um;ok;rest\n1;5,50;2026-11-25;2026-11-25T10:00:00Z;yes;x\n2;;;;;\n3;;;;;y\n"

    @pytest.fixture
    def world(self, postgresql: LocalPostgresql) -> Iterator[World]:
        columns = {"Preis": "decimal as price", "am": "date as day", "um": "timestamp as time", "ok": "boolean"}
        settings = {"delimiter": ";", "decimal_separator": ",", "columns": json.dumps(columns)}
        with fresh_world() as made:
            made.add_postgresql_feed(postgresql, "vendors", "vendors/", **settings)
            yield made

    @pytest.fixture
    def owner(self, world: World, postgresql: LocalPostgresql) -> Owner:
        """The owner of the table, which has the rows of a file."""
        world.ingest("orders/a.csv", "id\n1\n")
        world.ingest("vendors/a.csv", self.TYPED)
        table = world.feeds[0].rows_table
        return lambda sql, **values: postgresql.run(re.sub(r"\bT\b", table, sql), **values)

    @pytest.mark.parametrize(
        ("damage", "kind"),
        [
            ("DELETE FROM T WHERE id = '1'", "missing"),
            ("UPDATE T SET id = '9' WHERE id = '1'", "missing"),
            ("UPDATE T SET line = 9 WHERE id = '1'", "different"),
            ("""UPDATE T SET data = '{"id": "1"}' WHERE id = '1'""", "different"),
            ("UPDATE T SET price = 'NaN' WHERE id = '1'", "different"),
            ("UPDATE T SET price = 'Infinity' WHERE id = '2'", "different"),
            ("UPDATE T SET price = NULL WHERE id = '1'", "different"),
            ("UPDATE T SET price = 0 WHERE id = '2'", "different"),
            ("UPDATE T SET day = 'infinity' WHERE id = '1'", "different"),
            ("UPDATE T SET day = '-infinity' WHERE id = '2'", "different"),
            ("UPDATE T SET day = '2026-11-25 BC' WHERE id = '1'", "different"),
            ("UPDATE T SET time = 'infinity' WHERE id = '2'", "different"),
            ("UPDATE T SET time = '2026-11-25 10:00:00+00 BC' WHERE id = '1'", "different"),
            ("UPDATE T SET time = '2026-11-25 10:00:00.000001+00' WHERE id = '1'", "different"),
            ("UPDATE T SET ok = NOT ok", "different"),
            ("UPDATE T SET ok = false WHERE id = '3'", "different"),
        ],
    )
    def test_each_damage_is_found_and_mended(
        self, world: World, pipeline: Pipeline, owner: Owner, damage: str, kind: str
    ) -> None:
        before = world.feeds[0].rows.items()
        owner(damage)
        findings = audit(pipeline).findings
        assert (kind, "vendors/a.csv") in [(finding.kind, finding.key) for finding in findings]
        assert {finding.kind for finding in findings} <= {kind, "unexpected"}
        assert repair(pipeline, findings).rows == 1
        owner("DELETE FROM T WHERE id = '9'")
        assert world.feeds[0].rows.items() == before
        assert audit(pipeline).findings == []

    @pytest.mark.parametrize(
        "harmless",
        [
            "UPDATE T SET price = 5.500 WHERE id = '1'",
            "UPDATE T SET time = '2026-11-25 15:30:00+05:30' WHERE id = '1'",
            "ALTER TABLE T ADD remark text DEFAULT 'mine'",
            "ALTER TABLE T ADD day_2 date DEFAULT 'infinity', ADD b bytea DEFAULT 'x', ADD c integer[] DEFAULT '{1}'",
        ],
    )
    def test_the_same_value_is_no_finding(self, pipeline: Pipeline, owner: Owner, harmless: str) -> None:
        owner(harmless)
        assert audit(pipeline).findings == []

    def test_rows_of_no_file_are_left_alone(self, world: World, pipeline: Pipeline, owner: Owner) -> None:
        [etag] = {pk.partition("#")[0] for pk in world.feeds[0].rows.items()}
        for each in (etag, "an ERP's"):
            owner("INSERT INTO T (etag, id, line, data) VALUES (:etag, '7', 1, 'null')", etag=each)
        before = world.feeds[0].rows.items()
        findings = audit(pipeline).findings
        assert [(finding.kind, finding.key, finding.detail) for finding in findings] == [
            ("unexpected", "vendors/a.csv", f"{etag}#7"),
            ("unexpected", "", "an ERP's#7 in the table of the feed vendors"),
        ]
        assert (repair(pipeline, findings).rows, world.feeds[0].rows.items()) == (0, before)

    def test_the_session_settings_of_a_role_change_nothing(
        self, world: World, pipeline: Pipeline, owner: Owner
    ) -> None:
        settings = {"datestyle": "'German, DMY'", "timezone": "'Asia/Kolkata'", "extra_float_digits": "0"}
        try:
            for name, value in settings.items():
                owner(f"ALTER ROLE csv_ingest SET {name} = {value}")
            assert audit(pipeline).findings == []
            owner("DELETE FROM T")
            world.ingest("vendors/b.csv", self.TYPED + "4;1;2026-01-02;2026-01-02T00:00:00Z;no;z\n")
            assert repair(pipeline, audit(pipeline).findings).rows == 3
            assert audit(pipeline).findings == []
        finally:
            for name in settings:
                owner(f"ALTER ROLE csv_ingest RESET {name}")

    def test_no_connection_is_left_open(self, pipeline: Pipeline, owner: Owner) -> None:
        open_ = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'csv_ingest'"
        owner("DELETE FROM T")
        repair(pipeline, audit(pipeline).findings)
        run("audit", code=0)
        run("schema", "--check", code=0)
        wait_until(lambda: owner(open_) == [[0]], "every connection is closed")

    def test_a_missing_column_is_added_and_the_file_redriven(
        self, world: World, invocations: Invocations, owner: Owner
    ) -> None:
        owner("ALTER TABLE T DROP COLUMN price CASCADE")
        event = world.upload("vendors/b.csv", self.TYPED + "4;6,50;;;;\n")
        with pytest.raises(RowsNotWritten) as refused:
            world.deliver(event)
        fail(world, event, reason=str(refused.value), name="none-vendors")
        assert "column price is missing: `csv-ingest schema --check` says" in run("status", code=1)
        [checked] = reported("schema", "--check", code=1)
        owner(checked["problems"][0].partition(": ")[2])
        invocations.at_once = world.deliver
        run("redrive", "--wait", code=0)
        assert "repaired: 1 row written" in run("audit", "--repair", "--yes", code=0)
        assert run("status", code=0) == "Every upload is complete, and no row was rejected.\n"
