"""The examples of docs/reading.md and docs/merging.md run, on the engines, and say what the pages say."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from csv_ingest.destinations.postgresql_table import quoted
from local.postgresql import LocalPostgresql
from local.processes import PROJECT
from ops.pipeline import Pipeline
from tests.integration.invoking import Invocations, version_of
from tests.integration.telling import told_in
from tests.integration.world import World

READING, MERGING = ((PROJECT / "docs" / name).read_text() for name in ("reading.md", "merging.md"))
PAGES = f"{READING}\n{MERGING}"
FILE = "id,article,price\n1,Löffel,0.75\n2,Gabel,\n,nobody,1\n"
NEWER = "id,article,price\n2,Messer,9.90\n"


def examples(language: str, text: str = PAGES) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def deliver(world: World, key: str, content: str) -> str:
    """Ingest a file; returns its ETag."""
    return version_of(world.ingest(key, content)).etag


class TestPython:
    """All examples of both pages, one after the other, in one module."""

    @pytest.fixture
    def page(self, world: World) -> SimpleNamespace:
        """What the examples define."""
        world.declare({"price": "decimal as unit_price"})
        names: dict[str, Any] = {
            "ROWS_TABLE": world.rows_table,
            "FILES_TABLE": world.files_table,
            "BUCKET": world.bucket,
        }
        for example in examples("python"):
            exec(example, names)  # noqa: S102 - it is the documentation
        return SimpleNamespace(**names)

    def test_a_row_is_read_by_its_id(self, world: World, page: SimpleNamespace) -> None:
        etag = deliver(world, "a.csv", FILE)
        row = page.row_of(etag, "1")
        assert (row["line"], row["unit_price"]) == (Decimal(2), Decimal("0.75"))
        assert json.loads(row["data"]) == {"id": "1", "article": "Löffel"}
        assert "unit_price" not in page.row_of(etag, "2")
        assert page.row_of(etag, "3") is None

    def test_a_file_is_complete_when_the_ledger_says_so(
        self, world: World, page: SimpleNamespace, pipeline: Pipeline
    ) -> None:
        event = world.upload("a.csv", FILE)
        etag = page.etag_of("a.csv")
        assert etag == version_of(event).etag
        assert (page.record_of("a.csv", etag), page.is_complete("a.csv", etag)) == ({}, False)
        world.deliver(event)
        assert page.is_complete("a.csv", etag)
        record = page.record_of("a.csv", etag)
        pipeline.files.erasures.mark("a.csv", etag, "reload")
        assert not page.is_complete("a.csv", etag)
        assert (record["rows_stored"], record["rows_rejected"]) == (2, 1)

    @pytest.mark.parametrize("world", ["indexed"], indirect=True)
    def test_every_row_of_a_file_comes_by_line(self, world: World, page: SimpleNamespace) -> None:
        deliver(world, "a.csv", FILE)
        ids = [str(number * 7 % 251) for number in range(1, 251)]
        etag = deliver(world, "b.csv", "id,price\n" + "".join(f"{id_},1\n" for id_ in ids))
        found = list(page.rows_of(etag))
        assert [row["pk"] for row in found] == [f"{etag}#{id_}" for id_ in ids]
        assert len(found) == page.record_of("b.csv", etag)["rows_stored"]

    @pytest.mark.parametrize("world", ["indexed"], indirect=True)
    def test_a_consumer_gets_each_row_of_complete_files(
        self, world: World, page: SimpleNamespace, queue: Invocations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The page's handler, behind a real rule and a real queue. An event that comes twice is processed twice."""
        told = told_in(world, queue, monkeypatch)
        etag = deliver(world, "a.csv", FILE)
        deliver(world, "unreadable.csv", "\0")
        told.tell()
        processed: list[tuple[str, str]] = []
        page.handler.__globals__["process"] = lambda key, row: processed.append((key, row["pk"]))
        for message in 2 * told.messages():
            page.handler({"Records": [{"body": message}]}, None)
        assert processed == 2 * [("a.csv", f"{etag}#1"), ("a.csv", f"{etag}#2")]

    def test_the_newest_row_is_that_of_the_current_version(self, world: World, page: SimpleNamespace) -> None:
        deliver(world, "a.csv", FILE)
        assert "unit_price" not in page.newest_row("a.csv", "2")
        event = world.upload("a.csv", NEWER)
        with pytest.raises(LookupError, match=r"a\.csv is not complete"):
            page.newest_row("a.csv", "2")
        world.deliver(event)
        assert page.newest_row("a.csv", "2")["unit_price"] == Decimal("9.90")

    @pytest.mark.parametrize("world", ["merge"], indirect=True)
    def test_a_merged_row_is_found_by_its_id(self, world: World, page: SimpleNamespace) -> None:
        for content in (FILE, NEWER):
            deliver(world, "a.csv", content)
        found = page.current_row("2")
        assert (found["line"], found["unit_price"]) == (Decimal(2), Decimal("9.90"))
        assert datetime.fromisoformat(found["uploaded"][:24]) == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
        assert page.current_row("1")["uploaded"] < found["uploaded"]
        assert page.current_row("9") is None

    @pytest.mark.parametrize("world", ["merge"], indirect=True)
    def test_the_same_bytes_are_complete_by_version(self, world: World, page: SimpleNamespace) -> None:
        """Also if the later version is delivered first."""
        uploads = [world.upload("a.csv", FILE) for _ in range(3)]
        versions = [version_of(upload) for upload in uploads]
        etag = versions[0].etag
        for delivered in ([], [2], [2, 0], [2, 0, 1]):
            for index in delivered[-1:]:
                world.deliver(uploads[index])
            complete = [page.is_merged("a.csv", etag, version.version_id) for version in versions]
            assert complete == [index in delivered for index in range(3)]


@pytest.mark.parametrize("world", ["postgresql merge"], indirect=True)
def test_sql_has_the_merged_row_of_an_id(world: World, postgresql: LocalPostgresql) -> None:
    world.declare({"price": "decimal as unit_price"})
    [example] = examples("sql", MERGING)
    sql = re.sub(r"\bvendors\b", quoted(world.rows_table), example)
    for content in (FILE, NEWER):
        deliver(world, "a.csv", content)
    [[line, _, price, article, uploaded]] = postgresql.run(sql, id="2")
    assert (line, price, article) == (2, Decimal("9.90"), "Messer")
    assert uploaded.startswith("2026-01-01T00:00:01.000Z~")


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_sql_has_rows_files_and_the_newest(world: World, postgresql: LocalPostgresql) -> None:
    world.declare({"price": "decimal as unit_price"})
    world.create_files_tables()  # as an owner does, whose views are to have the new column
    files, complete, one, all_, newest = (
        re.sub(r"\bvendors(_\w+)?\b", rf"{world.rows_table}\1", sql) for sql in examples("sql", READING)
    )
    etag = deliver(world, "a.csv", FILE)
    deliver(world, "b.csv", NEWER)
    assert postgresql.run(one, etag=etag, id="1") == [[2, "1", Decimal("0.75"), "Löffel"]]
    assert [row[:3] for row in postgresql.run(all_, etag=etag)] == [[2, "1", Decimal("0.75")], [3, "2", None]]
    assert [as_psql_shows(postgresql.run(sql)) for sql in (files, complete, newest)] == shown()


def as_psql_shows(rows: list[list[Any]]) -> list[list[str]]:
    """The cells of rows, as psql shows them in UTC."""
    return [["" if cell is None else str(cell).replace("+00:00", "+00") for cell in row] for row in rows]


def shown() -> list[list[list[str]]]:
    """The cells of each answer that the page shows, without the names of its columns."""
    answers = re.findall(r"^```\n( .*?)^```$", READING, flags=re.DOTALL | re.MULTILINE)
    return [[[cell.strip() for cell in line.split("|")] for line in each.splitlines()[2:]] for each in answers]


def test_every_example_is_run() -> None:
    assert (len(examples("python")), len(examples("sql"))) == (8, 6)
    settings = 1
    assert PAGES.count("```") == 2 * (14 + len(shown()) + settings)
