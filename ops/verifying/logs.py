"""What Lambda itself reports of the deliveries of a run."""

import re
from statistics import median

import boto3

from .report import Skipped
from .trial import Trial


def reports(trial: Trial) -> str:
    """Cold starts, durations and memory, from the REPORT lines of the last minutes."""
    if trial.is_local:
        raise Skipped("MiniStack writes no REPORT lines")
    begun = int(trial.begun.timestamp() * 1_000)
    found = boto3.client("logs").get_paginator("filter_log_events")
    pages = found.paginate(
        logGroupName=trial.feed.log_group, startTime=begun, filterPattern='{ $.type = "platform.report" }'
    )
    lines = [event["message"] for page in pages for event in page["events"]]
    if not lines:
        raise Skipped("CloudWatch has no REPORT line so far")
    return summary(lines, trial.rows)


def summary(lines: list[str], rows: int) -> str:
    """Of REPORT lines, in text or in JSON, of deliveries that have read so many rows."""
    cold = _numbers(lines, r'(?:Init Duration: |"initDurationMs":\s*)([\d.]+)')
    durations = _numbers(lines, r'(?:\tDuration: |"durationMs":\s*)([\d.]+)')
    memory = _numbers(lines, r'(?:Max Memory Used: |"maxMemoryUsedMB":\s*)([\d.]+)')
    starts = f"cold starts: {len(cold)} of {median(cold):,.0f} ms" if cold else "no cold start"
    each_row = f"{sum(durations) * 1_000 / max(rows, 1):,.0f} us per row"
    return f"{len(lines)} deliveries, {each_row}, at most {max(memory, default=0):,.0f} MB, {starts}"


def _numbers(lines: list[str], pattern: str) -> list[float]:
    return [float(found[1]) for line in lines if (found := re.search(pattern, line))]
