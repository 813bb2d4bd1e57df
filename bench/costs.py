"""`python -m bench.costs`: the tables at the beginning of docs/costs.md, from prices, counts and times.

tests/integration/test_costs.py measures the counts; the times are those of docs/benchmarks.md, and of `bench.sweeping`.
"""

from typing import NamedTuple

import click

from bench import sweeping
from ops.reporting import costs

ROWS_PER_FILE, ROW_BYTES = 5_000, 130
ROW_KB, ROW_STORAGE, FILE_STORAGE = 0.4, 0.45, 0.023
"""KB of a row in the table, and dollars a month for a GB: with restore to any point in time; in the bucket."""

LISTING = 107e-6 + sweeping.LIST_SECONDS / 1_000
ASKING = 100e-6 + sweeping.BATCH_SECONDS / 100
"""Seconds of a version that the sweep lists, and asks about. `python -m bench.sweeping` measures the CPU time."""

EVENTS, QUEUE_REQUESTS = 1e-6, 0.40e-6
NOTIFIER_SHARE, NOTIFIER_GB, NOTIFIER_EVENT, NOTIFIER_LOOK = 0.145, 0.25, 14e-3, 3e-3
LOOKS, LOG_KB_PER_LOOK, READS_PER_EVENT = 21_900, 0.7, 3.5

ALARMS, METRICS, DASHBOARD = 20, 13, 3.00
ALARM, METRIC = 0.10, 0.30

PLACES = {0.0001: 4, 0.001: 3, 0.01: 2, 100: 0}
"""Decimal places of dollars, by the least amount that is shown so."""

AMOUNTS = 1_000, 1_000_000, 1_000_000_000


class Line(NamedTuple):
    """What one thing costs a month, in dollars, for each number of rows."""

    what: str
    how_much: str
    dollars: list[float]


def lines() -> list[Line]:
    """Of the table of what a month costs."""
    per_file = costs.ledger_units(ROWS_PER_FILE * ROW_BYTES, ROWS_PER_FILE)
    gb_second = costs.GB_SECONDS * costs.MEMORY_GB / costs.PROCESSOR_SHARE
    of_notifier = costs.GB_SECONDS * NOTIFIER_GB / NOTIFIER_SHARE
    event = EVENTS + costs.REQUESTS + READS_PER_EVENT * sweeping.READ_UNITS + NOTIFIER_EVENT * of_notifier
    look = costs.REQUESTS + QUEUE_REQUESTS + sweeping.READ_UNITS + NOTIFIER_LOOK * of_notifier
    look += LOG_KB_PER_LOOK / 1e6 * costs.LOG_GB
    cpu, start = costs.CPU_PER_ROW, costs.CPU_PER_START

    def each_row(dollars: float) -> list[float]:
        return [rows * dollars for rows in AMOUNTS]

    def each_file(dollars: float) -> list[float]:
        return each_row(dollars / ROWS_PER_FILE)

    _, sweep_gb = sweeping.NOW
    return [
        Line(
            "write units",
            f"1 per row of up to 1 KB, {per_file} per file, at {costs.WRITE_UNITS * 1e6:.3f} per million",
            each_row(costs.WRITE_UNITS * (1 + per_file / ROWS_PER_FILE)),
        ),
        Line(
            "function, time",
            f"{cpu * 1e6:.0f} us / {costs.PROCESSOR_SHARE} x {costs.MEMORY_GB} GB per row, "
            f"at {costs.GB_SECONDS:.7f} per GB-second",
            each_row(cpu * gb_second),
        ),
        Line(
            "function, cold starts",
            f"{start * 1e3:.0f} ms / {costs.PROCESSOR_SHARE} x {costs.MEMORY_GB} GB, at most 1 per file",
            each_file(start * gb_second),
        ),
        Line("function, requests", f"1 per file, at {costs.REQUESTS * 1e6:.2f} per million", each_file(costs.REQUESTS)),
        Line(
            "S3 requests",
            f"1 PUT, 1 GET per file, at {costs.PUT_REQUESTS * 1e6:.0f} and {costs.GET_REQUESTS * 1e6:.2f} per million",
            each_file(costs.PUT_REQUESTS + costs.GET_REQUESTS),
        ),
        Line(
            "storage of the rows",
            f"{ROW_KB} KB each, at {ROW_STORAGE} per GB",
            each_row(ROW_KB / 1e6 * ROW_STORAGE),
        ),
        Line("storage of the files", f"at {FILE_STORAGE} per GB", each_row(ROW_BYTES / 1e9 * FILE_STORAGE)),
        Line(
            "logs",
            f"{costs.LOG_KB_PER_DELIVERY} KB per delivery, at {costs.LOG_GB:.2f} per GB",
            each_file(costs.LOG_KB_PER_DELIVERY / 1e6 * costs.LOG_GB),
        ),
        Line(
            "sweep, requests",
            f"{sweeping.HOURS} runs; 1 LIST per 1,000 uploads, at {costs.PUT_REQUESTS * 1e6:.0f} per million; a read "
            f"unit, at {sweeping.READ_UNITS * 1e6:.3f} per million, for 10,000 uploads or a twentieth of them",
            [
                sweeping.HOURS * (max(1, files / 1_000) * costs.PUT_REQUESTS + _asked(files) * sweeping.READ_UNITS)
                for files in _files()
            ],
        ),
        Line(
            "sweep, time",
            f"{sweeping.HOURS} runs; {start * 1e3:.0f} ms, {LISTING * 1e6:.0f} us per upload, {ASKING * 1e6:.0f} us "
            f"per upload that is asked about, x {sweep_gb:.2f} GB",
            [
                sweeping.HOURS * (start + LISTING * files + ASKING * _asked(files)) * sweep_gb * costs.GB_SECONDS
                for files in _files()
            ],
        ),
        Line(
            "notifier, events",
            f"1 per file, at {EVENTS * 1e6:.2f} per million; 1 request, {READS_PER_EVENT} read units, "
            f"{NOTIFIER_EVENT * 1e3:.0f} ms / {NOTIFIER_SHARE} x {NOTIFIER_GB} GB",
            each_file(event),
        ),
        Line(
            "notifier, looks",
            f"{LOOKS:,} runs; 1 request, 1 SQS request, 1 read unit, {NOTIFIER_LOOK * 1e3:.0f} ms, and logs",
            [LOOKS * look] * len(AMOUNTS),
        ),
        Line(
            f"{ALARMS} alarms, {METRICS} metrics, for one feed",
            f"{ALARM:.2f} and {METRIC:.2f} each",
            [ALARMS * ALARM + METRICS * METRIC] * len(AMOUNTS),
        ),
        Line("1 dashboard", f"{DASHBOARD:.2f}", [DASHBOARD] * len(AMOUNTS)),
    ]


def month() -> str:
    """What a month costs, by the rows that are uploaded in it."""
    found = lines()
    sums = [sum(each) for each in zip(*(line.dollars for line in found), strict=True)]
    rows = [f"| {line.what} | {line.how_much} | {_texts(line.dollars)} |" for line in found]
    total = " | ".join(f"**{_text(each)}**" for each in sums)
    head = ["| | how much | 1,000 rows | 1 million | 1 billion |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows, f"| **sum** | | {total} |"])


def million() -> str:
    """What DynamoDB takes for a million rows in parts of 5,000, by whether their ids are there."""
    rows = 1_000_000
    refused = costs.REFUSED_OF_CORRECTED
    found = (("append, or merge with new ids", 1.0, 0.0, 1 / 25), ("merge, all ids there", 1 + refused, 1.0, 2 / 25))
    return "\n".join(
        [
            "| a million rows | write units | read units | requests | dollars |",
            "|---|---|---|---|---|",
            *(
                f"| {what} | {rows * writes:,.0f} | {rows * reads:,.0f} | {rows * requests:,.0f} "
                f"| {rows * (writes * costs.WRITE_UNITS + reads * sweeping.READ_UNITS):.3f} |"
                for what, writes, reads, requests in found
            ),
        ]
    )


def _files() -> list[float]:
    return [rows / ROWS_PER_FILE for rows in AMOUNTS]


def _asked(files: float) -> float:
    return min(files, max(10_000, files / 20))


def _texts(dollars: list[float]) -> str:
    return " | ".join(map(_text, dollars))


def _text(dollars: float) -> str:
    """With a digit that tells something; 0 below a hundredth of a cent."""
    places = {least: places for least, places in PLACES.items() if dollars >= least}
    return f"{dollars:,.{max(places.items())[1]}f}" if places else "0"


@click.command(epilog="Example: python -m bench.costs")
def main() -> None:
    """Print what uploads cost, as the first tables of docs/costs.md."""
    click.echo(f"{month()}\n\n{million()}")


if __name__ == "__main__":
    main()
