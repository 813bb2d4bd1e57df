"""What docs/costs.md calculates with: how many requests and units a file takes."""

import pytest

from bench.spending import Spent
from local.examples import orders
from ops.reporting import costs
from tests.integration.invoking import Invocations
from tests.integration.parts import deliver_all
from tests.integration.settings import set_feed
from tests.integration.world import World


@pytest.fixture
def spent(world: World) -> Spent:
    return Spent(world.s3, world.dynamodb)


def test_a_small_file_makes_six_requests_in_turn(world: World, spent: Spent) -> None:
    event = world.upload("a.csv", orders(50))
    spent.clear()
    world.deliver(event)
    of_rows = ["BatchExecuteStatement"] * 2  # at the same time
    assert spent.requests == ["GetItem", "GetObject", "UpdateItem", "UpdateItem", *of_rows, "UpdateItem"]


@pytest.mark.parametrize(("rows", "units"), [(50, 6), (5_000, 12)])
def test_the_ledger_takes_its_units(world: World, spent: Spent, rows: int, units: int) -> None:
    content = orders(rows)
    event = world.upload("a.csv", content)
    spent.clear()
    world.deliver(event)
    assert spent.rows == rows
    assert (spent.ledger + spent.index, spent.index) == (units, 3)
    assert costs.ledger_units(len(content), rows) == units


def test_parts_take_their_units(world: World, queue: Invocations, spent: Spent) -> None:
    world = world.tuned(part_lines=1_000, checkpoint_rows=200, whole_parts=1)  # a fifth of a part, of five checkpoints
    content = orders(4_000)
    event = world.upload("a.csv", content)
    spent.clear()
    world.deliver(event)
    parts = deliver_all(world, queue)
    assert spent.ledger + spent.index == costs.ledger_units(len(content), 4_000, parts)


def test_rows_that_were_there_are_read_first(world: World, spent: Spent) -> None:
    """But for those that are on their way when that is found out."""
    set_feed(write_mode="merge")
    event, corrected = world.upload("a.csv", orders(5_000)), world.upload("b.csv", orders(5_000))
    world.deliver(event)
    spent.clear()
    world.deliver(corrected)
    assert world.file("b.csv")["rows_stored"] == 5_000
    assert 5_000 < spent.rows <= 5_000 * (1 + costs.REFUSED_OF_CORRECTED)
    assert spent.reads == pytest.approx(5_000, rel=0.01)
    assert len(spent.requests) <= 2 * 200 + 4 + 15, "to read, to replace, the first to be refused, the ledger"
