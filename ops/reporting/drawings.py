"""The charts of the page, each with its legend, its numbers as a table, and a text for who cannot see it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape

from . import charts, figures
from .facts import Fact, Outcome
from .figures import DAY, HOUR, Steps
from .markup import Markup, element, table
from .parts import seconds, section

OUTCOMES = [Outcome.COMPLETE, Outcome.WITH_REJECTS, Outcome.UNDER_WAY, Outcome.REJECTED]
"""From the bottom of a bar."""


def drawings(facts: Sequence[Fact], time: Steps) -> Markup:
    """What happened when. Nothing is drawn where nothing is known."""
    drawn = [draw(facts, time) for draw in (_outcomes, _stored, _durations, _rejected)]
    return section("Over time", element("div", *drawn, class_="charts"))


def _outcomes(facts: Sequence[Fact], time: Steps) -> Markup:
    found = figures.outcomes_over_time(facts, time)
    series = {outcome.value: found[outcome] for outcome in OUTCOMES}
    title = f"Files by outcome, per {_width(time)}"
    sums = ", ".join(f"{sum(values):,} {name}" for name, values in series.items())
    svg = charts.bars(series, _times(time), title=title, summary=f"In all: {sums}")
    return _figure(title, svg, series, time, "{:,.0f}", class_="outcomes")


def _stored(facts: Sequence[Fact], time: Steps) -> Markup:
    return _rows("stored", figures.rows_over_time(facts, time, lambda fact: fact.stored), time, class_="stored")


def _rejected(facts: Sequence[Fact], time: Steps) -> Markup:
    return _rows("rejected", figures.rows_over_time(facts, time, lambda fact: fact.rejected), time, class_="rejects")


def _rows(what: str, rows: Sequence[float], time: Steps, *, class_: str) -> Markup:
    of_steps = f", mean of {_width(time)}" if time.width > HOUR else ""
    title = f"Rows {what} per {'hour' if time.width >= HOUR else _width(time)}{of_steps}"
    highest = max(range(time.count), key=rows.__getitem__)
    summary = f"At most {rows[highest]:,.0f}, from {_label(time.begins[highest], time)}"
    svg = charts.bars({"rows": rows}, _times(time), title=title, summary=summary)
    return _figure(title, svg, {"rows": rows}, time, "{:,.0f}", class_=class_)


def _durations(facts: Sequence[Fact], time: Steps) -> Markup:
    found = figures.durations_over_time(facts, time)
    series = {
        "half within (p50)": [each.median for each in found],
        "95 % within (p95)": [each.p95 for each in found],
        "longest": [each.longest for each in found],
    }
    title = "Seconds from upload to complete (logarithmic scale)"
    of_all = figures.durations(facts)
    if not of_all.files:
        return Markup()
    summary = f"In all: half within {seconds(of_all.median)}, 95 % within {seconds(of_all.p95)}"
    shown = {name: [value and max(value, 0.01) for value in values] for name, values in series.items()}
    svg = charts.lines(shown, _times(time), title=title, summary=summary)
    return _figure(title, svg, series, time, "{:,.1f}", class_="durations")


def _figure(
    title: str,
    svg: str,
    series: Mapping[str, Sequence[float | None]],
    time: Steps,
    number: str,
    *,
    class_: str,
) -> Markup:
    legend = [
        element("li", element("span", class_=f"mark color-{position}"), name) for position, name in enumerate(series)
    ]
    labels = [_label(begin, time) for begin in time.begins]
    values = zip(*series.values(), strict=True)
    rows = [
        [label, *("" if value is None else number.format(value) for value in some)]
        for label, some in zip(labels, values, strict=True)
        if any(some)
    ]
    numbers = table(title, ["from (UTC)", *(f"#{name}" for name in series)], rows)
    return Markup(
        f'<figure class="{escape(class_)}"><figcaption>{element("h3", title)}'
        f"{element('ul', *legend, class_='legend') if len(legend) > 1 else ''}</figcaption>{svg}"
        f"<details><summary>The numbers</summary>{numbers}</details></figure>"
    )


def _width(time: Steps) -> str:
    """How long a step is, in words that follow "per"."""
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (figures.MINUTE, "minute")):
        if time.width >= unit:
            number = time.width // unit
            return name if number == 1 else f"{number} {name}s"
    raise AssertionError(time.width)


def _times(time: Steps) -> list[str]:
    """The labels of a chart: short, since the page says the year."""
    is_one_day = time.begins[0].date() == time.begins[-1].date()
    pattern = "%m-%d" if time.width >= DAY else "%H:%M" if is_one_day else "%m-%d %H:%M"
    return [begin.strftime(pattern) for begin in time.begins]


def _label(begin: datetime, time: Steps) -> str:
    return begin.strftime("%Y-%m-%d" if time.width >= DAY else "%Y-%m-%d %H:%M")
