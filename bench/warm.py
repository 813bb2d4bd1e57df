"""`python -m bench.warm`: how long a file of a million rows takes, by how many writes a second its table takes.

Simulated: deliveries that wait for their processor's share, for DynamoDB's answers and for the table. CPU times are
those of docs/benchmarks.md and docs/costs.md; those of AWS are assumed, and named here.
"""

import heapq

import click

from ops.reporting.costs import CPU_PER_ROW, CPU_PER_START, PROCESSOR_SHARE

ROWS, PART_ROWS, ROW_BYTES = 1_000_000, 5_000, 130
CONCURRENCY = 50
CPU_PLAN_BYTE = 1 / 363e6
"""Seconds of a whole processor, to plan a byte."""
ANSWER, INVOKE, BATCH, IN_FLIGHT, REQUESTS_OF_PART = 0.008, 0.025, 25, 4, 8
"""Assumed: seconds until DynamoDB and Lambda answer. As deployed: rows of a request, requests at a time, and those of a
part beside its rows."""


def seconds(writes_a_second: float) -> float:
    """Until the last row of the file is stored."""
    planned = CPU_PER_START / PROCESSOR_SHARE + ROWS * ROW_BYTES * CPU_PLAN_BYTE / PROCESSOR_SHARE
    of_request = max(BATCH * CPU_PER_ROW / PROCESSOR_SHARE, ANSWER / IN_FLIGHT)
    alone = of_request / BATCH * PART_ROWS + REQUESTS_OF_PART * ANSWER
    free = [0.0] * CONCURRENCY  # when each environment is free; the first of its deliveries starts cold
    ends = table_free = 0.0
    for number in range(ROWS // PART_ROWS):
        dispatched = planned + number * INVOKE
        at = heapq.heappop(free)
        start = max(dispatched, at) + (0 if at else CPU_PER_START / PROCESSOR_SHARE)
        # The table takes the rows of all parts one after the other, at its speed.
        table_free = max(table_free, start) + PART_ROWS / writes_a_second
        end = max(start + alone, table_free)
        heapq.heappush(free, end)
        ends = max(ends, end)
    return ends


@click.command(epilog="Example: python -m bench.warm")
def main() -> None:
    """Print how long a file of a million rows takes, as a table for docs/costs.md."""
    click.echo("| writes a second | seconds |\n|---|---|")
    for writes in (4_000, 10_000, 40_000):
        click.echo(f"| {writes:,} | {seconds(writes):.0f} |")


if __name__ == "__main__":
    main()
