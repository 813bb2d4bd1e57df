"""Objects that no feed takes are named, with what is nearest: by `status`, and by whoever is asked about them."""

from collections.abc import Iterator
from typing import Any

import pytest

from ops.pipeline import Pipeline
from tests.integration.commands import invoke, reported, run
from tests.integration.invoking import Invocations, version_of
from tests.integration.world import World, fresh_world

pytestmark = pytest.mark.usefixtures("commanded")

ROW = "id\n1\n"
MISSPELT, OTHER_ENDING = "order/orders.csv", "orders/orders.Csv"
NO_PREFIX = "below no feed's prefix; the nearest is orders/"
ENDING = "the feed default takes .csv and .csv.gz, and this ends in .Csv"


@pytest.fixture
def world() -> Iterator[World]:
    """Two feeds: `default` below orders/, and `vendors`. What is below reports/ is meant to be there."""
    with fresh_world() as made:
        made.add_feed("vendors", "vendors/")
        yield made


@pytest.fixture
def complete(world: World) -> None:
    """What is well, and what is meant."""
    world.ingest("orders/a.csv", ROW)
    world.upload("reports/a.pdf", "x")
    world.upload("vendors/", "")


@pytest.mark.usefixtures("complete")
def test_status_lists_objects_with_the_nearest_key(world: World) -> None:
    assert run("status", code=0) == "Every upload is complete, and no row was rejected.\n"
    world.ingest("vendors/bad.csv", "\0")
    version = version_of(world.upload(MISSPELT, ROW))
    world.upload(OTHER_ENDING, ROW)
    done = invoke("status", code=1)
    lines = done.stdout.splitlines()
    assert lines.count(lines[0]) == 1, "one header"
    assert lines[1] == "vendors/bad.csv"
    at = lines.index(MISSPELT)
    assert lines[at + 1].startswith("  IGNORED     20")
    assert lines[at + 1].endswith("   5 bytes")
    meant = "or delete it; if it is meant to be there, set ignored_prefixes"
    assert lines[at + 2 : at + 4] == [f"  {NO_PREFIX}", f"  next: move it below orders/, {meant}"]
    at = lines.index(OTHER_ENDING)
    assert lines[at + 2 : at + 4] == [f"  {ENDING}", f"  next: rename it, so that it ends in .csv, {meant}"]
    assert "No feed takes 2 objects" in done.stderr
    [_, *ignored] = reported("status", code=1)
    about: dict[str, Any] = next(each for each in ignored if each["object_key"] == MISSPELT)
    assert about.pop("uploaded_at").startswith("20")
    assert about == {"object_key": MISSPELT, "entry": version.etag, "size": 5, "status": "IGNORED", "reason": NO_PREFIX}
    assert "1 more: --limit 2" in invoke("status", "--limit", "1", code=1).stderr


def test_of_one_feed_only_what_is_below_it(world: World) -> None:
    for key in (MISSPELT, OTHER_ENDING, "vendors/a.txt"):
        world.upload(key, ROW)
    for feed, expected in (("default", OTHER_ENDING), ("vendors", "vendors/a.txt")):
        assert [each["object_key"] for each in reported("status", "--feed", feed, code=1)] == [expected]


@pytest.mark.parametrize("verb", ["status", "rejects", "rows", "reload"])
def test_what_exists_is_told_from_what_does_not(world: World, verb: str) -> None:
    for key in (MISSPELT, OTHER_ENDING):
        world.upload(key, ROW)
    absent = "there is no such object, and no feed takes such keys: "
    for key, reason in (
        ("order/none.csv", absent + NO_PREFIX),
        ("orders/none.Csv", absent + ENDING),
        ("orders/none.csv", "there is no such upload"),
    ):
        assert f"{key}: {reason}" in invoke(verb, key, code=1).stderr
    for key, reason in ((MISSPELT, NO_PREFIX), (OTHER_ENDING, ENDING)):
        done = invoke(verb, key, code=1)
        if verb == "status":
            assert [key, f"  {reason}"] == done.stdout.splitlines()[1:4:2]
            assert [each["status"] for each in reported(verb, key, code=1)] == ["IGNORED"]
        else:
            told = f"no feed takes {key}: {reason}" if verb == "reload" else f"{key}: no feed takes it: {reason}"
            assert told in done.stderr


@pytest.mark.parametrize("verb", ["backfill", "audit"])
def test_a_prefix_of_ignored_objects_is_told(world: World, verb: str, invocations: Invocations) -> None:
    world.upload("order/", "")
    world.upload(MISSPELT, ROW)
    told = invoke(verb, "--prefix", "order/", code=1).stderr
    assert "There is no upload whose key begins with 'order/': nothing was " in told
    assert f"No feed takes {MISSPELT}: {NO_PREFIX}" in told
    assert "No feed takes" not in invoke(verb, "--prefix", "typo/", code=1).stderr
    assert invocations.events == []


@pytest.mark.parametrize("end", ["deleted", "overwritten by a marker", "ingested"])
def test_an_ignored_object_ends_like_this(world: World, end: str) -> None:
    event = world.upload(MISSPELT, ROW)
    run("status", code=1)
    if end == "deleted":
        world.delete_object(event)
    elif end == "ingested":
        world.deliver(event)
    else:
        world.s3.delete_object(Bucket=world.bucket, Key=MISSPELT)
    run("status", code=0)


def test_what_is_meant_needs_nothing_to_be_done(world: World) -> None:
    world.upload("reports/a.pdf", "x")
    *_, reason = run("status", "reports/a.pdf", code=1).splitlines()
    assert reason == "  ignored_prefixes says that no feed is to take it"


def test_a_newer_version_can_be_ignored(world: World) -> None:
    """The prefix was a feed's, when the version before it was uploaded."""
    world.ingest(MISSPELT, ROW)
    run("status", MISSPELT, code=0)
    world.upload(MISSPELT, "id\n2\n")
    assert [each["status"] for each in reported("status", MISSPELT, code=1)] == ["COMPLETE", "IGNORED"]
    assert [each["status"] for each in reported("status", code=1)] == ["IGNORED"]


def test_objects_of_others_are_none_of_ours(world: World, pipeline: Pipeline) -> None:
    object.__setattr__(pipeline, "existing_bucket", True)
    for key in (MISSPELT, OTHER_ENDING, "lake/a.csv", "a.csv"):
        world.upload(key, ROW)
    assert {each["object_key"] for each in reported("status", code=1)} == {MISSPELT, OTHER_ENDING}
    assert "lake/a.csv" in run("status", "lake/a.csv", code=1)
