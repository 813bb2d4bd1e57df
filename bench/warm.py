"""`python -m bench.warm`: how long a file of a million rows takes, by how many writes a second its table takes.

Simulated: deliveries that wait for their processor's share, for DynamoDB's answers and for the table. CPU times are
those of docs/benchmarks.md and docs/costs.md; those of AWS are assumed, and named here.
"""

import heapq

import click

ROWS, PART_ROWS, ROW_BYTES = 1_000_000, 5_000, 130
CONCURRENCY = 50
SHARE = 0.29
"""Of a processor, that a function with 512 MB has."""
CPU_ROW, CPU_START, CPU_PLAN_BYTE = 112e-6, 0.356, 1 / 363e6
"""Seconds of a whole processor: for a row, for a cold start with its first file, and to plan a byte."""
ANSWER, INVOKE, BATCH, IN_FLIGHT, REQUESTS_OF_PART = 0.008, 0.025, 25, 4, 8
"""Assumed: seconds until DynamoDB and Lambda answer. As deployed: rows of a request, requests at a time, and those of a
part beside its rows."""


def seconds(writes_a_second: float) -> float:
    """Until the last row of the file is stored."""
    planned = CPU_START / SHARE + ROWS * ROW_BYTES * CPU_PLAN_BYTE / SHARE
    alone = max(BATCH * CPU_ROW / SHARE, ANSWER / IN_FLIGHT) / BATCH * PART_ROWS + REQUESTS_OF_PART * ANSWER
    free = [0.0] * CONCURRENCY  # when each environment is free; the first of its deliveries starts cold
    ends = table_free = 0.0
    for number in range(ROWS // PART_ROWS):
        dispatched = planned + number * INVOKE
        at = heapq.heappop(free)
        start = max(dispatched, at) + (0 if at else CPU_START / SHARE)
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
