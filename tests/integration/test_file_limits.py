"""Files that are too large to be checked in time, or cannot be split."""

import gzip
import itertools

import pytest

from csv_ingest.model import OutOfTime
from tests.integration.faults import accept_every_statement
from tests.integration.invoking import Invocations
from tests.integration.parts import CONTENT, SMALL_PARTS
from tests.integration.settings import set_feed
from tests.integration.world import World

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")

TUNING = SMALL_PARTS


def test_a_file_with_too_many_parts_is_rejected(world: World) -> None:
    world = world.tuned(max_parts=5)
    world.ingest("a.csv", CONTENT)
    assert world.file("a.csv")["reason"].endswith("divide it")
    assert world.file("a.csv")["status"] == "REJECTED"


TOO_LARGE = {
    "a.csv": (b"id\n" + b"1\n" * 1_200_000, "the file has 2,400,003 bytes, and max_file_mb allows 2,000,000"),
    "a.csv.gz": (
        gzip.compress(b"id\n" + b"1\n" * 120_000),
        "cannot be split into parts, and has more than the 200,000",
    ),
    "old-mac.csv": (b"id\r" + b"1\r" * 600_000, "cannot be split into parts, and has more than the 200,000"),
}


@pytest.mark.parametrize("key", TOO_LARGE)
def test_a_file_too_large_is_rejected_with_the_remedy(world: World, key: str) -> None:
    world = world.tuned(block_bytes=64 * 1024)
    set_feed(max_file_mb=2)
    content, reason = TOO_LARGE[key]
    event = world.ingest(key, content)
    record = world.file(key)
    assert record["status"] == "REJECTED"
    assert reason in record["reason"]
    assert "raise max_file_mb, and timeout_seconds with it" in record["reason"]
    set_feed(max_file_mb=20)
    with pytest.raises(OutOfTime):
        world.deliver(event, seconds_left=1)
    assert world.file(key)["status"] == "PROCESSING", "under the new setting it is read"


NEWLINES = gzip.compress(b"id\n" + b"\n" * 30_000_000)
"""29 KB without a record."""


def test_blank_lines_use_up_the_time_too(world: World) -> None:
    """A third of a second for each look at the clock: without a look where bytes are read, this would go on."""
    seconds = itertools.count(30, -1 / 3)
    with pytest.raises(OutOfTime, match="at byte"):
        world.deliver(world.upload("a.csv.gz", NEWLINES), seconds_left=seconds)
    assert next(seconds) > 0


def test_blank_lines_use_up_the_unpacked_size_too(world: World) -> None:
    set_feed(max_file_mb=2)
    world.ingest("a.csv.gz", NEWLINES)
    assert "more than the 200,000 bytes, uncompressed" in world.file("a.csv.gz")["reason"]


def test_blank_lines_count_as_records_do(world: World) -> None:
    """Before the unpacked size is used up, which would take longer than a delivery has."""
    set_feed(max_file_mb=20)
    world.ingest("a.csv.gz", gzip.compress(b"id\n" + b"\n" * 1_900_000))
    assert "20,000 records or 40,000 lines that max_file_mb allows" in world.file("a.csv.gz")["reason"]


def test_a_gzip_file_of_nothing_uses_up_the_time(world: World) -> None:
    """Of a hundred thousand empty members, nothing is ever unpacked."""
    seconds = itertools.count(30, -1)
    with pytest.raises(OutOfTime, match="at byte"):
        world.deliver(world.upload("a.csv.gz", gzip.compress(b"") * 100_000), seconds_left=seconds)
    assert next(seconds) > -5


@pytest.mark.parametrize(("records", "status"), [(20_000, "COMPLETE"), (20_001, "REJECTED")])
def test_records_of_an_unsplit_file_count_from_its_beginning(world: World, records: int, status: str) -> None:
    """Only its last lines, a megabyte of them, end like those of old Macs, and make the file ambiguous."""
    world = world.tuned(block_bytes=128 * 1024)
    accept_every_statement(world.dynamodb)
    set_feed(max_file_mb=20)
    last = "".join(f"mac{n}{'x' * 10_000}\r" for n in range(110))
    world.ingest("a.csv", "id\n" + "".join(f"{n}\n" for n in range(records - 110)) + last)
    assert world.file("a.csv")["status"] == status


def test_a_file_with_a_long_record_is_split(world: World, queue: Invocations) -> None:
    """README's limit is a million characters for a record; the file could not be ingested unsplit."""
    world = world.tuned(block_bytes=128 * 1024)
    world.ingest("a.csv", "id,name\n1," + "x" * 1_000_000 + "\n" + "2,y\n" * 200_000)
    assert queue.events


def test_an_unreadable_large_file_dispatches_no_part(world: World, queue: Invocations) -> None:
    world.ingest("a.csv", CONTENT + '"open')
    record = world.file("a.csv")
    assert (record["status"], record["reason"]) == (
        "REJECTED",
        "the record that starts on line 142: unexpected end of data: is a quote left open?",
    )
    assert not queue.events
    assert world.rows() == {}


def test_old_mac_line_ends_are_ingested_by_one_delivery(world: World, queue: Invocations) -> None:
    world.ingest("a.csv", "id\r" + "".join(f"{n}\r" for n in range(200)))
    assert not queue.events
    assert world.file("a.csv")["rows_stored"] == 200
