"""Several feeds in one deployment: each has its own table, format and function, and nothing of one touches another."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from csv_ingest import clients
from csv_ingest.events import Event
from csv_ingest.feed import Feed
from csv_ingest.model import OtherTable, OutOfTime, RowsNotWritten, Tuning
from local.postgresql import LocalPostgresql
from ops.audit import audit
from tests.integration.collisions import FIRST, ROWS, SECOND
from tests.integration.faults import Calls, Killed, between_calls, throttle_statements
from tests.integration.invoking import Invocations, version_of
from tests.integration.parts import deliver_all
from tests.integration.rows import by_value
from tests.integration.settings import feed_now, set_feed, with_settings
from tests.integration.sweeping import run_sweep, swept_feed
from tests.integration.world import OtherFeed, World, fresh_world

LONG = "id,name\n" + "".join(f"{n},{n}\n" for n in range(70))


@pytest.fixture
def vendors(world: World) -> OtherFeed:
    return world.add_feed(
        "vendors", "vendors/", delimiter=";", encoding="cp1252", columns={"Preis": "decimal as price"}
    )


def test_each_feed_reads_its_files_its_own_way(world: World, vendors: OtherFeed) -> None:
    world.ingest("orders/a.csv", "id,name\n1,Müller\n")
    world.ingest("vendors/a.csv", "id;Preis\nä;1.50\n".encode("cp1252"))
    assert world.rows() == {"1": '{"id":"1","name":"Müller"}'}
    [item] = vendors.rows.items().values()
    assert (item["data"], by_value(item)["price"]) == ({"S": '{"id":"ä"}'}, Decimal("1.5"))
    assert world.file("vendors/a.csv")["feed"] == "vendors"
    assert "feed" not in world.file("orders/a.csv")


def test_the_same_content_is_stored_in_each_feed(world: World, vendors: OtherFeed) -> None:
    """One ETag, two feeds: two readings, in two tables."""
    content = "id;Preis\n1;2\n"
    world.ingest("vendors/a.csv", content)
    world.ingest("a.csv", f"id\n{content}")
    world.ingest("a.csv", content)
    assert world.file("vendors/a.csv")["status"] == "COMPLETE"
    entries = {entry for _, entry in world.tables()[1]}
    assert {"#content", "#content#vendors"} <= entries
    assert len(vendors.rows.items()) == 1


def test_an_etag_can_be_another_content_in_another_feed(world: World) -> None:
    set_feed(encoding="iso8859-1", id_column="@line")
    other = world.add_feed("other", "other/")
    world.ingest("a.csv", FIRST + ROWS)
    world.ingest("other/a.csv", SECOND + ROWS)
    assert (world.file("a.csv")["status"], world.file("other/a.csv")["status"]) == ("COMPLETE", "COMPLETE")
    assert world.default_rows.items().keys() == other.rows.items().keys()
    assert world.default_rows.items() != other.rows.items()


def test_duplicate_ids_are_noted_for_their_own_feed(world: World, queue: Invocations) -> None:
    """In parts: only the feed whose file repeats ids has to check its file."""
    world = world.tuned(block_bytes=64, part_lines=20, whole_parts=1)
    world.add_feed("other", "other/", id_column="@line")
    content = "id,name\n" + "".join(f"{n % 40},{n}\n" for n in range(70))
    for key in ("other/a.csv", "a.csv"):
        world.ingest(key, content)
        deliver_all(world, queue)
    assert world.file("a.csv")["rows_rejected"] == 30
    assert world.file("other/a.csv")["rows_rejected"] == 0
    checks = {key for key, entry in world.tables()[1] if "#check#" in entry}
    assert checks == {"a.csv"}


class TestOtherDestination:
    """The feed was given another destination, while files of it were on their way."""

    @pytest.fixture
    def world(self, postgresql: LocalPostgresql) -> Iterator[World]:
        with fresh_world(Tuning(checkpoint_rows=25, batch_rows=25, in_flight=1), postgresql=postgresql) as made:
            yield made

    @pytest.fixture
    def begun(self, world: World) -> Event:
        event = world.upload("a.csv", LONG)
        with pytest.raises(Killed), Calls(*world.engines).fault("die_before", 12):
            world.deliver(event)
        assert 0 < world.file("a.csv")["rows_read"] < 70
        return event

    @pytest.mark.parametrize(
        ("variable", "value", "place"),
        [
            ("FEED", Feed, "the DynamoDB table .*_rows"),
            ("ROWS_TABLE", lambda: "another", "postgres/another"),
            ("FEED", lambda: with_settings(feed_now(), {"write_mode": "merge"}), r"postgres/\w+_rows \(merge\)"),
        ],
    )
    def test_a_begun_file_is_an_error(
        self, world: World, begun: Event, variable: str, value: Callable[[], str | Feed], place: str
    ) -> None:
        """Or its rows would be divided over two tables, and nobody would know."""
        with pytest.MonkeyPatch.context() as changed:
            to = value()
            changed.setenv(variable, to.to_json() if isinstance(to, Feed) else to)
            with pytest.raises(
                OtherTable,
                match=f"_rows, and those of the feed go to {place} now: set the destination and the write mode back",
            ):
                world.deliver(begun)
        world.deliver(begun)
        assert len(world.rows()) == 70

    def test_a_complete_file_is_a_finding(
        self, world: World, postgresql: LocalPostgresql, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not seventy missing rows, which a repair would copy to the other table."""
        world.ingest("a.csv", LONG)
        other = f"{world.rows_table}_2"
        postgresql.run(f"CREATE TABLE {other} (LIKE {world.rows_table} INCLUDING ALL)")
        postgresql.run(f"GRANT SELECT ON {other} TO csv_ingest")
        monkeypatch.setenv("ROWS_TABLE", other)
        [finding] = audit(world.pipeline()).findings
        with pytest.raises(OtherTable, match="or upload it under another key"):
            world.ingest("a.csv", LONG)
        postgresql.run(f"DROP TABLE {other}")
        assert (finding.kind, finding.remedy) == ("unaccounted", None)
        assert finding.detail.endswith(f"_rows, and those of the feed go to postgres/{other} now")


class TestMovedPrefix:
    """A prefix was given to another feed, while files below it were on their way."""

    @pytest.fixture
    def begun(self, world: World) -> dict[str, Any]:
        event = world.upload("moved/a.csv", LONG)
        with pytest.raises(Killed), Calls(world.s3, world.dynamodb).fault("die_before", 10):
            world.tuned(checkpoint_rows=25).deliver(event)
        assert 0 < world.file("moved/a.csv")["rows_read"] < 70
        return event

    def test_a_begun_file_is_an_error(self, world: World, begun: dict[str, Any]) -> None:
        moved = world.add_feed("moved", "moved/")
        with pytest.raises(OtherTable, match="belongs to the feed default"):
            world.deliver(begun)
        assert moved.rows.items() == {}
        assert "give the prefix back" in world.file("moved/a.csv")["last_error"]
        world.feeds.clear()
        world.deliver(begun)
        assert len(world.rows()) == 70

    def test_a_part_is_an_error(self, world: World, queue: Invocations) -> None:
        event = world.upload("moved/a.csv", LONG)
        world = world.tuned(block_bytes=64, part_lines=20, whole_parts=1)
        world.deliver(event)
        moved = world.add_feed("moved", "moved/")
        with pytest.raises(OtherTable):
            world.deliver(queue.events[0])
        assert moved.rows.items() == {}

    @pytest.mark.parametrize("call", [7, 8, 9])
    def test_a_plan_is_of_its_own_feed(self, world: World, queue: Invocations, call: int) -> None:
        """The first feed dies before it records more than its plan."""
        world = world.tuned(block_bytes=64, part_lines=20, whole_parts=1)
        event = world.upload("moved/a.csv", LONG)
        with pytest.raises(Killed), Calls(world.s3, world.dynamodb).fault("die_before", call):
            world.deliver(event)
        moved = world.add_feed("moved", "moved/", columns={"name": "integer"})
        with suppress(OtherTable):
            world.deliver(event)
        deliver_all(world, queue)
        typed = ["name" in item for item in moved.rows.items().values()]
        assert all(typed)
        assert world.rows() == {}

    def test_a_file_that_was_complete_stays_so(self, world: World) -> None:
        event = world.ingest("moved/a.csv", LONG)
        moved = world.add_feed("moved", "moved/")
        world.deliver(event)
        with pytest.raises(OtherTable):
            world.ingest("moved/a.csv", LONG)
        assert (world.file("moved/a.csv")["status"], moved.rows.items()) == ("COMPLETE", {})

    def test_two_feeds_at_once_are_one_winner(self, world: World) -> None:
        """The event was taken by the old function and, after the deployment, by the new one."""
        moved = world.add_feed("moved", "moved/")
        event = world.upload("moved/a.csv", LONG)
        feeds = list(world.feeds)
        calls = Calls(world.s3, world.dynamodb)
        world.deliver(event)
        for number in calls.numbers("die_before"):
            world.empty()
            with pytest.raises(Killed), calls.fault("die_before", number):
                world.deliver(event)
            world.feeds.clear()
            try:
                world.deliver(event)
            except OtherTable:
                world.feeds.extend(feeds)
                world.deliver(event)
            world.feeds[:] = feeds
            assert len(world.rows()) + len(moved.rows.items()) == 70, number
            assert world.file("moved/a.csv")["rows_stored"] == 70

    # The second delivery, inside the first, takes the first one's metrics with it.
    @pytest.mark.filterwarnings("ignore:No application metrics to publish")
    def test_a_feed_that_is_overtaken_stores_nothing(self, world: World) -> None:
        table, default = world.rows_table, os.environ["FEED"]
        moved = world.add_feed("moved", "moved/")
        event = world.upload("moved/a.csv", LONG)

        def deliver_by_default() -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("FEED", default)
                patch.setenv("ROWS_TABLE", table)
                world.feeds.clear()
                with suppress(OtherTable, Killed):
                    world.deliver(event)
            world.feeds.append(moved)

        calls = Calls(world.s3, world.dynamodb)

        def overtake() -> None:
            """Plan the file, and die before its rows are counted."""
            with calls.fault("die_before", 8):
                deliver_by_default()

        world.deliver(event)
        winners = set()
        for number in range(1, len(calls.names) + 1):
            world.empty()
            with between_calls(number, overtake, world.s3, world.dynamodb), suppress(OtherTable):
                world.deliver(event)
            deliver_by_default()
            winner = world.file("moved/a.csv").get("feed", "default")
            stored = {"default": len(world.rows()), "moved": len(moved.rows.items())}
            assert stored == {"default": 0, "moved": 0} | {winner: 70}, number
            winners.add(winner)
        assert winners == {"default", "moved"}


class TestThrottledFeed:
    """The table of one feed takes nothing, for good."""

    @pytest.fixture(autouse=True)
    def _throttle(self, world: World, vendors: OtherFeed) -> None:
        def is_of_vendors(statement: Mapping[str, Any]) -> bool:
            return vendors.rows_table in statement["Statement"]

        throttle_statements(world.dynamodb, "ThrottlingError", is_of_vendors)

    def test_the_files_of_the_others_are_complete(self, world: World, invocations: Invocations) -> None:
        bad = [world.upload(f"vendors/{n}.csv", f"id;Preis\n{n};1\n") for n in range(3)]
        good = [world.upload(f"orders/{n}.csv", f"id\n{n}\n") for n in range(3)]
        for event in [event for pair in zip(bad, good, strict=True) for event in pair]:
            try:
                world.deliver(event, seconds_left=1.6)
            except (RowsNotWritten, OutOfTime):
                assert event in bad
        assert {world.file(f"orders/{n}.csv")["status"] for n in range(3)} == {"COMPLETE"}
        assert {world.file(f"vendors/{n}.csv")["status"] for n in range(3)} == {"PROCESSING"}
        swept = run_sweep(world, invocations, feeds=FEEDS)
        assert (swept.unsettled, swept.delivered) == (3, 3)
        assert set(invocations.functions) == {"ingest-vendors"}


FEEDS = {"default": swept_feed("default", "orders/", [".csv"]), "vendors": swept_feed("vendors", "vendors/", [".csv"])}


def test_the_sweep_delivers_to_the_feed_of_the_key(world: World, invocations: Invocations) -> None:
    for key in ("orders/a.csv", "vendors/b.csv", "elsewhere/c.csv"):
        world.upload(key, "id\n1\n")
    swept = run_sweep(world, invocations, feeds=FEEDS)
    assert (swept.uploads, swept.delivered) == (2, 2)
    keys = [version_of(event).key for event in invocations.events]
    delivered = dict(zip(invocations.functions, keys, strict=True))
    assert delivered == {"ingest": "orders/a.csv", "ingest-vendors": "vendors/b.csv"}


@pytest.mark.parametrize("broken", ["orders/lost.csv", "vendors/lost.csv"])
def test_a_function_that_takes_nothing_keeps_no_other_waiting(
    world: World, invocations: Invocations, broken: str
) -> None:
    for key in ("orders/lost.csv", "vendors/lost.csv"):
        world.upload(key, "id\n1\n")
    invocations.refuse = broken
    with pytest.raises(ClientError):
        run_sweep(world, invocations, feeds=FEEDS)
    assert invocations.keys() == [key for key in ("orders/lost.csv", "vendors/lost.csv") if key != broken]


def test_a_feed_with_many_lost_events_delays_no_other(world: World, invocations: Invocations) -> None:
    for number in range(120):
        world.upload(f"vendors/{number}.csv", "id\n1\n")
    world.upload("orders/lost.csv", "id\n1\n")
    swept = run_sweep(world, invocations, feeds=FEEDS)
    assert (swept.unsettled, swept.delivered) == (121, 101)
    assert invocations.keys()[0] == "orders/lost.csv"


def test_parts_go_to_the_feed_of_their_file(world: World, queue: Invocations, vendors: OtherFeed) -> None:
    world = world.tuned(block_bytes=64, part_lines=20, whole_parts=1)
    world.ingest("vendors/a.csv", "id;Preis\n" + "".join(f"{n};{n}\n" for n in range(70)))
    assert len(queue.events) > 1
    deliver_all(world, queue)
    assert len(vendors.rows.items()) == 70
    assert clients.lambda_() is queue.client
