"""`audit` and `backfill` say what they did, also if that is nothing."""

import json

import pytest

from ops.pipeline import Pipeline
from ops.verifying import run as run_of_verify
from ops.verifying.trial import Trial
from tests.integration.commands import invoke, reported, run
from tests.integration.invoking import Invocations, version_of
from tests.integration.world import World

pytestmark = pytest.mark.usefixtures("commanded")


@pytest.mark.parametrize("verb", ["audit", "backfill"])
def test_a_prefix_of_nothing_is_no_success(world: World, verb: str) -> None:
    world.ingest("a.csv", "id\n1\n")
    for json_ in ([], ["--json"]):
        done = invoke(verb, "--prefix", "typo/", *json_, code=1)
        assert "There is no upload whose key begins with 'typo/'" in done.stderr
        assert not json_ or json.loads(done.stdout)


def test_a_paused_pipeline_gets_no_delivery(world: World, invocations: Invocations) -> None:
    world.upload("a.csv", "id\n1\n")
    invocations.reserved = 0
    done = invoke("--stack", "CsvIngest-a b", "backfill", "--prefix", "", code=1)
    assert "csv-ingest --stack 'CsvIngest-a b' resume" in done.stderr
    assert invocations.events == []


def test_verify_advises_a_command_for_the_same_stack(pipeline: Pipeline) -> None:
    trial = Trial(pipeline, pipeline.feeds[0], "Shop.Orders", awaits_malformed=True)
    assert "run `csv-ingest --stack Shop.Orders redrive --discard" in run_of_verify.clean(trial).said


def test_a_repair_says_what_it_did_and_left(world: World, invocations: Invocations) -> None:
    event = world.upload("a.csv", "id\n1\n2\n")
    version = version_of(event)
    world.deliver(event)
    world.default_rows.delete(f"{version.etag}#1")
    world.default_rows.put({"pk": {"S": f"{version.etag}#\x1b[31m"}})
    invocations.at_once = world.deliver
    output = run("audit", "--repair", "--yes", code=1)
    assert "repaired: 1 row written, 0 records of the ledger corrected" in output
    assert "left as it is, for a person to look at: unexpected: a.csv" in output
    assert "1 file, 2 rows, 1 finding" in output
    assert rf"unexpected: a.csv: {version.etag}#\u001b[31m" in output


def test_a_different_row_is_shown_by_its_columns(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    event = world.ingest("a.csv", f"id,name\n1,{'é' * 99}\n2,b\n")
    rows, prefix = world.default_rows, version_of(event).etag
    changed = {"id": "1", "name": "é" * 99 + "\x1b[31m", "so": "\u202e"}
    rows.put(rows.items()[f"{prefix}#1"] | {"data": {"S": json.dumps(changed)}})
    rows.put(rows.items()[f"{prefix}#2"] | {"line": {"N": "7"}})
    values = [
        rf"""  data.name: …"{"é" * 10}\u001b[31m" in the table, …"{"é" * 10}" in the file""",
        r"""  data.so: "\u202e" in the table, nothing in the file""",
    ]
    output = run("audit", code=1).splitlines()
    place = output.index(f"different: a.csv: line 2: {prefix}#1")
    assert output[place + 1 : place + 3] == values
    assert "  line: 7 in the table, 3 in the file" in output
    assert "é" not in run("audit", "--no-values", code=1)
    assert "  data.name differs" in run("audit", "--no-values", code=1)
    for options, value in ([], "\u202e"), (["--no-values"], None):
        [row] = [each for each in reported("audit", *options, code=1)["findings"] if each["pk"].endswith("#1")]
        assert row["differences"][1] == {"column": "data.so", "table": value, "file": None}
    monkeypatch.setattr("ops.differences.MOST", 1)
    assert "Of 1 row, it is not said what differs" in invoke("audit", code=1).stderr


@pytest.mark.parametrize(("answer", "rows"), [("", 1), ("n\n", 1), ("y\n", 2)])
def test_a_repair_says_its_plan_and_asks(world: World, invocations: Invocations, answer: str, rows: int) -> None:
    event = world.ingest("a.csv", "id\n1\n2\n,no id\n")
    etag = version_of(event).etag
    world.default_rows.delete(f"{etag}#1")
    world.default_rows.put({"pk": {"S": "added"}})
    for key in ("b.csv", "c.csv"):
        world.upload(key, "id\n3\n")
    invocations.at_once = world.deliver
    done = invoke("audit", "--repair", code=1, answer=answer)
    plan = "to be done: 1 row written, 0 records corrected, 2 files delivered again; 1 finding is left for a person"
    assert plan in done.stderr
    assert "Go on? [y/N]" in done.stderr
    assert len([pk for pk in world.default_rows.items() if pk.startswith(etag)]) == rows
    assert len(invocations.events) == (2 if answer == "y\n" else 0)


def test_a_repair_for_scripts_asks_nobody(world: World) -> None:
    world.upload("a.csv", "id\n1\n")
    done = invoke("audit", "--repair", "--json", "--timeout", "0", code=2)
    assert "with --json, it needs --yes" in done.stderr
    assert done.stdout == ""


def test_a_repair_delivers_nothing_while_paused(world: World, invocations: Invocations) -> None:
    event = world.ingest("a.csv", "id\n1\n2\n")
    world.default_rows.delete(f"{version_of(event).etag}#1")
    world.upload("b.csv", "id\n3\n")
    invocations.reserved = 0
    done = invoke("audit", "--repair", "--yes", code=1)
    assert "repaired: 1 row written" in done.stdout
    assert "left as it is, for a person to look at: unsettled: b.csv" in done.stdout
    assert "The pipeline is paused: nothing was delivered" in done.stderr
    assert invocations.events == []


def test_a_repair_as_json_is_json(world: World) -> None:
    version = version_of(world.upload("a.csv", "id\n1\n"))
    result = reported("audit", "--repair", "--yes", "--timeout", "0", code=1)
    assert result["repaired"] == {
        "rows": 0,
        "records": 0,
        "marks": 0,
        "delivered": [{"key": "a.csv", "etag": version.etag}],
        "left": [],
    }
    assert [finding["kind"] for finding in result["findings"]] == ["unsettled"]
