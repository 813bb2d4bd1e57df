"""A burst through a table that answers at a tenth of the demand: slower, and neither lost, nor doubled, nor a storm."""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from csv_ingest.configuration import IngestConfig
from csv_ingest.delivery import Delivery
from csv_ingest.events import object_version
from csv_ingest.ingest import ingest_file
from tests.integration.faults import throttle_statements
from tests.integration.world import World

FILES, ROWS = 6, 200
REQUESTS_A_ROW = 0.4
"""At most. Measured are 0.12 to 0.13; without pressure it is 1/25."""


class Capacity:
    """So many writes a second, and no more: as DynamoDB has it, without the burst that it saves up."""

    def __init__(self, writes_a_second: float) -> None:
        self._rate = writes_a_second
        self._left, self._at = 0.0, time.monotonic()
        self._lock = threading.Lock()

    def is_used_up(self, _statement: Mapping[str, Any]) -> bool:
        with self._lock:
            now = time.monotonic()
            self._left = min(self._left + (now - self._at) * self._rate, self._rate / 10)
            self._at = now
            if self._left < 1:
                return True
            self._left -= 1
            return False


def ingest_all(world: World, files: list[Any]) -> float:
    """Deliver files at once, as many invocations do; returns the seconds until the last one ended."""
    deadline = time.monotonic() + 60

    def ingest(event: Any) -> None:
        delivery = Delivery(
            object_version(event["Records"][0]),
            config=IngestConfig.from_environment(),
            function="none",
            seconds_left=lambda: deadline - time.monotonic(),
            tuning=world.tuning,
        )
        ingest_file(delivery)

    begun = time.monotonic()
    with ThreadPoolExecutor(len(files)) as invocations:
        list(invocations.map(ingest, files))
    return time.monotonic() - begun


def burst(world: World, name: str) -> list[Any]:
    return [
        world.upload(f"{name}{file}.csv", "id,name\n" + "".join(f"{row},{name}{file}\n" for row in range(ROWS)))
        for file in range(FILES)
    ]


def test_a_burst_is_stored_once_with_few_requests(world: World) -> None:
    demand = FILES * ROWS / ingest_all(world, burst(world, "free"))
    requests: list[int] = []
    world.dynamodb.meta.events.register(
        "provide-client-params.dynamodb.BatchExecuteStatement",
        lambda params, **_: requests.append(len(params["Statements"])),
    )
    throttle_statements(world.dynamodb, "ThrottlingError", Capacity(demand / 10).is_used_up)
    seconds = ingest_all(world, burst(world, "pressed"))
    rows, files = world.tables()
    assert len(rows) == 2 * FILES * ROWS
    records = [item for item in files.values() if "status" in item]
    assert {record["status"]["S"] for record in records} == {"COMPLETE"}
    assert {record["rows_stored"]["N"] for record in records} == {str(ROWS)}
    assert seconds > 4 * FILES * ROWS / demand, "there was no pressure"
    assert len(requests) <= REQUESTS_A_ROW * FILES * ROWS, f"{len(requests) / FILES / ROWS:.2f} requests a row"
