"""The report: its figures, and the page that shows them."""

import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from ops.reporting import charts, figures, reasons
from ops.reporting.costs import costs
from ops.reporting.facts import Outcome
from ops.reporting.figures import DAY, HOUR, MINUTE
from ops.reporting.page import page_of
from tests.unit.report import NOW, a_fact, a_week, material


@pytest.mark.parametrize(
    ("reason", "what", "column"),
    [
        ("column price: not a decimal number: write it as 1234.5", "not a decimal number", "price"),
        ("column q4 2026: empty, but required", "empty, but required", "q4 2026"),
        ("column a: b: not a date: write it as 2026-11-28", "not a date", "a: b"),
        ("duplicate id: line 1,207 has it", "duplicate id: line N has it", ""),
        ("3 fields, expected 7", "N fields, expected N", ""),
        ("byte 91 (0xfc) on line 3 is not utf-8", "byte N (N) on line N is not utf-8", ""),
        ("no id", "no id", ""),
    ],
)  # fmt: skip
def test_reasons_are_grouped_without_their_numbers(reason: str, what: str, column: str) -> None:
    assert reasons.of_row(reason) == (what, column)


def test_a_long_reason_is_cut() -> None:
    assert len(reasons.without_numbers("header: " + "column, " * 100)) == reasons.LONGEST


@pytest.mark.parametrize(
    ("since", "width", "count"),
    [
        (timedelta(minutes=10), MINUTE, 11),
        (timedelta(hours=24), HOUR, 25),
        (timedelta(days=7), 6 * HOUR, 29),
        (timedelta(days=30), DAY, 31),
        (timedelta(days=3650), 112 * DAY, 34),
    ],
)
def test_a_time_is_divided_into_round_steps(since: timedelta, width: timedelta, count: int) -> None:
    steps = figures.steps([a_fact(at=NOW - since)], NOW - since, NOW)
    assert (steps.width, steps.count) == (width, count)
    assert steps.begin <= NOW - since < steps.begin + width
    assert steps.number(NOW) == count - 1


def test_each_file_is_in_one_step_by_its_outcome() -> None:
    facts = [a_fact(at=NOW - timedelta(hours=hours)) for hours in (0, 1, 1)]
    facts.append(a_fact(at=NOW - timedelta(hours=2), outcome=Outcome.REJECTED))
    facts.append(a_fact(at=NOW + timedelta(hours=9)))  # by a clock that is fast
    steps = figures.steps(facts, NOW - timedelta(hours=24), NOW)
    found = figures.outcomes_over_time(facts, steps)
    assert sum(map(sum, found.values())) == len(facts)
    assert found[Outcome.COMPLETE][-1] == 2
    assert found[Outcome.REJECTED][0] == 1


def test_rows_are_counted_per_hour() -> None:
    facts = [a_fact(at=NOW - timedelta(days=7), stored=600), a_fact(at=NOW, stored=60)]
    by_hours = figures.steps(facts, NOW - timedelta(days=7), NOW)
    rates = figures.rows_over_time(facts, by_hours, lambda fact: fact.stored)
    assert (by_hours.width, rates[0], rates[-1]) == (6 * HOUR, 100, 10)
    by_minutes = figures.steps(facts[1:], NOW, NOW)
    assert figures.rows_over_time(facts[1:], by_minutes, lambda fact: fact.stored) == [60]


def test_durations_are_those_of_complete_files() -> None:
    facts = [a_fact(seconds=float(number)) for number in range(1, 101)]
    facts += [a_fact(seconds=9_999.0, outcome=Outcome.REJECTED), a_fact(seconds=None)]
    found = figures.durations(facts)
    assert (found.files, found.median, found.p95, found.longest) == (100, 50, 95, 100)
    assert figures.durations([]).median is None
    assert figures.durations([a_fact(seconds=7.0)]).p95 == 7


def test_files_that_are_not_well_come_first() -> None:
    facts = [
        a_fact("complete", at=NOW),
        a_fact("acknowledged", outcome=Outcome.REJECTED, is_acknowledged=True),
        a_fact("under way", outcome=Outcome.UNDER_WAY),
        a_fact("older", outcome=Outcome.WITH_REJECTS, at=NOW - timedelta(days=2)),
        a_fact("newer", outcome=Outcome.WITH_REJECTS),
        a_fact("rejected", outcome=Outcome.REJECTED),
    ]
    ordered = [fact.key for fact in figures.worst_first(facts)]
    assert ordered == ["rejected", "newer", "older", "under way", "acknowledged", "complete"]


def test_costs_are_those_of_the_documentation() -> None:
    files = [a_fact(stored=5_000, read=5_000, size=650_000)] * 200
    by_what = {cost.what: cost for cost in costs(files, {"orders": 1})}
    assert by_what["writing rows"].dollars == pytest.approx(0.625)
    assert by_what["the function's time"].dollars == pytest.approx(0.003 + 0.002, abs=0.004)
    assert by_what["the ledger"].amount == 2_400
    assert sum(cost.dollars for cost in costs(files, {"orders": 2})) == pytest.approx(2 * 0.63, abs=0.02)


def test_rows_of_postgresql_cost_no_write_units() -> None:
    assert costs([a_fact()], {"orders": 0})[0].amount == 0


def test_large_rows_cost_more_write_units() -> None:
    assert costs([a_fact(stored=10, size=40 * 1024)], {"orders": 1})[0].amount == 40


@pytest.mark.parametrize(
    ("highest", "shown"), [(0, [0, 1]), (3, [0, 1, 2, 3]), (7, [0, 2, 4, 6, 8]), (101, [0, 50, 100, 150])]
)
def test_scales_have_round_numbers(highest: float, shown: list[float]) -> None:
    assert charts.ticks(highest) == shown


def test_a_page_loads_nothing_and_runs_nothing() -> None:
    page = page_of(a_week(300))
    for forbidden in ("http:", "https:", "//", "<script", "<link", "<img", "<iframe", "url(", "@import", "javascript"):
        assert forbidden not in page
    assert "default-src 'none'" in page


HOSTILE = "<script>alert(1)</script>\"'&\u202e\x1b[31m\x00.csv"


def test_keys_and_reasons_cannot_become_html() -> None:
    facts = [a_fact(HOSTILE, outcome=Outcome.REJECTED, why=HOSTILE, feed=HOSTILE)]
    page = page_of(material(*facts, stack=HOSTILE, feeds=[HOSTILE]))
    shown = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;\\u202e\\u001b[31m\\u0000.csv"
    assert f'<span class="key">{shown}</span>' in page
    assert "<script" not in page
    assert all(char.isprintable() or char == "\n" for char in page)


class Outline(HTMLParser):
    """The headings, the tables and the charts of a page; fails if an element is not closed in its place."""

    VOID = ("meta", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page_can_be_read_without_seeing_it() -> None:
    page = page_of(a_week(40))
    outline = Outline(page)
    tags = [tag for tag, _ in outline.found]
    assert ("html", {"lang": "en"}) in outline.found
    assert tags.count("title") == tags.count("h1") == 1
    assert tags.count("table") == tags.count("caption") > 5
    scopes = {attributes.get("scope") for tag, attributes in outline.found if tag == "th"}
    assert scopes == {"col", "row"}
    labels = [attributes["aria-label"] for tag, attributes in outline.found if tag == "svg"]
    assert labels[0] == (
        "Files by outcome, per 6 hours. In all: 10 complete, 10 complete, with rejected rows, 10 under way, 10 rejected"
    )
    assert len(labels) == 4


def test_a_page_of_nothing_says_so() -> None:
    page = page_of(material())
    Outline(page)
    for said in ("No file is under way. The failure queue holds 0 messages.", "No row was rejected."):
        assert said in page
    assert "<svg" not in page


def test_what_waits_from_before_is_listed_and_not_drawn() -> None:
    waiting = a_fact("old.csv", outcome=Outcome.UNDER_WAY, at=NOW - timedelta(days=30))
    page = page_of(material(a_fact(), waiting=[waiting]))
    assert page.count('<span class="key">old.csv</span>') == 2
    assert "30.0 days" in page
    assert "In all: 1 complete, 0 complete, with rejected rows, 0 under way, 0 rejected" in page


def test_what_is_left_out_is_said() -> None:
    page = page_of(a_week(5_000))
    assert "4,000 files more: not listed here." in page
    assert "1,150 files more: not listed here." in page
    assert "The tables are about 3 of 3,750 rejected rows: of the latest 1 of 1,250 files" in page
    assert len(re.findall(r'class="outcome ', page)) == figures.LISTED


def test_a_page_stays_below_two_megabytes() -> None:
    longest_key = "orders/{}/" + "é" * 500  # S3 takes 1,024 bytes
    page = page_of(a_week(5_000, key=longest_key, why="header: " + "x" * 9_000))
    assert len(page.encode()) < 2_000_000
