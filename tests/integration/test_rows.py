"""`rows` prints what the destination has of an upload, whatever the file says, and tells what is missing."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from csv_ingest.dynamodb import DynamoDbTable, Item
from ops.pipeline import Pipeline
from tests.integration.commands import invoke, reported, run
from tests.integration.invoking import version_of
from tests.integration.world import BOTH_DESTINATIONS, World

pytestmark = pytest.mark.usefixtures("commanded")

EVERYWHERE = pytest.mark.parametrize("world", ["dynamodb", "indexed", "postgresql"], indirect=True)
"""A test that runs without an index, with the index, and with PostgreSQL."""

FILE = 'id,name,price\nb,Ann,5.50\n#1,"two\nlines",7\na,é,\nb,other,1\n,x,1\na,é,\n'
COLUMNS = {"price": "decimal"}


@pytest.fixture
def stored(world: World, pipeline: Pipeline) -> str:
    """A file with three rows in the table, a duplicate, a row without an id, and a row that is there twice."""
    world.declare(COLUMNS)
    world.deploy(pipeline)
    event = world.ingest("a.csv", FILE)
    assert (world.file("a.csv")["rows_stored"], len(world.rows())) == (4, 3)
    return version_of(event).etag


def lines_of(output: str) -> list[str]:
    return [line.partition(":")[0] for line in output.splitlines()]


@EVERYWHERE
@pytest.mark.usefixtures("stored")
def test_rows_are_printed_by_line_with_their_columns() -> None:
    done = invoke("rows", "a.csv", code=0)
    assert [line.replace("5.50", "5.5") for line in done.stdout.splitlines()] == [
        'line 2: "b" {"id":"b","name":"Ann"} price=5.5',
        r'line 3: "#1" {"id":"#1","name":"two\nlines"} price=7',
        'line 5: "a" {"id":"a","name":"é"}',
    ]
    assert done.stderr == "3 rows, 0 missing. The ledger: 6 read, 4 stored, 2 rejected\n"


@EVERYWHERE
@pytest.mark.usefixtures("stored")
def test_json_has_numbers_as_texts_and_data_as_object() -> None:
    first, second, third = reported("rows", "a.csv", code=0)
    assert first == {"line": 2, "id": "b", "data": {"id": "b", "name": "Ann"}, "columns": first["columns"]}
    assert float(first["columns"].pop("price")) == 5.5
    assert second["columns"] == {"price": "7"}
    assert third["columns"] == {}


@EVERYWHERE
def test_the_table_is_shown_and_not_the_file(world: World, stored: str) -> None:
    rows = world.default_rows
    rows.put(rows.items()[f"{stored}#b"] | {"data": {"S": '{"id":"b","name":"changed"}'}})
    assert '"name":"changed"' in run("rows", "a.csv", code=0)


@EVERYWHERE
def test_missing_rows_are_named_with_exit_code_one(world: World, stored: str) -> None:
    world.default_rows.delete(f"{stored}##1")
    world.default_rows.delete(f"{stored}#a")
    done = invoke("rows", "a.csv", code=1)
    assert [line for line in done.stdout.splitlines() if "missing" in line] == [
        'line 3: "#1" is missing: not in the table',
        'line 5: "a" is missing: not in the table',
    ]
    assert done.stderr.splitlines() == [
        "1 row, 2 missing. The ledger: 6 read, 4 stored, 2 rejected",
        "To write what is missing: csv-ingest audit --repair --prefix a.csv",
    ]
    [missing] = [each for each in reported("rows", "a.csv", code=1) if each["line"] == 5]
    assert missing == {"line": 5, "id": "a", "missing": "not in the table"}


@EVERYWHERE
@pytest.mark.usefixtures("stored")
def test_a_limit_reads_no_more_rows() -> None:
    done = invoke("rows", "a.csv", "--limit", "2", code=0)
    assert lines_of(done.stdout) == ["line 2", "line 3"]
    assert done.stderr.startswith("the first 2 rows, 0 missing. ")
    assert invoke("rows", "a.csv", "--limit", "3", code=0).stderr.startswith("3 rows, 0 missing. ")


@pytest.mark.parametrize("world", ["dynamodb", "indexed"], indirect=True)
def test_an_item_that_is_no_row_is_missing(world: World, stored: str) -> None:
    world.default_rows.put({"pk": {"S": f"{stored}#a"}})
    done = invoke("rows", "a.csv", code=1)
    assert 'line 5: "a" is missing: what is under its key is no row' in done.stdout


@EVERYWHERE
def test_the_latest_upload_of_a_key_is_shown(world: World, stored: str) -> None:
    world.ingest("a.csv", "id,name,price\nz,new,1\n")
    assert lines_of(run("rows", "a.csv", code=0)) == ["line 2"]
    assert f"{stored}#b" in world.default_rows.items()
    again = world.upload("a.csv", FILE)
    done = invoke("rows", "a.csv", code=0)
    assert lines_of(done.stdout) == ["line 2", "line 3", "line 5"]
    assert "newer version" not in done.stderr
    world.deliver(again)
    assert lines_of(run("rows", "a.csv", code=0)) == ["line 2", "line 3", "line 5"]


@pytest.mark.usefixtures("stored")
def test_a_version_without_a_delivery_is_told(world: World) -> None:
    world.upload("a.csv", "id,name,price\nz,new,1\n")
    for command in ("rows", "rejects"):
        done = invoke(command, "a.csv", code=0)
        assert "a.csv has a newer version, of which no delivery has come so far." in done.stderr
        assert done.stdout.startswith("line ")


@BOTH_DESTINATIONS
@pytest.mark.usefixtures("stored")
def test_two_keys_with_the_same_bytes_share_rows(world: World) -> None:
    world.ingest("b.csv", FILE)
    assert run("rows", "b.csv", code=0) == run("rows", "a.csv", code=0)


class TestWithoutTheObject:
    """What can be said when the version was deleted from the bucket."""

    @pytest.fixture(autouse=True)
    def _deleted(self, world: World, stored: str) -> None:
        version = world.file("a.csv")["version_id"]
        assert stored
        world.s3.delete_object(Bucket=world.bucket, Key="a.csv", VersionId=version)

    def test_an_index_is_needed(self) -> None:
        done = invoke("rows", "a.csv", code=1)
        assert "of a.csv is not in the bucket any more: its ids are read there" in done.stderr
        assert "set file_index=true" in done.stderr
        assert reported("rows", "a.csv", code=1) == []

    @pytest.mark.parametrize("world", ["indexed", "postgresql"], indirect=True)
    def test_rows_are_found_by_their_etag(self) -> None:
        """The file has a row on two lines, which the ledger counts twice: nobody can tell that from a missing row."""
        done = invoke("rows", "a.csv", code=1)
        assert lines_of(done.stdout) == ["line 2", "line 3", "line 5"]
        assert "the table has 3 rows, the ledger counts 4, and only the file could tell" in done.stderr
        assert len(reported("rows", "a.csv", code=1)) == 3

    @pytest.mark.parametrize("world", ["indexed", "postgresql"], indirect=True)
    def test_no_file_is_needed_when_all_rows_are_there(self, world: World) -> None:
        world.ingest("c.csv", "id,price\n1,1\n2,2\n")
        world.s3.delete_object(Bucket=world.bucket, Key="c.csv", VersionId=world.file("c.csv")["version_id"])
        assert lines_of(run("rows", "c.csv", code=0)) == ["line 2", "line 3"]


@EVERYWHERE
def test_an_upload_in_progress_is_not_well(world: World) -> None:
    world.ingest("a.csv", "id,name\n1,a\n2,b\n")
    world.change_record("a.csv", status="PROCESSING")
    [pk, _] = sorted(world.default_rows.items())
    world.default_rows.delete(pk)
    done = invoke("rows", "a.csv", code=1)
    assert lines_of(done.stdout) == ["line 3"]
    assert "1 row, 0 missing so far: the upload is not complete" in done.stderr


@EVERYWHERE
def test_an_upload_that_is_taken_back_is_not_well(world: World, pipeline: Pipeline, stored: str) -> None:
    pipeline.files.erasures.mark("a.csv", stored, "reload")
    world.default_rows.delete(f"{stored}#a")
    done = invoke("rows", "a.csv", code=1)
    assert lines_of(done.stdout) == ["line 2", "line 3"]
    assert done.stderr == "2 rows, 0 missing so far: reload has begun, and deletes them\n"
    shown = run("find", "b", code=0).splitlines()
    assert shown[-1].startswith("  reload has begun, and deletes it; since ")


def test_unknown_and_rejected_uploads_have_no_rows(world: World) -> None:
    assert "a.csv: there is no such upload" in invoke("rows", "a.csv", code=1).stderr
    world.ingest("a.csv", "\0")
    assert "a.csv: no row of it was stored: line 1 has a NUL byte" in invoke("rows", "a.csv", code=1).stderr


@BOTH_DESTINATIONS
def test_contents_cannot_steer_the_terminal(world: World) -> None:
    world.ingest("a.csv", 'id,name\n"\x1b]0;x\x07\u202e","\x1b[2J\n\u200b"\n')
    output = run("rows", "a.csv", code=0)
    assert output == (
        r'line 2: "\u001b]0;x\u0007\u202e" {"id":"\u001b]0;x\u0007\u202e","name":"\u001b[2J\n\u200b"}' "\n"
    )


@pytest.mark.parametrize("world", ["indexed"], indirect=True)
@pytest.mark.parametrize(("status", "is_asked"), [("CREATING", False), ("UPDATING", True), ("DELETING", False)])
@pytest.mark.usefixtures("stored")
def test_an_index_that_is_not_ready_is_not_asked(pipeline: Pipeline, status: str, is_asked: bool) -> None:
    def change(parsed: Any, **_: Any) -> None:
        parsed["Table"]["GlobalSecondaryIndexes"][0]["IndexStatus"] = status

    events: Any = pipeline.clients.dynamodb.meta.events
    events.register("after-call.dynamodb.DescribeTable", change)
    calls: list[str] = []
    events.register("provide-client-params.dynamodb.Query", lambda params, **_: calls.append(params.get("IndexName")))
    assert len(run("rows", "a.csv", code=0).splitlines()) == 3
    assert ("etag-line" in calls) == is_asked


class TestPages:
    """A file with more rows than one request takes."""

    NUMBER = 250

    @pytest.fixture(autouse=True)
    def _paged(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("csv_ingest.destinations.postgresql._PAGE", 100)
        # In the order of the ids, the lines are mixed.
        world.ingest("a.csv", "id\n" + "".join(f"{n * 7 % 251}\n" for n in range(1, self.NUMBER + 1)))

    @EVERYWHERE
    def test_all_rows_come_in_the_order_of_lines(self) -> None:
        expected = [(n + 1, str(n * 7 % 251)) for n in range(1, self.NUMBER + 1)]
        assert [(each["line"], each["id"]) for each in reported("rows", "a.csv", code=0)] == expected

    @pytest.mark.parametrize("world", ["indexed"], indirect=True)
    def test_an_index_that_lags_hides_no_row(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The index follows the table: what it does not have yet is found by the file, and not called missing."""
        original = DynamoDbTable.query

        def lagging(self: DynamoDbTable, *arguments: Any, index: str | None = None) -> Iterator[Item]:
            return islice(original(self, *arguments, index=index), 100 if index else None)

        monkeypatch.setattr(DynamoDbTable, "query", lagging)
        assert len(run("rows", "a.csv", code=0).splitlines()) == self.NUMBER


@pytest.mark.parametrize("world", ["indexed merge"], indirect=True)
def test_the_index_has_what_newer_files_left(world: World) -> None:
    for key, content in (("a.csv", "id,name\n1,a\n2,b\n"), ("b.csv", "id,name\n2,newer\n")):
        world.ingest(key, content)
    world.s3.delete_object(Bucket=world.bucket, Key="a.csv", VersionId=world.file("a.csv")["version_id"])
    done = invoke("rows", "a.csv", code=1)
    assert lines_of(done.stdout) == ["line 2"]
    assert "the table has 1 row, the ledger counts 2" in done.stderr
    assert done.stderr.endswith("only the file could tell whether rows are missing or superseded\n")
