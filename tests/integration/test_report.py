"""`report` writes a page about what the ledger has."""

import re
from pathlib import Path

import pytest

from ops.pipeline import Pipeline
from tests.integration.commands import fail, invoke, run
from tests.integration.test_history import begin
from tests.integration.world import World

pytestmark = pytest.mark.usefixtures("commanded")


def report(folder: Path, *arguments: str) -> str:
    """The page that the command writes, as text without its elements."""
    file = folder / "report.html"
    assert run("report", "--html", str(file), *arguments, code=0) == f"The report: {file}\n"
    return text_of(file.read_text())


def text_of(page: str) -> str:
    body = re.sub("<[^>]*>", " ", page.partition("<body>")[2])
    return " ".join(body.split())


def test_a_page_tells_what_became_of_the_uploads(world: World, tmp_path: Path) -> None:
    world.declare({"price": "decimal"})
    world.ingest("good.csv", "id,price\n1,2.5\n2,3.5\n")
    world.ingest("rows.csv", "id,price\n3,secret\n4,another\n5,6\n,7\n")
    world.ingest("bad.csv", "\0")
    event = world.upload("failed.csv", "id\n1\n")
    fail(world, event)
    begin(world, "begun.csv")
    shown = report(tmp_path)
    for figure in ("4 files", "1 complete", "1 complete, with rejected rows", "1 rejected", "1 under way"):
        number, _, name = figure.partition(" ")
        assert f"{name} {number}" in shown
    assert "rows stored 3" in shown
    assert "rows rejected 3" in shown
    assert "not a decimal 2 67%" in shown
    assert "no id 1 33%" in shown
    assert "price 2 67%" in shown
    assert "line N has a NUL byte" in shown
    assert "begun.csv out of time at byte 0 of the file default 20" in shown
    assert "The failure queue holds 2 messages." in shown
    assert "secret" not in shown
    assert re.search(r"rows.csv complete, with rejected rows [\d-]+ [\d:]+ [\d.]+ \w+ 4 1 3 ", shown)


def test_old_uploads_are_left_out_unless_they_wait(world: World, tmp_path: Path) -> None:
    world.ingest("old.csv", "id\n1\n")
    world.ingest("new.csv", "id\n2\n")
    begin(world, "waits.csv")
    for key in ("old.csv", "waits.csv"):
        world.change_record(key, status_at="2026-01-01T00:00:00.000+00:00")
    shown = report(tmp_path, "--since", "1h")
    assert "old.csv" not in shown
    assert "new.csv" in shown
    assert "waits.csv" in shown


def test_a_report_can_be_about_one_feed(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add_feed("stock", "stock/")
    world.ingest("orders/a.csv", "id\n1\n")
    world.ingest("stock/a.csv", "id\n1\n")
    pipeline = world.pipeline()
    monkeypatch.setattr(Pipeline, "find", lambda _stack: pipeline)
    assert "all feeds" in report(tmp_path)
    shown = report(tmp_path, "--feed", "stock")
    assert "stock/a.csv" in shown
    assert "orders/a.csv" not in shown


def test_what_is_taken_back_is_under_way(world: World, pipeline: Pipeline, tmp_path: Path) -> None:
    world.ingest("a.csv", "id\n1\n")
    pipeline.files.erasures.mark("a.csv", world.file("a.csv")["entry"], "forget")
    shown = report(tmp_path)
    assert "under way 1" in shown
    assert "a.csv forget has begun, and deletes its rows under way" in shown


def test_only_some_rejected_rows_of_a_file_are_read(world: World, tmp_path: Path) -> None:
    world.ingest("a.csv", "id,name\n" + ",x\n" * 250)
    assert "The tables are about 200 of 250 rejected rows" in report(tmp_path)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "none" / "report.html"
    assert f"{file}: No such file or directory" in invoke("report", "--html", str(file), code=1).stderr
