"""A scan of the bucket: what the sweep asks the ledger about, and how it goes on in the next run."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain, repeat
from typing import Any

import pytest

from csv_ingest.ledger import FilesTable
from csv_ingest.model import Deadline, OutOfTime
from csv_ingest.sweeping.checkpoint import MAX_REMEMBERED, Checkpoint, Scan
from tests.integration.invoking import Invocations
from tests.integration.sweeping import listed, run_sweep, swept_feed
from tests.integration.world import World

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
    assert not any(each.is_complete for each in sweeps)
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
        checkpoint = Checkpoint(bucket=world.bucket, run_began=EPOCH, expected=expected).to_json()
        FilesTable(world.dynamodb, world.files_table, deadline=Deadline.never()).sweeps.save(checkpoint, instead_of="")
        run(world, invocations, age=-timedelta(hours=1))  # the first asks about everything new
        assert invocations.keys() == ["in/4.csv"]
        assert [run(world, invocations, always_asked=1).unsettled for _ in range(3)] == [1, 1, 1]
        world.deliver(invocations.events[0])
        assert run(world, invocations, always_asked=1).unsettled == 0


def test_what_was_lost_stays_expected_below_another_prefix(world: World, invocations: Invocations) -> None:
    """As after a roll back, too. What else is there below the new prefix is not expected."""
    run(world, invocations)
    listed(world.s3, age={"in/lost": timedelta(seconds=-1), "i": timedelta(minutes=1)})
    for key in ("in/lost.csv", "i/old.csv"):
        world.upload(key, "id\n1\n")
    for prefix in ("in/", "i", "in/"):
        assert run_sweep(world, invocations, prefix=prefix, age=-timedelta(seconds=5)).unsettled == 1
    assert set(invocations.keys()) == {"in/lost.csv"}


def test_another_bucket_is_scanned_anew(world: World, invocations: Invocations) -> None:
    sweeps = FilesTable(world.dynamodb, world.files_table, deadline=Deadline.never()).sweeps
    old = Checkpoint(bucket="another", run_began=datetime.now(UTC), expected={"in/*.csv": EPOCH}).to_json()
    sweeps.save(old, instead_of="")
    listed(world.s3, age={"in/old": timedelta(days=3)})
    world.upload("in/old.csv", "id\n1\n")
    assert run(world, invocations).unsettled == 0


def test_a_slow_look_beside_the_feeds_delays_nothing(world: World, invocations: Invocations) -> None:
    """It fails the run, and keeps no lost upload from being delivered, nor the checkpoint from being saved."""
    for key in ("orders/lost.csv", "Orders/n.txt"):
        world.upload(key, "id\n1\n")
    settings: Any = {"feeds": {"default": swept_feed("default", "orders/")}, "existing_bucket": True}
    for _ in range(2):
        with pytest.raises(OutOfTime, match="names in ''"):
            run(world, invocations, seconds=chain([60] * 4, repeat(0)), **settings)
    assert invocations.keys() == ["orders/lost.csv", "orders/lost.csv"]


def test_versions_of_one_upload_on_many_pages_are_one(world: World, invocations: Invocations) -> None:
    for _ in range(6):
        world.upload("in/a.csv", "id\n1\n")
    listed(world.s3, at_once=2)
    assert run(world, invocations)[:3] == (6, 1, 1)


@pytest.mark.parametrize("text", ["{}", "x", "null", "[]", '{"run_began": 5, "expected": {}}'])
def test_an_unreadable_checkpoint_is_begun_anew(world: World, invocations: Invocations, text: str) -> None:
    FilesTable(world.dynamodb, world.files_table, deadline=Deadline.never()).sweeps.save(text, instead_of="")
    world.upload("in/lost.csv", "id\n1\n")
    assert [run(world, invocations).unsettled for _ in range(2)] == [1, 1]


def test_a_checkpoint_of_a_later_release_is_read() -> None:
    scan = Scan(began=EPOCH, before=EPOCH, tries={"a": 1})
    later = json.loads(Checkpoint(run_began=EPOCH, last=scan).to_json())
    later["last"]["later"] = later["later"] = 1
    read = Checkpoint.from_json(json.dumps(later))
    assert read == Checkpoint(run_began=EPOCH, last=scan)


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
    assert kept.has_forgotten, "the next scan asks about every upload"
    assert sum(kept.tries.values()) == 1_000
