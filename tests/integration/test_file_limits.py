"""Files that are too large to be checked in time, or cannot be split."""

import gzip

import pytest

from csv_ingest.model import OutOfTime, Tuning
from tests.integration.parts import CONTENT
from tests.integration.world import Invocations, World

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


@pytest.fixture
def tuning() -> Tuning:
    """Files of hundreds of rows are split as others of hundreds of thousands."""
    return Tuning(block_bytes=64, part_lines=20, whole_parts=1)


def test_a_file_with_too_many_parts_is_rejected(world: World) -> None:
    world = world.tuned(max_parts=5)
    world.deliver(world.upload("a.csv", CONTENT))
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
def test_a_file_too_large_is_rejected_with_the_remedy(world: World, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    world = world.tuned(block_bytes=64 * 1024)
    monkeypatch.setenv("MAX_FILE_MB", "2")
    content, reason = TOO_LARGE[key]
    event = world.upload(key, content)
    world.deliver(event)
    record = world.file(key)
    assert record["status"] == "REJECTED"
    assert reason in record["reason"]
    assert "raise max_file_mb, and timeout_seconds with it" in record["reason"]
    monkeypatch.setenv("MAX_FILE_MB", "20")
    with pytest.raises(OutOfTime):
        world.deliver(event, seconds_left=1)
    assert world.file(key)["status"] == "PROCESSING", "under the new setting it is read"


def test_an_unreadable_large_file_dispatches_no_part(world: World, queue: Invocations) -> None:
    world.deliver(world.upload("a.csv", CONTENT + '"open'))
    record = world.file("a.csv")
    assert (record["status"], record["reason"]) == (
        "REJECTED",
        "the record that starts on line 142: unexpected end of data",
    )
    assert not queue.events
    assert world.rows() == {}


def test_old_mac_line_ends_are_ingested_by_one_delivery(world: World, queue: Invocations) -> None:
    world.deliver(world.upload("a.csv", "id\r" + "".join(f"{n}\r" for n in range(200))))
    assert not queue.events
    assert world.file("a.csv")["rows_stored"] == 200
