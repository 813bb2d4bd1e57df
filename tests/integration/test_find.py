"""`find` lists the rows that have an id, in all uploads of a feed, and which upload each one came from."""

import json

import pytest

from local.postgresql import LocalPostgresql
from ops.pipeline import Pipeline
from tests.integration.commands import invoke, reported, run
from tests.integration.faults import Calls
from tests.integration.invoking import version_of
from tests.integration.world import BOTH_DESTINATIONS, World

pytestmark = pytest.mark.usefixtures("commanded")


@pytest.fixture
def uploads(world: World) -> list[str]:
    """The ETags of three files with the id A, one of which is there under two keys, and of one without it."""
    contents = {"1.csv": "id,name\nA,one\n", "2.csv": "id,name\nB,x\nA,two\n", "copy.csv": "id,name\nA,one\n"}
    etags = []
    for key, content in {**contents, "3.csv": "id,name\nA,three\n", "4.csv": "id,name\nB,four\n"}.items():
        event = world.ingest(key, content)
        etags.append(version_of(event).etag)
    return etags


def found(*arguments: str, code: int = 0) -> list[tuple[str, int, list[str]]]:
    """The name, the line and the object keys of each row."""
    rows = reported("find", *arguments, code=code)
    return [(row["data"]["name"], row["line"], [each["object_key"] for each in row["uploads"]]) for row in rows]


@BOTH_DESTINATIONS
@pytest.mark.usefixtures("uploads")
def test_every_row_of_an_id_is_found_newest_last() -> None:
    assert found("A") == [("two", 3, ["2.csv"]), ("one", 2, ["1.csv", "copy.csv"]), ("three", 2, ["3.csv"])]


@BOTH_DESTINATIONS
def test_each_row_has_its_upload_and_version(world: World, uploads: list[str]) -> None:
    [_, _, third] = reported("find", "A", code=0)
    record = world.file("3.csv")
    [upload] = third.pop("uploads")
    assert third == {"line": 2, "id": "A", "data": {"id": "A", "name": "three"}, "columns": {}, "etag": uploads[3]}
    assert (upload["object_key"], upload["version_id"], upload["status"]) == ("3.csv", record["version_id"], "COMPLETE")
    last = run("find", "A", code=0).splitlines()[-3:]
    assert last[:2] == ['"A" {"id":"A","name":"three"}', "  line 2 of 3.csv"]
    assert last[2].endswith(f" UTC, version {record['version_id']}")


@BOTH_DESTINATIONS
@pytest.mark.usefixtures("uploads")
def test_several_ids_come_in_the_order_given() -> None:
    assert [name for name, _, _ in found("B", "A", "B")] == ["x", "four", "two", "one", "three"]


@BOTH_DESTINATIONS
@pytest.mark.usefixtures("uploads")
def test_an_id_without_rows_is_exit_code_one() -> None:
    assert [name for name, _, _ in found("B", "nobody's", code=1)] == ["x", "four"]
    done = invoke("find", "nobody's", code=1)
    assert done.stdout == ""
    assert 'There is no row with the id "nobody\'s": it is in no file, or was rejected.\n0 rows; looked ' in done.stderr


ODD = [
    "",
    "#",
    "a#b",
    'say "no"',
    "é\u202e\x1b]0;x\x07",
    " ",
    "--feed",
    "x" * 2_100,
    "two\nlines",
    "\U0001f600",
    "a,b",
    "'",
]


@pytest.mark.parametrize("world", ["dynamodb", "postgresql", "merge", "postgresql merge"], indirect=True)
def test_odd_ids_are_found_and_escaped(world: World) -> None:
    quoted = ['"{}"'.format(id_.replace('"', '""')) for id_ in ODD]
    world.ingest("a.csv", "id\n" + "".join(f"{cell}\n" for cell in quoted))
    stored = set(world.rows())
    assert set(ODD) - stored == {"", " ", "x" * 2_100}
    rows = json.loads(run("find", "--json", "--", *ODD, code=1))
    assert [row["id"] for row in rows] == [id_ for id_ in ODD if id_ in stored]
    shown = run("find", "--", ODD[4], ODD[8], code=0)
    assert r'"é\u202e\u001b]0;x\u0007"' in shown
    assert r'"two\nlines"' in shown
    assert all(line.isprintable() for line in shown.splitlines())


@BOTH_DESTINATIONS
def test_more_ids_and_uploads_than_a_request_takes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for destination in ("dynamodb.DynamoDbDestination", "postgresql.PostgresqlDestination"):
        monkeypatch.setattr(f"csv_ingest.destinations.{destination}.max_fetch", 5)
    for number in range(7):
        world.ingest(f"{number}.csv", f"id\nA\n{number}\n")
    ids = ["A", *map(str, range(7))]
    rows = reported("find", *ids, code=0)
    assert [row["id"] for row in rows] == ["A"] * 7 + ids[1:]
    assert len(reported("find", "A", code=0)) == 7


def test_a_hundred_keys_are_one_request(world: World, pipeline: Pipeline) -> None:
    for number in range(6):
        world.ingest(f"{number}.csv", f"id\n{number}\n")
    calls = Calls(pipeline.clients.dynamodb)
    run("find", "0", code=0)
    assert sorted(calls.names) == ["BatchGetItem", "Scan"]


@BOTH_DESTINATIONS
@pytest.mark.usefixtures("uploads")
def test_rows_of_an_unfinished_upload_are_found(world: World) -> None:
    world.change_record("3.csv", status="PROCESSING", remove="settled_at")
    assert "  PROCESSING since " in run("find", "A", code=0)


class TestFeeds:
    """With several feeds, the rows of one are looked for."""

    @pytest.fixture(autouse=True)
    def _two_feeds(self, world: World, postgresql: LocalPostgresql, monkeypatch: pytest.MonkeyPatch) -> None:
        world.add_postgresql_feed(postgresql, "vendors", "vendors/")
        world.ingest("orders/a.csv", "id\nA\n")
        world.ingest("vendors/a.csv", "id\nA\n")
        two = world.pipeline()
        monkeypatch.setattr(Pipeline, "find", lambda _stack: two)

    def test_the_feed_has_to_be_named(self) -> None:
        assert "--feed is needed; the feeds are: default, vendors" in invoke("find", "A", code=2).stderr
        assert "there is no feed nobody" in invoke("find", "A", "--feed", "nobody", code=2).stderr

    @pytest.mark.parametrize(("feed", "key"), [("default", "orders/a.csv"), ("vendors", "vendors/a.csv")])
    def test_rows_are_those_of_the_feed(self, feed: str, key: str) -> None:
        [row] = reported("find", "A", "--feed", feed, code=0)
        assert [each["object_key"] for each in row["uploads"]] == [key]

    def test_rows_finds_the_table_of_the_key(self) -> None:
        assert run("rows", "orders/a.csv", code=0) == run("rows", "vendors/a.csv", code=0) == 'line 2: "A" {"id":"A"}\n'

    def test_uploads_in_another_table_are_counted(self, world: World) -> None:
        """The feed had DynamoDB as its destination when it read them."""
        world.change_record("vendors/a.csv", remove="place")
        assert "Not looked at: 1 upload" in invoke("find", "A", "--feed", "vendors", code=1).stderr
        assert "its rows went to DynamoDB, and those of the feed go to postgres/" in (
            invoke("rows", "vendors/a.csv", code=1).stderr
        )
