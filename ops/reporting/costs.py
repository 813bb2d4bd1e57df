"""What uploads have cost, estimated from their counts with the prices of docs/costs.md. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from csv_ingest.model import Tuning

from .facts import Fact

# `python -m bench.costs` calculates docs/costs.md with these; tests/integration/test_costs.py measures the units.
UNITS_PER_FILE, UNITS_PER_PART = 6, 9
REFUSED_OF_CORRECTED = 0.02
"""In a feed that merges, the largest share of a part's rows that are refused, before the others are read first."""
CPU_PER_ROW, CPU_PER_START = 112e-6, 356e-3  # seconds
PROCESSOR_SHARE, MEMORY_GB = 0.29, 0.5
LOG_KB_PER_DELIVERY = 1.8
WRITE_UNITS, GB_SECONDS, REQUESTS = 0.625e-6, 0.0000133, 0.20e-6  # US dollars each
PUT_REQUESTS, GET_REQUESTS, LOG_GB = 5e-6, 0.40e-6, 0.50

MAX_RECORDED_REJECTS = 10_000
"""Rejected rows of a file that the ledger has an item for."""


class Cost(NamedTuple):
    """One kind of cost."""

    what: str
    amount: float
    unit: str
    price: str
    dollars: float


def ledger_units(size: int, rows: int, parts: int = 0) -> int:
    """Write units of the ledger and its index for a file of so many bytes, rows and parts: 0 if it is not divided."""
    tuning = Tuning()
    of_rows = parts * UNITS_PER_PART or rows // tuning.checkpoint_rows
    return UNITS_PER_FILE + (size > tuning.begun_planned_bytes) + of_rows


def costs(facts: Iterable[Fact], units_per_row: Mapping[str, int]) -> list[Cost]:
    """What some files have cost once. Storage, alarms and the sweep, which cost by the month, are not in it."""
    rows = files = requests = read = 0
    of_files = 0
    for fact in facts:
        files += 1
        requests += 1 + fact.parts
        read += fact.read
        rows += units_per_row.get(fact.feed, 1) * max(fact.stored, fact.size // 1024 if fact.stored else 0)
        of_files += ledger_units(fact.size, fact.read, fact.parts)
        of_files += min(fact.rejected, MAX_RECORDED_REJECTS)
    gb_seconds = (read * CPU_PER_ROW + files * CPU_PER_START) / PROCESSOR_SHARE * MEMORY_GB
    s3 = files * (PUT_REQUESTS + GET_REQUESTS)
    logs = requests * LOG_KB_PER_DELIVERY / 1e6
    return [
        Cost("writing rows", rows, "write units", "0.625 per million", rows * WRITE_UNITS),
        Cost("the ledger", of_files, "write units", "0.625 per million", of_files * WRITE_UNITS),
        Cost("the function's time", gb_seconds, "GB-seconds", "0.0000133 each", gb_seconds * GB_SECONDS),
        Cost("the function's requests", requests, "requests", "0.20 per million", requests * REQUESTS),
        Cost("S3", files * 2, "requests", "5 (PUT) and 0.40 (GET) per million", s3),
        Cost("logs", logs * 1000, "MB", "0.50 per GB", logs * LOG_GB),
    ]
