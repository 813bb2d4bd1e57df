"""The sections of the page that show figures in tables. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

from ..wording import counted
from . import costs as pricing
from . import figures, reasons
from .facts import Fact, Material, Outcome, Sample
from .markup import Markup, bar, element, table
from .parts import left_out, note, seconds, section

CENT = 0.01
SHOWN_GROUPS = 20

OF_DURATIONS = (
    "Of a file that was backfilled, redriven or reloaded, the time includes all that was before."
    " S3 tells whole seconds of the upload."
)

OF_COSTS = (
    "An estimate from the counts of the settled files, with the list prices of us-east-1 in docs/costs.md: a write unit"
    " per row, or per KB of the file if those are more; one delivery per file and part, each with a cold start. Not in"
    " it: what is paid by the month (storage, alarms, the sweep), retries, updates of merged rows, databases, networks."
)


def summary(found: Material) -> Markup:
    """The figures that are read first."""
    outcomes = figures.outcomes(found.facts)
    dollars = sum(cost.dollars for cost in pricing.costs(found.settled, found.units_per_row))
    tiles = [
        (f"{len(found.facts):,}", "files"),
        *((f"{outcomes.get(outcome, 0):,}", outcome.value) for outcome in reversed(Outcome)),
        (f"{sum(fact.stored for fact in found.settled):,}", "rows stored"),
        (f"{sum(fact.rejected for fact in found.settled):,}", "rows rejected"),
        (seconds(figures.durations(found.settled).p95), "from upload to complete, for 95 % of the files"),
        (f"{found.failures:,}", "messages in the failure queue"),
        (f"${dollars:,.2f}" if dollars >= CENT else "under $0.01", "estimated cost"),
    ]
    said = "".join(element("div", element("dt", name), element("dd", value)) for value, name in tiles)
    return section("At a glance", element("dl", Markup(said), class_="tiles"))


def durations(facts: Sequence[Fact]) -> Markup:
    """How long it took from upload to complete, by feed."""
    rows = [_durations_of(name, some) for name, some in figures.by_feed(facts).items()]
    if len(rows) > 1:
        rows.append(_durations_of("all feeds", facts))
    heads = ["feed", "#files complete", "#rows stored", "#half within (p50)", "#95 % within (p95)", "#longest"]
    return section("From upload to complete", table("Durations by feed", heads, rows), note(OF_DURATIONS))


def _durations_of(name: str, facts: Sequence[Fact]) -> Sequence[object]:
    taken = figures.durations(facts)
    stored = sum(fact.stored for fact in facts)
    times = map(seconds, (taken.median, taken.p95, taken.longest))
    return [name, f"{taken.files:,}", f"{stored:,}", *times]


def rejects(found: Material) -> Markup:
    """Rejected rows by reason and by column, and rejected files by reason."""
    content: list[Markup] = []
    total = sum(fact.rejected for fact in found.settled)
    if sample := found.sample if total else None:
        content.append(element("p", _looked_at(sample, found.settled, total)))
        content.append(_groups("Rejected rows by reason", "reason", sample.reasons, sample.rows))
        if sample.columns:
            content.append(_groups("Rejected rows by column", "column", sample.columns, sample.rows))
    else:
        content.append(element("p", "No row was rejected."))
    files = Counter(reasons.without_numbers(fact.why) for fact in found.settled if fact.outcome is Outcome.REJECTED)
    if files:
        content.append(_groups("Rejected files by reason", "reason", files, files.total()))
    return section("What was rejected", *content)


def _looked_at(sample: Sample, facts: Sequence[Fact], total: int) -> str:
    """How many rejected rows the tables are about."""
    files = sum(fact.outcome is Outcome.WITH_REJECTS for fact in facts)
    if sample.rows == total:
        return f"{counted(total, 'row')} of {counted(files, 'file')}. N stands for a number."
    return (
        f"The tables are about {sample.rows:,} of {counted(total, 'rejected row')}: of the latest {sample.files:,} of"
        f" {counted(files, 'file')} with rejected rows, the first ones each. N stands for a number."
    )


def _groups(caption: str, head: str, groups: Mapping[str, int], total: int) -> Markup:
    most = Counter(groups).most_common(SHOWN_GROUPS)
    rows = [[name, f"{number:,}", Markup(f"{bar(number / total)}{number / total:.0%}")] for name, number in most]
    made = table(caption, [head, "#number", "share"], rows, class_="groups")
    return Markup(made + left_out(len(groups), SHOWN_GROUPS, head))


def costs(found: Material) -> Markup:
    """An estimate, and what it is of."""
    items = pricing.costs(found.settled, found.units_per_row)
    rows = [[cost.what, f"{cost.amount:,.0f} {cost.unit}", cost.price, f"{cost.dollars:,.4f}"] for cost in items]
    rows.append(["sum", "", "", f"{sum(cost.dollars for cost in items):,.4f}"])
    heads = ["what", "#how much", "price", "#US dollars"]
    return section("What it cost", table("Estimated costs", heads, rows), note(OF_COSTS))
