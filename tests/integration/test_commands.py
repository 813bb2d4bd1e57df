"""`audit` and `backfill` say what they did, also if that is nothing."""

import json

import pytest

from tests.integration.commands import invoke, reported, run
from tests.integration.world import Invocations, World, version_of

pytestmark = pytest.mark.usefixtures("commanded")


@pytest.mark.parametrize("verb", ["audit", "backfill"])
def test_a_prefix_of_nothing_is_no_success(world: World, verb: str) -> None:
    world.deliver(world.upload("a.csv", "id\n1\n"))
    for json_ in ([], ["--json"]):
        done = invoke(verb, "--prefix", "typo/", *json_, code=1)
        assert "There is no upload whose key begins with 'typo/'" in done.stderr
        assert not json_ or json.loads(done.stdout)


def test_a_paused_pipeline_gets_no_delivery(world: World, invocations: Invocations) -> None:
    world.upload("a.csv", "id\n1\n")
    invocations.reserved = 0
    done = invoke("--stack", "CsvIngest-a b", "backfill", "--prefix", "", code=1)
    assert "python -m ops --stack 'CsvIngest-a b' resume" in done.stderr
    assert invocations.events == []


def test_a_repair_says_what_it_did_and_left(world: World, invocations: Invocations) -> None:
    event = world.upload("a.csv", "id\n1\n2\n")
    version = version_of(event)
    world.deliver(event)
    world.dynamodb.delete_item(TableName=world.rows_table, Key={"pk": {"S": f"{version.etag}#1"}})
    world.dynamodb.put_item(TableName=world.rows_table, Item={"pk": {"S": f"{version.etag}#\x1b[31m"}})
    invocations.at_once = world.deliver
    output = run("audit", "--repair", code=1)
    assert "repaired: 1 row written, 0 records of the ledger corrected" in output
    assert "left as it is, for a person to look at: unexpected: a.csv" in output
    assert "1 file, 2 rows, 1 finding" in output
    assert rf"unexpected: a.csv: {version.etag}#\u001b[31m" in output


def test_a_repair_delivers_nothing_while_paused(world: World, invocations: Invocations) -> None:
    event = world.upload("a.csv", "id\n1\n2\n")
    world.deliver(event)
    world.dynamodb.delete_item(TableName=world.rows_table, Key={"pk": {"S": f"{version_of(event).etag}#1"}})
    world.upload("b.csv", "id\n3\n")
    invocations.reserved = 0
    done = invoke("audit", "--repair", code=1)
    assert "repaired: 1 row written" in done.stdout
    assert "left as it is, for a person to look at: unsettled: b.csv" in done.stdout
    assert "The pipeline is paused: nothing was delivered" in done.stderr
    assert invocations.events == []


def test_a_repair_as_json_is_json(world: World) -> None:
    version = version_of(world.upload("a.csv", "id\n1\n"))
    result = reported("audit", "--repair", "--timeout", "0", code=1)
    assert result["repaired"] == {
        "rows": 0,
        "records": 0,
        "delivered": [{"key": "a.csv", "etag": version.etag}],
        "left": [],
    }
    assert [finding["kind"] for finding in result["findings"]] == ["unsettled"]
