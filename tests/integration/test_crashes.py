"""Deliveries that are killed, refused or overtaken at any of their calls leave no trace."""

from contextlib import suppress

import pytest

from tests.integration.faults import Calls, Killed, between_calls
from tests.integration.settings import set_feed
from tests.integration.world import BOTH_DESTINATIONS, World

BROKEN_UP = "id,name\n" + "".join(f"{n % 97},{n // 97}\n" for n in range(115)) + ",no id\n1\n2\n7,0\n98,x\n"
"""120 rows: good ones, ids used again with the same and with other values, and rejects of each other kind."""


EXPORTED = (
    'sep=;\r\n"Report\r\nof today"\r\nID ;Name;\r\n;;\r\n'
    + "".join(f'{n % 97}; "{n // 97}";{"x" * (n % 40 == 0)}\r\n' for n in range(115))
    + "ID ;Name;\r\n7;(0);\r\n8\r\n9;a\\\r\nb;\r\n\\x;1;\r\nNULL;2;\r\nTotal;115;\r\n\x1a"
)
"""120 rows of another dialect, with all that is no row."""

WRITTEN = {
    "header": "search",
    "header_match": "loose",
    "footer_records": 1,
    "short_rows": "fill",
    "trim": True,
    "escape": "\\",
    "number_style": "accounting",
    "null_values": ["NULL"],
}

UNREADABLE = "id,name\n1,1\n\0"

EACH_CASE = pytest.mark.parametrize(
    ("world", "content"),
    [("dynamodb", BROKEN_UP), ("dynamodb", UNREADABLE), ("dynamodb", EXPORTED), ("postgresql", BROKEN_UP)],
    ids=["dynamodb", "unreadable", "exported", "postgresql"],
    indirect=["world"],
)


@pytest.fixture
def _feed(world: World, content: str) -> None:
    """One of several, with a typed column."""
    set_feed(name="orders", **(WRITTEN if content == EXPORTED else {}))
    world.declare({"name": "integer"})


def begins(content: str) -> dict[str, int]:
    """One of the contents is treated as that of a large file, which is recorded as begun before it is read."""
    return {"begun_planned_bytes": 0} if content == EXPORTED else {}


@EACH_CASE
@pytest.mark.usefixtures("_feed")
@pytest.mark.parametrize("fault", ["die_before", "fail_at", "lose_answer_of"])
def test_a_fault_at_any_call_leaves_no_trace(world: World, content: str, fault: str) -> None:
    world = world.tuned(checkpoint_rows=50, **begins(content))
    event = world.upload("a.csv", content)
    calls = Calls(*world.engines)
    world.deliver(event)
    numbers = calls.numbers(fault)
    assert len(numbers) >= 3
    expected, happened = world.tables(), 0
    for number in numbers:
        world.empty()
        again = world.deliver_despite(calls, fault, number, event)
        happened += again or len(calls.names) > number
        assert world.tables() == expected, f"{fault} {number}"
        told = [failure["requestContext"]["condition"] for failure in world.failures()]
        assert set(told) == ({"Rejected"} if content == UNREADABLE else set()), f"{fault} {number}"
    # What is in flight while others are answered decides how many calls a delivery makes.
    assert happened >= len(numbers) - 2


@EACH_CASE
@pytest.mark.usefixtures("_feed")
def test_overlapping_deliveries_end_in_the_tables_of_one(world: World, content: str) -> None:
    world = world.tuned(**begins(content))
    event = world.upload("a.csv", content)
    calls = Calls(*world.engines)
    world.deliver(event)
    expected = world.tables()
    for number in range(1, len(calls.names) + 1):
        world.empty()
        with between_calls(number, lambda: world.deliver(event), *world.engines):
            world.deliver(event)
        assert world.tables() == expected, f"overtaken before call {number}"


# The second delivery, inside the first, takes the first one's metrics with it: there is one Powertools in a process.
@pytest.mark.filterwarnings("ignore:No application metrics to publish")
@BOTH_DESTINATIONS
def test_a_late_delivery_leaves_a_complete_file_alone(world: World) -> None:
    event = world.upload("a.csv", BROKEN_UP)
    calls = Calls(*world.engines)
    world.deliver(event)
    expected = world.tables()
    for number in range(2, len(calls.names) + 1):
        world.empty()
        calls.names.clear()

        def overtake() -> None:
            world.deliver(event)
            calls.die_before = len(calls.names) + 1  # the first delivery still makes the call that it was about to make

        with between_calls(number, overtake, *world.engines), suppress(Killed):
            world.deliver(event)
        calls.die_before = None
        assert world.tables() == expected, f"overtaken before call {number}"
