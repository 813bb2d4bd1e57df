"""`check` says of a local file what the pipeline would do with it, and does nothing."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.postgresql import LocalPostgresql
from local.processes import free_port
from ops.pipeline import Pipeline
from tests.integration.commands import invoke, reported, run
from tests.integration.world import World, fresh_world

pytestmark = pytest.mark.usefixtures("commanded")

GOOD = "id,name\n1,a\n2,b\n"

BAD = 'id,name\n1,a\n,b\n2,c,d\n1,e\n1,a\n"3","x\ny"\n'


def written(folder: Path, content: str | bytes, name: str = "a.csv") -> str:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(file)


def test_a_good_file_has_exit_code_zero(tmp_path: Path) -> None:
    output = run("check", written(tmp_path, GOOD), code=0)
    assert output.splitlines() == [
        "header: id, name (line 1)",
        'line 2 would be stored: "1" {"id":"1","name":"a"}',
        'line 3 would be stored: "2" {"id":"2","name":"b"}',
        "2 rows, read in one piece: 2 stored, 0 rejected",
        "about 8 write units of DynamoDB, 0.000005 dollars in us-east-1, if the file is new",
    ]


SUMS = ("rows_read", "rows_stored", "rows_rejected")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (GOOD, 0),
        (GOOD.replace("\n", "\r\n"), 0),
        ("", 0),
        ("id\n", 0),
        (BAD, 1),
        ("id\n" + "x" * 3_000 + "\n", 1),
        ("\0", 1),
        ("name\n1\n", 1),
        ('id\n"1\n', 1),
        (b"id\n\xff", 1),
    ],
)
def test_the_pipeline_does_what_the_check_said(world: World, tmp_path: Path, content: str | bytes, code: int) -> None:
    checked = reported("check", written(tmp_path, content), code=code)
    assert world.tables() == ({}, {})
    world.ingest("a.csv", content)
    record = world.file("a.csv")
    assert (checked["status"], checked["reason"]) == (record["status"], record.get("reason", ""))
    if not checked["reason"]:
        assert [checked[name] for name in SUMS] == [record[name] for name in SUMS]
        assert [(each["line"], each["reason"]) for each in checked["rejects"]] == world.rejects("a.csv")


def test_rejected_rows_are_listed_with_their_lines(tmp_path: Path) -> None:
    content = "id,name\n" + ",x\n" * 30
    lines = run("check", written(tmp_path, content), code=1).splitlines()
    assert lines[:2] == ["header: id, name (line 1)", "line 2: no id"]
    assert lines[21:23] == ["and 10 more: --json lists all", "30 rows, read in one piece: 0 stored, 30 rejected"]
    assert len(reported("check", written(tmp_path, content), code=1)["rejects"]) == 30


def test_a_large_file_has_parts(tmp_path: Path) -> None:
    content = "id,name\n" + "".join(f"{n},{'x' * 2_000}\n" for n in range(4_000))
    checked = reported("check", written(tmp_path, content), code=0)
    assert checked["parts"] == 8
    assert checked["write_units"] == pytest.approx(4_000 * 3 + 8 * 9, abs=10)
    assert "in 8 parts" in run("check", written(tmp_path, content), code=0)


@pytest.mark.parametrize("world", ["indexed"], indirect=True)
def test_an_index_takes_a_write_unit_a_row(tmp_path: Path) -> None:
    checked = reported("check", written(tmp_path, "id,name\n1,a\n2,b\n,c\n"), code=1)
    assert checked["write_units"] == 2 * 2 + 6 + 1


def test_a_compressed_file_is_unpacked(tmp_path: Path) -> None:
    packed = gzip.compress(BAD.encode())
    checked = reported("check", written(tmp_path, packed, "a.csv.gz"), code=1)
    assert (checked["rows_read"], checked["rows_rejected"]) == (6, 3)
    broken = reported("check", written(tmp_path, packed[:-9], "b.csv.gz"), code=1)
    assert broken["reason"].startswith("not a whole gzip file")


def test_a_file_under_a_wrong_name_is_not_ingested(tmp_path: Path) -> None:
    done = invoke("check", written(tmp_path, GOOD, "a.txt"), code=1)
    assert "a.txt would not be ingested under this name: only *.csv, *.csv.gz is" in done.stderr


class TestFeeds:
    """The file is read with the settings of the feed."""

    @pytest.fixture(autouse=True)
    def _typed(self, pipeline: Pipeline, world: World) -> None:
        world.deploy(pipeline, columns={"price": "decimal required"}, delimiter=";", max_file_mb=1)

    def test_a_bad_value_is_named_without_it(self, tmp_path: Path) -> None:
        output = run("check", written(tmp_path, "id;price\n1;secret\n2;\n1;5.50\n1;5.5\n"), code=1)
        assert output.splitlines()[:5] == [
            "header: id, price (line 1)",
            'line 4 would be stored: "1" {"id":"1"} price=5.50',
            'line 5 would be stored: "1" {"id":"1"} price=5.5',
            "line 2: column price: not a decimal: write it as 1234.5",
            "line 3: column price: empty, but required",
        ]
        assert "4 rows, read in one piece: 2 stored, 2 rejected" in output

    def test_a_file_that_is_too_large_is_rejected(self, tmp_path: Path) -> None:
        output = run("check", written(tmp_path, "id;price\n" + "1;1\n" * 300_000), code=1)
        assert output.startswith("It would be REJECTED, and no row be stored: the file has 1,200,009 bytes")

    def test_a_missing_column_is_named(self, tmp_path: Path) -> None:
        assert "no column is named 'price'" in run("check", written(tmp_path, "id;cost\n1;1\n"), code=1)


class TestPostgresql:
    """The database says nothing of a file: no connection is made."""

    @pytest.fixture
    def world(self, postgresql: LocalPostgresql) -> Iterator[World]:
        with fresh_world() as made:
            made.add_postgresql_feed(postgresql, "vendors", "vendors/", id_column="nr", columns={"n": "integer"})
            yield made

    @pytest.fixture(autouse=True)
    def _nobody_answers(self, monkeypatch: pytest.MonkeyPatch, pipeline: Pipeline) -> None:  # noqa: ARG002 - it is made before
        monkeypatch.setenv("PGPORT", str(free_port()))

    def test_only_the_ledger_has_write_units(self, tmp_path: Path) -> None:
        output = run("check", written(tmp_path, "nr,n\n1,1\n2,2\n,3\n"), "--feed", "vendors", code=1)
        assert "about 7 write units of DynamoDB, 0.000004 dollars" in output

    def test_the_pipeline_does_what_the_check_said(self, world: World, tmp_path: Path) -> None:
        content = f"nr,n\n1,{2**63 - 1}\n2,{2**63}\n3,{-(2**63)}\n4,{-(2**63) - 1}\n{'x' * 2_048},1\n1,1\n"
        checked = reported("check", written(tmp_path, content), "--feed", "vendors", code=1)
        world.ingest("vendors/a.csv", content)
        rejects = [(each["line"], each["reason"]) for each in checked["rejects"]]
        assert rejects == world.rejects("vendors/a.csv")
        assert [line for line, _ in rejects] == [3, 5, 6, 7]
        assert rejects[0][1] == "column n: an integer of more than 64 bits: declare a decimal"
        assert [checked[name] for name in SUMS] == [world.file("vendors/a.csv")[name] for name in SUMS]
