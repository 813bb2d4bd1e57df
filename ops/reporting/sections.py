"""The sections of the page but for the charts. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

from ops import display
from ops.reporting import costs as pricing
from ops.reporting import figures, reasons
from ops.reporting.facts import Fact, Material, Outcome, Sample
from ops.reporting.markup import Markup, bar, element, table
from ops.wording import counted

CENT = 0.01
SHOWN_GROUPS = 20
SHOWN_WAITING = 100

LONGEST_REASON = 300
"""Characters of a file's reason that are shown; `status KEY` shows all."""

OF_DURATIONS = (
    "Of a file that was backfilled, redriven or reloaded, the time includes all that was before."
    " S3 tells whole seconds of the upload."
)

OF_COSTS = (
    "An estimate from the counts of the settled files, with the list prices of us-east-1 in docs/costs.md: a write unit"
    " per row, or per KB of the file if those are more; one delivery per file and part, each with a cold start. Not in"
    " it: what is paid by the month (storage, alarms, the sweep), retries, updates of merged rows, databases, networks."
)


def section(heading: str, *content: object) -> Markup:
    return element("section", element("h2", heading), *content)


def seconds(number: float | None) -> str:
    """A duration for people, in the unit that suits it."""
    if number is None:
        return "not known"
    for unit, name, limit in ((1, "s", 120), (60, "min", 120), (3600, "h", 48)):
        if number < limit * unit:
            return f"{number / unit:,.1f} {name}"
    return f"{number / 86_400:,.1f} days"


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
    note = (
        "Of a file that was backfilled, redriven or reloaded, the time includes all that was before. "
        "S3 tells whole seconds of the upload."
    )
    return section(
        "From upload to complete", table("Durations by feed", heads, rows), element("p", note, class_="note")
    )


def _durations_of(name: str, facts: Sequence[Fact]) -> Sequence[object]:
    taken = figures.durations(facts)
    stored = sum(fact.stored for fact in facts)
    times = map(seconds, (taken.median, taken.p95, taken.longest))
    return [name, f"{taken.files:,}", f"{stored:,}", *times]


def waiting(found: Material) -> Markup:
    """What is under way, the longest first, and the failure queue."""
    queue = f"The failure queue holds {counted(found.failures, 'message')}."
    if not found.waiting:
        return section("What waits", element("p", f"No file is under way. {queue}"))
    longest_first = sorted(found.waiting, key=lambda fact: fact.at)
    rows = [
        [_named(fact), fact.feed, _when(fact), _age(found.until - fact.at)] for fact in longest_first[:SHOWN_WAITING]
    ]
    heads = ["file", "feed", "last delivered (UTC)", "#ago"]
    return section(
        "What waits",
        element("p", f"Under way: {counted(len(found.waiting), 'file')}, of any age. {queue}"),
        table("Files under way", heads, rows, class_="files waiting"),
        _left_out(len(found.waiting), SHOWN_WAITING, "file"),
    )


def _age(time: timedelta) -> str:
    return seconds(max(time.total_seconds(), 0.0))


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
    return Markup(made + _left_out(len(groups), SHOWN_GROUPS, head))


def costs(found: Material) -> Markup:
    """An estimate, and what it is of."""
    items = pricing.costs(found.settled, found.units_per_row)
    rows = [[cost.what, f"{cost.amount:,.0f} {cost.unit}", cost.price, f"{cost.dollars:,.4f}"] for cost in items]
    rows.append(["sum", "", "", f"{sum(cost.dollars for cost in items):,.4f}"])
    heads = ["what", "#how much", "price", "#US dollars"]
    return section("What it cost", table("Estimated costs", heads, rows), _note(OF_COSTS))


def files(facts: Sequence[Fact]) -> Markup:
    """A line for each of the files, those that are not well first."""
    shown = figures.worst_first(facts)[: figures.LISTED]
    rows = [
        [
            _named(fact),
            element("span", fact.outcome.value, class_=f"outcome {fact.outcome.name.lower()}"),
            _when(fact),
            "" if fact.seconds is None else seconds(fact.seconds),
            f"{fact.read:,}",
            f"{fact.stored:,}",
            f"{fact.rejected:,}",
        ]
        for fact in shown
    ]
    heads = ["file", "outcome", "since (UTC)", "#took", "#read", "#stored", "#rejected"]
    made = table("Files, those that are not well first", heads, rows, class_="files all")
    return section("The files", made, _left_out(len(facts), figures.LISTED, "file"))


def _named(fact: Fact) -> Markup:
    """The key, never cut, and why the file is as it is."""
    why = fact.why if len(fact.why) <= LONGEST_REASON else f"{fact.why[: LONGEST_REASON - 1]}…"
    said = [why, f"{fact.superseded:,} rows superseded" if fact.superseded else ""]
    if fact.is_acknowledged:
        said.append("acknowledged")
    lines = [element("small", each) for each in said if each]
    return Markup(element("span", fact.key, class_="key") + "".join(lines))


def _when(fact: Fact) -> Markup:
    return element("span", display.when(fact.at), class_="when")


def _left_out(number: int, shown: int, noun: str) -> Markup:
    if number <= shown:
        return Markup()
    return _note(f"{counted(number - shown, noun)} more: not listed here.")


def _note(text: str) -> Markup:
    return element("p", text, class_="note")
