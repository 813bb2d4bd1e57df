"""What `verify` reads in the lines that Lambda writes about deliveries."""

import pytest

from ops.verifying.logs import summary

TEXT = [
    "REPORT RequestId: a\tDuration: 200.00 ms\tBilled Duration: 600 ms\tMemory Size: 512 MB\t"
    "Max Memory Used: 110 MB\tInit Duration: 399.50 ms\t\n",
    "REPORT RequestId: b\tDuration: 300.00 ms\tBilled Duration: 300 ms\tMax Memory Used: 120 MB\t\n",
]
JSON = [
    '{"type": "platform.report", "record": {"metrics": {"durationMs": 200.0, "maxMemoryUsedMB": 110, '
    '"initDurationMs": 399.5}}}',
    '{"type": "platform.report", "record": {"metrics": {"durationMs": 300.0, "maxMemoryUsedMB": 120}}}',
]
"""https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html"""


@pytest.mark.parametrize("lines", [TEXT, JSON])
def test_reports_are_summed_up(lines: list[str]) -> None:
    assert summary(lines, 1_000) == "2 deliveries, 500 us per row, at most 120 MB, cold starts: 1 of 400 ms"


def test_no_cold_start_is_said() -> None:
    assert summary(TEXT[1:], 0).endswith("no cold start")
