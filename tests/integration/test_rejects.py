"""`rejects` gives back what the sender has to correct, and nothing that runs anywhere."""

import csv
from typing import Any

import pytest

from ops.pipeline import Pipeline
from tests.integration.commands import invoke, reported, run, shown_on_a_terminal
from tests.integration.world import MERGING, World

pytestmark = pytest.mark.usefixtures("commanded")

EVIL = '=HYPERLINK("http://x/")'


def test_the_rows_can_be_uploaded_again_after_correction(world: World, pipeline: Pipeline) -> None:
    content = 'id,name\n1,a\n,"two\r\nlines, é"\n3,b,too many\n'
    world.ingest("a.csv", content)
    done = invoke("rejects", "a.csv", "--csv", code=0)
    assert list(csv.reader(done.stdout_bytes.decode().splitlines(keepends=True), strict=True)) == [
        ["id", "name"],
        ["", "two\r\nlines, é"],
        ["3", "b", "too many"],
    ]
    assert done.stderr.splitlines() == ["line 3: no id", "line 5: 3 fields, expected 2"]
    corrected = done.stdout_bytes.replace(b"\r\n,", b"\r\n2,").replace(b",too many", b"")
    world.ingest("again.csv", corrected)
    assert world.file("again.csv")["rows_stored"] == 2
    assert set(world.rows()) == {"1", "2", "3"}
    assert pipeline.feeds[0].config.feed.format.encoding == "utf-8"


@pytest.mark.parametrize(("encoding", "delimiter"), [("cp1252", ";"), ("utf-16", "\t")])
def test_rows_are_in_the_encoding_that_is_read(world: World, pipeline: Pipeline, encoding: str, delimiter: str) -> None:
    world.deploy(pipeline, encoding=encoding, delimiter=delimiter)
    world.ingest("a.csv", f"id{delimiter}name\n{delimiter}é\n".encode(encoding))
    done = invoke("rejects", "a.csv", "--csv", code=0)
    assert done.stdout_bytes.decode(encoding) == f"id{delimiter}name\r\n{delimiter}é\r\n"


def test_characters_outside_the_encoding_are_an_error(world: World, pipeline: Pipeline) -> None:
    world.ingest("a.csv", "id,name\n,日本\n")
    world.deploy(pipeline, encoding="cp1252")
    assert "a character that is not in cp1252" in invoke("rejects", "a.csv", "--csv", code=1).stderr


def test_formulas_are_neutralised_for_a_spreadsheet_only(world: World) -> None:
    cells = [EVIL, "+1", "-1", "@x", "\tx", "\rx", " =1", "a;=1", "x=1"]
    text = ",".join('"{}"'.format(cell.replace('"', '""')) for cell in cells)
    world.ingest("a.csv", f"id,{','.join('abcdefghi')}\n,{text}\n")

    def row(*options: str) -> tuple[str, list[str]]:
        written = invoke("rejects", "a.csv", "--csv", *options, code=0).stdout_bytes.decode()
        return written, list(csv.reader(written.splitlines(keepends=True)))[-1][1:]

    assert row()[1] == cells
    written, neutral = row("--spreadsheet")
    assert neutral == [f"'{cell}" for cell in cells[:7]] + cells[7:]
    assert '"a;=1"' in written


def test_cells_cannot_steer_the_terminal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.ingest("a.csv", 'id,name\n,"\x1b]0;x\x07\n\u202e"\n')
    shown = shown_on_a_terminal(monkeypatch, "rejects", "a.csv", "--csv")
    assert shown.split() == ["id,name", r",\u001b]0;x\u0007\u000a\u202e"]


def test_bytes_for_a_program_are_exact(world: World) -> None:
    world.ingest("a.csv", 'id,name\n,"\x1b]0;x\x07\n\u202e"\n')
    done = invoke("rejects", "a.csv", "--csv", code=0)
    assert done.stdout_bytes == 'id,name\r\n,"\x1b]0;x\x07\n\u202e"\r\n'.encode()


def test_lines_and_reasons_are_listed_without_rows(world: World) -> None:
    world.ingest("a.csv", "id\n1\n")
    assert run("rejects", "a.csv", code=0) == "No row of a.csv was rejected.\n"
    world.ingest("b.csv", "id,name\n,x\n")
    assert run("rejects", "b.csv", code=0) == "line 2: no id\n"
    assert reported("rejects", "b.csv", code=0) == [{"line": 2, "reason": "no id"}]


@MERGING
def test_a_correction_must_not_replace_newer_rows(world: World) -> None:
    world.ingest("a.csv", "id,name\n,x\n")
    for options in ([], ["--csv"]):
        assert "leave out rows whose id a newer file has" in invoke("rejects", "a.csv", *options, code=0).stderr


def test_rejects_of_a_rejected_file_are_its_reason(world: World) -> None:
    world.ingest("a.csv", "\0")
    done = invoke("rejects", "a.csv", "--csv", code=1)
    assert "a.csv: no row of it was stored: line 1 has a NUL byte" in done.stderr


@pytest.mark.parametrize("options", [["--csv", "--json"], ["--spreadsheet"]])
def test_options_that_exclude_each_other_are_refused(options: list[str]) -> None:
    run("rejects", "a.csv", *options, code=2)


WRITTEN: list[tuple[dict[str, Any], str]] = [
    ({"header": 3, "footer_records": 2}, "x\n\nid,name\n,a\n1,b\n,c\nsum\nend\n"),
    ({"header": "none", "header_names": ["id", "name"]}, ",a\n1,b\n,c\n"),
    ({"header": "search", "quote": "'"}, "x\nid,name\n,'a,''\n'\n1,b\n,c\n"),
    ({"quote": "none", "delimiter": "tab"}, 'id\tname\n\t"a\n1\tb\n\tc"\n'),
    ({"escape": "\\", "trim": True}, 'id,name\n,a\\,\\"\\\n\n1,b\n,"c\\\\"\n'),
    ({"encoding": "utf-16-be"}, "id,name\n,ä\n1,b\n,c\n"),
]


@pytest.mark.parametrize(("settings", "content"), WRITTEN)
def test_what_is_sent_back_is_read_the_same_way(
    world: World, pipeline: Pipeline, settings: dict[str, Any], content: str
) -> None:
    world.deploy(pipeline, **settings)
    world.ingest("a.csv", content.encode(settings.get("encoding", "utf-8")))
    sent = invoke("rejects", "a.csv", "--csv", code=0).stdout_bytes
    world.ingest("again.csv", sent)
    assert world.file("again.csv")["rows_rejected"] == world.file("a.csv")["rows_rejected"] == 2
    assert invoke("rejects", "again.csv", "--csv", code=0).stdout_bytes == sent
