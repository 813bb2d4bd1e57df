"""The report in a real browser: what can be seen of it on a desk, on a phone, and on paper."""

import os
from collections.abc import Iterator

import pytest

from ops.reporting.page import page_of
from tests.package import browser
from tests.unit.report import a_week

KEY = "orders/" + "without-a-space" * 20 + "{}.csv"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Page]:
    """The report about many files with long names."""
    folder = tmp_path_factory.mktemp("browser")
    file = folder / "report.html"
    file.write_text(page_of(a_week(400, key=KEY, why="header: " + "column," * 90)), encoding="utf-8")
    try:
        with browser.opened(file, folder) as opened:
            yield opened
    except browser.NoBrowser as error:
        if os.environ.get("CI"):
            pytest.fail(f"The report was not tested in a browser: {error}")
        pytest.skip(f"The report was not tested in a browser: {error}")


def test_headings_and_files_can_be_seen(page: browser.Page) -> None:
    page.show(1280)
    text = page.evaluate("document.body.innerText")
    for said in (
        "Uploads of CsvIngest",
        "At a glance",
        "Files by outcome, per 6 hours",
        KEY.format(0),
        "Estimated costs",
    ):
        assert said in text
    assert page.evaluate("document.title") == "Uploads of CsvIngest"


def test_every_chart_is_drawn(page: browser.Page) -> None:
    page.show(1280)
    charts = "[...document.querySelectorAll('svg.chart')]"
    assert page.evaluate(f"{charts}.map(chart => chart.getBoundingClientRect().height > 200)") == [True] * 4
    shapes = "[...chart.querySelectorAll('.bars rect, .line')].some(shape => shape.getBBox().height > 20)"
    assert page.evaluate(f"{charts}.map(chart => {shapes})") == [True] * 4


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_never_scrolls_sideways(page: browser.Page, width: int) -> None:
    page.show(width)
    assert page.evaluate("innerWidth") == width
    assert page.evaluate("document.querySelector('.key').getBoundingClientRect().width") > 100
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = (
        "[...document.querySelectorAll('body *')].filter(each => each.getBoundingClientRect().right > innerWidth + 1)"
    )
    assert page.evaluate(f"{wide}.filter(each => !each.closest('.scroll')).map(each => each.outerHTML)") == []


@pytest.mark.parametrize(
    ("dark", "media", "paper"),
    [(False, "", "rgb(255, 255, 255)"), (True, "", "rgb(18, 22, 27)"), (True, "print", "rgb(255, 255, 255)")],
)
def test_the_page_is_dark_where_the_screen_is(page: browser.Page, *, dark: bool, media: str, paper: str) -> None:
    page.show(1280, dark=dark, media=media)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == paper


def test_the_browser_loads_nothing_else(page: browser.Page) -> None:
    urls = [
        event["params"]["request"]["url"] for event in page.events if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url.rpartition("/")[2] for url in urls] == ["report.html"]
    assert [event for event in page.events if event["method"] == "Log.entryAdded"] == []
