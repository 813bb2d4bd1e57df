"""The figures of a report. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .facts import Fact, Outcome

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

WIDTHS = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 28 * DAY]
"""How long a step of time can be; the steps of a longer time are multiples of the last one."""

MAX_STEPS = 36
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
"""A Monday: steps of weeks begin on Mondays."""

ORDER = {Outcome.REJECTED: 0, Outcome.WITH_REJECTS: 1, Outcome.UNDER_WAY: 2, Outcome.COMPLETE: 4}
ACKNOWLEDGED = 3

LISTED = 1_000
"""Files that have a line each."""


@dataclass(frozen=True)
class Steps:
    """A time in equal steps."""

    begin: datetime
    width: timedelta
    count: int

    @property
    def begins(self) -> list[datetime]:
        return [self.begin + number * self.width for number in range(self.count)]

    def number(self, time: datetime) -> int:
        """The step of a time; the nearest one of a time before or after them, since clocks differ."""
        return min(max((time - self.begin) // self.width, 0), self.count - 1)


@dataclass(frozen=True)
class Durations:
    """Seconds from upload to complete, of some files."""

    files: int = 0
    median: float | None = None
    p95: float | None = None
    longest: float | None = None


def steps(facts: Sequence[Fact], since: datetime, until: datetime) -> Steps:
    """Some 36 steps at most, from the first of the uploads to the end; an hour, if there are none."""
    first = max(min((fact.at for fact in facts), default=until - HOUR), since)
    width = next((each for each in WIDTHS if (until - first) / each <= MAX_STEPS - 1), None)
    if width is None:
        width = WIDTHS[-1] * -(-(until - first) // (WIDTHS[-1] * (MAX_STEPS - 1)))
    begin = EPOCH + (first - EPOCH) // width * width
    return Steps(begin, width, max((until - begin) // width + 1, 1))


def outcomes(facts: Iterable[Fact]) -> Mapping[Outcome, int]:
    return Counter(fact.outcome for fact in facts)


def outcomes_over_time(facts: Iterable[Fact], time: Steps) -> Mapping[Outcome, Sequence[int]]:
    """How many files of each outcome there are in each step."""
    found = {outcome: [0] * time.count for outcome in Outcome}
    for fact in facts:
        found[fact.outcome][time.number(fact.at)] += 1
    return found


def rows_over_time(facts: Iterable[Fact], time: Steps, rows_of: Callable[[Fact], int]) -> Sequence[float]:
    """How many rows there are per hour in each step, by when their file was settled; per step, if that is shorter."""
    found = [0.0] * time.count
    for fact in facts:
        found[time.number(fact.at)] += rows_of(fact)
    hours = max(time.width / HOUR, 1.0)
    return [rows / hours for rows in found]


def durations(facts: Iterable[Fact]) -> Durations:
    """Of the complete files whose times are known."""
    taken = sorted(
        fact.seconds
        for fact in facts
        if fact.seconds is not None and fact.outcome in (Outcome.COMPLETE, Outcome.WITH_REJECTS)
    )
    if not taken:
        return Durations()
    return Durations(len(taken), percentile(taken, 50), percentile(taken, 95), taken[-1])


def durations_over_time(facts: Iterable[Fact], time: Steps) -> Sequence[Durations]:
    """Of the files of each step."""
    found: list[list[Fact]] = [[] for _ in range(time.count)]
    for fact in facts:
        found[time.number(fact.at)].append(fact)
    return [durations(some) for some in found]


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The least of some numbers that so many percent of them do not exceed; they are sorted, and there is one."""
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]


def by_feed(facts: Iterable[Fact]) -> Mapping[str, Sequence[Fact]]:
    """The files of each feed, by its name."""
    found: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        found[fact.feed].append(fact)
    return dict(sorted(found.items()))


def worst_first(facts: Iterable[Fact]) -> list[Fact]:
    """The files that are not well first, then what is under way, what was acknowledged, and the others.

    Of the same kind, the latest first.
    """
    latest = sorted(facts, key=lambda fact: fact.at, reverse=True)
    return sorted(latest, key=lambda fact: ORDER[fact.outcome] if not fact.is_acknowledged else ACKNOWLEDGED)
