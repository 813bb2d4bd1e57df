"""Files that are ingested in parts, small ones: hundreds of rows are split as others of hundreds of thousands."""

import random
from typing import Any

from csv_ingest.events import Event, part_job
from csv_ingest.model import Tuning
from tests.integration.invoking import Invocations
from tests.integration.world import World


def number_of(event: Event) -> tuple[bool, int]:
    job = part_job(event["Records"][0])
    assert job
    return job.is_check, job.number


def deliver_all(world: World, queue: Invocations, *, shuffle: random.Random | None = None, times: int = 1) -> int:
    """Deliver what is in Lambda's queue until there is nothing left; returns how many deliveries that were."""
    count = 0
    while queue.events:
        waiting = queue.events * times
        queue.events.clear()
        if shuffle:
            shuffle.shuffle(waiting)
        for event in waiting:
            world.deliver(event)
            count += 1
    return count


def without_parts(world: World) -> tuple[dict[str, Any], dict[tuple[str, str], Any]]:
    """The tables, but for how a file was divided."""
    rows, files = world.tables()
    kept = {key: item for key, item in files.items() if "#" not in key[1] or "#reject#" in key[1]}
    for item in kept.values():
        for name in ("parts", "parts_done", "parts_checked"):
            item.pop(name, None)
    return rows, kept


SMALL_PARTS = Tuning(block_bytes=64, part_lines=20, whole_parts=1)
"""Files of hundreds of rows are split as others of hundreds of thousands."""

CONTENT = "id,name\n" + "".join(f'{n},"line\n{n}"\n' if n % 7 == 0 else f"{n},a\n" for n in range(120)) + ",no id\n1\n"


DUPLICATE_IDS = (
    "id,name\n" + "".join(f"{n % 50},{n // 50}\n" for n in range(120)) + "".join(f"{n},0\n" for n in range(30))
)
"""Each id on several lines, first with other values, at the end with the first ones again."""
