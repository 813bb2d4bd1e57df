"""What the checks have found."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from csv_ingest import RELEASE


class Failed(Exception):
    """A check has found that something is not as it has to be. The message says what, and what to do."""


class Skipped(Exception):
    """A check cannot be made here. The message says why."""


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "FAILED"
    SKIPPED = "skipped"


class Result(NamedTuple):
    """One check."""

    check: str
    outcome: Outcome
    said: str
    """What was measured, what is wrong, or why it was skipped."""


@dataclass(frozen=True)
class Report:
    """All checks of a run, for a file that is kept."""

    stack: str
    feed: str
    _: KW_ONLY
    is_local: bool
    begun: datetime
    results: Sequence[Result]

    def count(self, outcome: Outcome) -> int:
        return sum(result.outcome is outcome for result in self.results)

    def to_json(self) -> Mapping[str, object]:
        return {
            "release": RELEASE,
            "stack": self.stack,
            "feed": self.feed,
            "where": "a local AWS" if self.is_local else "AWS",
            "begun": self.begun.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "good": not self.count(Outcome.FAILED),
            "checks": [result._asdict() for result in self.results],
        }
