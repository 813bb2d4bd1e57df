"""A scan of the bucket: what the sweep asks the ledger about, and how it goes on in the next run."""

from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain, repeat
from typing import Any

import pytest

from csv_ingest.ledger import FilesTable
from csv_ingest.model import Deadline, OutOfTime
from csv_ingest.sweeping.checkpoint import MAX_REMEMBERED, Checkpoint, Scan
from tests.integration.sweeping import listed, run_sweep, swept_feed
from tests.integration.world import Invocations, World

run = partial(run_sweep, prefix="in/")
EPOCH = datetime.fromtimestamp(0, UTC)


def test_what_was_there_before_its_feed_is_left(world: World, invocations: Invocations) -> None:
    """`backfill` is for it. Of those that it has begun to deliver, the sweep delivers what is not settled."""
    listed(world.s3, age={"in/old": timedelta(days=100)})
    world.upload("in/old.csv", "id\n1\n")
    with pytest.raises(OutOfTime):
        world.deliver(world.upload("in/old, begun.csv", "id\n2\n"), seconds_left=1)
    world.upload("in/lost.csv", "id\n3\n")
    assert run(world, invocations)[:3] == (3, 2, 2)
    assert sorted(invocations.keys()) == ["in/lost.csv", "in/old, begun.csv"]


def test_a_feed_expects_what_came_after_it(world: World, invocations: Invocations) -> None:
    """Nobody knows when the feed was deployed: after the last run, which did not know it."""
    run(world, invocations)
    listed(world.s3, age={"new/old": timedelta(minutes=1)})
    for key in ("new/old.csv", "new/lost.csv"):
        world.upload(key, "id\n1\n")
    feeds = {"default": swept_feed("default", "in/"), "new": swept_feed("new", "new/")}
    run(world, invocations, feeds=feeds)
    run(world, invocations, feeds=feeds)
    assert invocations.keys() == ["new/lost.csv", "new/lost.csv"]


@pytest.mark.parametrize("existing_bucket", [False, True])
def test_a_scan_goes_on_where_its_time_ended(world: World, invocations: Invocations, *, existing_bucket: bool) -> None:
    """Each run has time for two requests, and each request lists two versions."""
    feeds = {name: swept_feed(name, f"{name}/") for name in ("a", "c")} | {"b": swept_feed("b", "a-b/")}
    keys = {f"{feed.taker.prefix}{number}.csv" for feed in feeds.values() for number in range(3)}
    for key in keys:
        world.upload(key, f"id\n{key}\n")
        world.upload(key, f"id\n0{key}\n")
    world.upload("misspelt.csv", "id\n1\n")
    listed(world.s3, at_once=2)
    settings: Any = {"feeds": feeds, "existing_bucket": existing_bucket}
    sweeps = [run(world, invocations, seconds=chain([60] * 3, repeat(1)), **settings) for _ in range(4)]
    assert not any(each.is_complete or each.unsettled for each in sweeps)
    whole = run(world, invocations, **settings)
    assert whole.is_complete
    assert (whole.uploads, whole.unsettled, whole.ignored) == (18, 18, 0 if existing_bucket else 1)
    run(world, invocations, **settings)
    delivered = [event["Records"][0]["s3"]["object"]["versionId"] for event in invocations.events]
    assert len(set(delivered)) == 18
    assert run(world, invocations, **settings)[:2] == (18, 18)


class TestOldUploads:
    """The ledger is asked about all of them, but not in each run."""

    @pytest.fixture(autouse=True)
    def _uploads(self, world: World) -> None:
        for number in range(9):
            world.ingest(f"in/{number}.csv", f"id\n{number}\n")
        listed(world.s3, age={"in/": timedelta(hours=7)})

    def asked(self, world: World) -> list[int]:
        """How many records are asked for in each request, from now on."""
        found: list[int] = []
        events: Any = world.dynamodb.meta.events
        events.register(
            "provide-client-params.dynamodb.BatchGetItem",
            lambda params, **_: found.append(len(params["RequestItems"][world.files_table]["Keys"])),
        )
        return found

    def test_are_asked_about_in_shares(self, world: World, invocations: Invocations) -> None:
        asked = self.asked(world)
        for _ in range(6):
            run(world, invocations, always_asked=2)
        assert asked == [2, 2, 2, 2, 1, 2]

    def test_that_are_unsettled_are_found_and_remembered(self, world: World, invocations: Invocations) -> None:
        world.delete_entry("in/4.csv", world.file("in/4.csv")["entry"])
        # As if the feed had been there for years.
        expected = {"in/*.csv": EPOCH, "in/*.csv.gz": EPOCH}
        checkpoint = Checkpoint(run_began=EPOCH, expected=expected).to_json()
        FilesTable(world.dynamodb, world.files_table, deadline=Deadline.never()).sweeps.save(checkpoint, instead_of="")
        run(world, invocations, age=-timedelta(hours=1))  # the first asks about everything new
        assert invocations.keys() == ["in/4.csv"]
        assert [run(world, invocations, always_asked=1).unsettled for _ in range(3)] == [1, 1, 1]
        world.deliver(invocations.events[0])
        assert run(world, invocations, always_asked=1).unsettled == 0


def test_of_two_runs_at_once_one_is_kept(world: World) -> None:
    """An account without reserved concurrency can have two; both deliver, and neither undoes what the other notes."""
    sweeps = FilesTable(world.dynamodb, world.files_table, deadline=Deadline.never()).sweeps
    assert sweeps.save("one", instead_of="")
    assert not sweeps.save("two", instead_of="")
    assert not sweeps.save("two", instead_of="none")
    assert (sweeps.save("three", instead_of="one"), sweeps.checkpoint()) == (True, "three")


def test_what_is_remembered_is_bounded() -> None:
    """A delivered upload is remembered before one that was not: that is due first whether it is remembered or not."""
    scan = Scan(began=EPOCH, before=EPOCH)
    for number in range(400_000):
        scan.remember(f"{number:012x}", tries=number % 400 == 0)
    assert len(scan.tries) <= 2 * MAX_REMEMBERED
    checkpoint = Checkpoint(run_began=EPOCH, last=scan, scan=scan).to_json()
    assert len(checkpoint) < 400_000
    kept = Checkpoint.from_json(checkpoint).last
    assert kept
    assert sum(kept.tries.values()) == 1_000
