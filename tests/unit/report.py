"""Uploads that were never made, for the tests of the report."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.reporting.facts import Fact, Material, Outcome, Sample

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def a_fact(key: str = "a.csv", **about: Any) -> Fact:
    """A complete file of ten rows, an hour ago, unless it is said otherwise."""
    known = {"entry": key, "feed": "orders", "outcome": Outcome.COMPLETE, "at": NOW - timedelta(hours=1)}
    return Fact(**{"key": key, **known, "seconds": 1.0, "size": 1000, "read": 10, "stored": 10, **about})


def material(*settled: Fact, **about: Any) -> Material:
    """What a report of seven days is made of."""
    known: dict[str, Any] = {"waiting": [], "feeds": ["orders"], "units_per_row": {"orders": 1}}
    week = {"since": NOW - timedelta(days=7), "until": NOW}
    return Material(**{"stack": "CsvIngest", "settled": settled, **week, **known, **about})


def a_week(files: int, *, key: str = "orders/export-{}.csv", why: str = "") -> Material:
    """A report on many files, of every outcome."""
    outcomes = list(Outcome)
    facts = [
        a_fact(
            key.format(number),
            outcome=outcome,
            at=NOW - timedelta(days=7) * (number / files),
            seconds=None if outcome is Outcome.UNDER_WAY else 0.5 + number % 90,
            rejected=3 if outcome is Outcome.WITH_REJECTS else 0,
            why=why if outcome is not Outcome.COMPLETE else "",
        )
        for number in range(files)
        for outcome in [outcomes[number % len(outcomes)]]
    ]
    waiting = [fact for fact in facts if fact.outcome is Outcome.UNDER_WAY]
    sample = Sample(Counter({"not a decimal number": 2, "no id": 1}), Counter({"unit_price": 2}), rows=3, files=1)
    settled = [fact for fact in facts if fact.outcome is not Outcome.UNDER_WAY]
    return material(*settled, waiting=waiting, sample=sample, failures=2)
