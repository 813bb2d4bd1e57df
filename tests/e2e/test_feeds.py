"""Three feeds in one deployment, those of the demo: each file, command and function keeps to its own feed.

The rows of the orders and of the stock go to DynamoDB, and those of the vendors to PostgreSQL. The stock is merged, and
EventBridge tells of its files; its rows expire.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from rich.console import Console

from csv_ingest.model import Database
from local.demo import CORRECTED, GOOD, Example
from local.demo import upload as upload_examples
from local.deployment import Deployment, TableRow, deploy
from local.examples import EXAMPLES, FEEDS, expected_rows
from local.postgresql import HOST, LocalPostgresql
from local.server import LocalAws
from local.waiting import wait_until, wait_until_settled
from tests.conftest import recorded_aws
from tests.e2e.deployed import SECONDS, functions_of, rows_of, upload, wrong_permissions
from tests.integration.commands import invoke, reported, run
from tests.integration.rows import by_value

QUIET = Console(quiet=True)
VENDOR_LINE = "3001;Krug;7,25;\n"
VENDOR_FILE = f"no;article;price;remark\n{VENDOR_LINE}".encode("cp1252")
ORDERS_FILE = b"id,quantity,price,ordered,gift\n1,2,3.50,2026-11-25,yes\n"


@pytest.fixture(scope="module")
def feed_calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recorded") / "calls.jsonl"


@pytest.fixture(scope="module")
def aws(feed_calls: Path) -> Iterator[LocalAws]:
    """A MiniStack of its own: the other modules deploy the same stack without feeds."""
    with recorded_aws(feed_calls) as running:
        yield running


@pytest.fixture(scope="module")
def feeds(aws: LocalAws, postgresql: LocalPostgresql) -> Deployment:
    """The settings of the vendors lead to the local server; the table of the orders has the index of its files."""
    secret = boto3.client("secretsmanager").create_secret(Name="vendors", SecretString='{"password": "s3cret"}')
    here = {"database_host": HOST, "database_port": postgresql.port, "database_ca": postgresql.ca}
    by_password = {"database_resource_id": None, "database_secret": secret["ARN"]}
    vendors = FEEDS["vendors"] | here | by_password
    orders = FEEDS["orders"] | {"file_index": True, "rejects_to": "returned/", "expect": "hourly"}
    stock = FEEDS["stock"] | {"trigger": "eventbridge", "keep_rows_days": 3_650}
    settings = FEEDS | {"vendors": vendors, "orders": orders, "stock": stock}
    deployed = deploy(aws, feeds=json.dumps(settings))
    database = Database(HOST, postgresql.port, "erp", "csv_ingest", secret["ARN"], postgresql.ca.strip())
    assert deployed.pipeline.feed_named("vendors").config.feed.database == database
    return deployed.with_databases(postgresql)


@pytest.mark.parametrize("example", GOOD, ids=lambda example: example.lesson)
def test_every_row_is_in_the_table_of_its_feed(feeds: Deployment, example: Example) -> None:
    version = upload_examples(feeds, [example], QUIET)[example.key]
    assert ("-" in version.etag) == example.multipart
    record = wait_until_settled(feeds.pipeline, version, seconds=SECONDS).attributes
    feed = example.key.partition("/")[0]
    expected = expected_rows(example.content, version.etag, feed=FEEDS[feed], bad_lines=example.bad_lines)
    assert rows_of(feeds, version) == expected
    assert record["status"] == "COMPLETE"
    assert (record["version_id"], record["feed"]) == (version.version_id, feed)
    assert (record["rows_stored"], record["rows_rejected"]) == (len(expected), len(example.bad_lines))


def test_rows_are_read_by_file_and_by_id(feeds: Deployment) -> None:
    version = upload(feeds, "orders/gone é.csv", ORDERS_FILE.replace(b"\n1,", b"\nL-1,") + b"L-2,,,,\n")
    wait_until_settled(feeds.pipeline, version, seconds=SECONDS)
    feeds.pipeline.clients.s3.delete_object(Bucket=version.bucket, Key=version.key, VersionId=version.version_id)
    first, second = reported("rows", version.key, code=0)
    assert first == {
        "line": 2,
        "id": "L-1",
        "data": {"id": "L-1"},
        "columns": {"quantity": "2", "price": first["columns"]["price"], "ordered": "2026-11-25", "gift": True},
    }
    assert Decimal(first["columns"]["price"]) == Decimal("3.5")
    assert (second["line"], second["columns"]) == (3, {})
    [found] = reported("find", "L-2", "--feed", "orders", code=0)
    [about] = found["uploads"]
    assert (about["object_key"], about["version_id"], found["line"]) == (version.key, version.version_id, 3)
    invoke("find", "nobody's", "--feed", "orders", code=1)


def test_rejected_rows_come_back_to_their_sender(feeds: Deployment) -> None:
    version = upload(feeds, "orders/some bad.csv", ORDERS_FILE.replace(b"yes\n", b"yes\n2,x,3.50,,\n"))
    returned = f"returned/{version.key}.{version.version_id}"
    s3, found = feeds.pipeline.clients.s3, dict[str, bytes]()

    def came() -> bool:
        for each in s3.list_objects_v2(Bucket=version.bucket, Prefix=returned).get("Contents", []):
            found[each["Key"]] = s3.get_object(Bucket=version.bucket, Key=each["Key"])["Body"].read()
        return len(found) == 2

    wait_until(came, "the rejected rows are written", seconds=SECONDS)
    assert found[f"{returned}.rejected.csv"].splitlines() == [*ORDERS_FILE.splitlines()[:1], b"2,x,3.50,,"]
    assert found[f"{returned}.reasons.csv"].startswith(b"line,reason\r\n3,")
    invoke("status", f"{returned}.rejected.csv", code=1)  # no feed takes it


def test_a_corrected_file_leaves_one_row_an_id(feeds: Deployment) -> None:
    """The late event of the first upload changes nothing."""
    expected: dict[str, TableRow] = {}
    versions = []
    for example in CORRECTED:
        version = upload_examples(feeds, [example], QUIET)[example.key]
        versions.append(version)
        wait_until_settled(feeds.pipeline, version, seconds=SECONDS)
        expected |= expected_rows(example.content, version.etag, feed=FEEDS["stock"])
    feeds.pipeline.redeliver(versions[0])
    function = feeds.pipeline.feed_named("stock").function
    _wait_for_logged(feeds, "settled before", function, count=1)
    assert {pk: row for pk, row in feeds.rows().items() if pk.startswith("S-")} == expected
    [found] = reported("find", "S-101", "--feed", "stock", code=0)
    assert [each["version_id"] for each in found["uploads"]] == [versions[1].version_id]
    invoke("audit", "--feed", "stock", code=0)


def test_rows_expire_with_their_upload(feeds: Deployment) -> None:
    version = upload(feeds, "stock/expiring.csv", b"sku,quantity,counted\nX-1,1,\n")
    uploaded_at = wait_until_settled(feeds.pipeline, version, seconds=SECONDS).attributes["uploaded_at"]
    table, client = feeds.pipeline.feed_named("stock").rows_table, feeds.pipeline.clients.dynamodb
    [item] = [each for each in client.scan(TableName=table)["Items"] if each["pk"] == {"S": "X-1"}]
    expected = datetime.fromisoformat(uploaded_at) + timedelta(days=3_650)
    assert datetime.fromtimestamp(int(item["row_expires_at"]["N"]), UTC) == expected


def test_a_row_has_the_declared_types(feeds: Deployment) -> None:
    version = upload(feeds, "orders/typed.csv", ORDERS_FILE)
    wait_until_settled(feeds.pipeline, version, seconds=SECONDS)
    [item] = [item for key, item in feeds.items().items() if key.startswith(version.etag)]
    del item["pk"], item["etag"], item["line"]
    assert by_value(item) == {
        "data": {"S": '{"id":"1"}'},
        "quantity": 2,
        "price": Decimal("3.5"),
        "ordered": {"S": "2026-11-25"},
        "gift": {"BOOL": True},
    }


def test_a_bad_value_is_named_by_its_column(feeds: Deployment) -> None:
    version = upload(feeds, "vendors/secret.csv", VENDOR_FILE + b"3002;Topf;4711 EUR;\n")
    wait_until_settled(feeds.pipeline, version, seconds=SECONDS)
    reason = "column price: not a decimal: write it as 1234,5"
    assert reported("rejects", version.key, code=0) == [{"line": 3, "reason": reason}]
    function = feeds.pipeline.feed_of(version.key).function
    assert "4711 EUR" not in "".join(feeds.log_lines(function))
    assert "4711 EUR" in invoke("rejects", version.key, "--csv", code=None).stdout


@pytest.mark.usefixtures("feeds")
def test_pausing_one_feed_leaves_the_other_running(tmp_path: Path) -> None:
    orders, vendors = tmp_path / "a.csv", tmp_path / "b.csv"
    orders.write_bytes(ORDERS_FILE)
    vendors.write_bytes(VENDOR_FILE)
    invoke("pause", "--feed", "vendors", code=0)
    try:
        refused = invoke("upload", str(vendors), "--to", "vendors/", code=None)
        assert (refused.exit_code, "paused" in refused.stderr) == (1, True)
        [record] = reported("upload", str(orders), "--to", "orders/", code=0)
        assert record["status"] == "COMPLETE"
    finally:
        invoke("resume", "--feed", "vendors", code=0)
    [record] = reported("upload", str(vendors), "--to", "vendors/", code=0)
    assert record["feed"] == "vendors"


def test_each_failure_is_redriven_to_its_own_feed(feeds: Deployment) -> None:
    pipeline = feeds.pipeline
    for folder, content in (("orders", b"\xff\n1\n"), ("vendors", b"no;article\n")):
        version = upload(feeds, f"{folder}/broken.csv", content)
        assert wait_until_settled(pipeline, version, seconds=SECONDS).status == "REJECTED"
    redriven = reported("redrive", "--prefix", "vendors/", code=0)
    assert [(each["keys"], each["action"]) for each in redriven] == [("vendors/broken.csv", "delivered")]
    [rejected, again] = [
        record
        for record in _wait_for_logged(feeds, "rejected", pipeline.feed_of("vendors/broken.csv").function, count=2)
        if record["object_key"] == "vendors/broken.csv"
    ]
    assert rejected["object_key"] == again["object_key"]
    orders_log = feeds.logged("rejected", function=pipeline.feed_of("orders/x.csv").function)
    assert [each["object_key"] for each in orders_log] == ["orders/broken.csv"]


def _wait_for_logged(feeds: Deployment, message: str, function: str, *, count: int) -> list[dict[str, object]]:
    wait_until(lambda: len(feeds.logged(message, function=function)) >= count, f"{count} times {message!r} in the log")
    return feeds.logged(message, function=function)


@pytest.mark.usefixtures("feeds")
@pytest.mark.parametrize("feed", ["orders", "vendors"])
def test_commands_keep_to_the_feed_they_are_told(feed: str) -> None:
    listed = reported("status", "--feed", feed, code=1)
    assert {each["object_key"].partition("/")[0] for each in listed} == {feed}
    audited = reported("audit", "--feed", feed, code=0)
    both = reported("audit", code=0)
    assert 0 < audited["files"] < both["files"]
    done = reported("backfill", "--prefix", "", "--feed", feed, "--rate", "100", code=0)
    assert done["delivered"] == 0
    assert done["settled_before"] > 0
    invoke("status", "--feed", "nobody", code=2)


def test_status_names_an_object_that_no_feed_takes(feeds: Deployment) -> None:
    for key in ("order/orders.csv", "orders/orders.Csv"):
        upload(feeds, key, ORDERS_FILE)
    assert feeds.pipeline.existing_bucket is False
    found = {each["object_key"]: each for each in reported("status", code=1)}
    assert found["order/orders.csv"]["reason"] == "below no feed's prefix; the nearest is orders/"
    assert found["orders/orders.Csv"]["status"] == "IGNORED"


@pytest.mark.usefixtures("feeds")
def test_check_tells_what_an_upload_would_become() -> None:
    file = str(EXAMPLES / "bad-values.csv")
    told = reported("check", file, "--feed", "orders", code=1)
    assert (told["rows_read"], told["rows_rejected"]) == (6, 4)
    assert [each["line"] for each in told["rejects"]] == [3, 4, 5, 6]
    assert "no column is named" in invoke("check", file, "--feed", "vendors", code=None).stdout
    proposed = json.loads(run("propose", str(EXAMPLES / "orders.csv"), "--name", "orders", code=None))["orders"]
    types = {name: declared.removesuffix(" required") for name, declared in proposed["columns"].items()}
    assert FEEDS["orders"]["columns"].items() <= types.items()


def _run(feeds: Deployment, sql: str, **parameters: str) -> list[list[Any]]:
    """What the administrator of the vendors' database can do."""
    return feeds.select(sql, feeds.pipeline.feed_named("vendors"), **parameters)


def _vendors(count: int) -> bytes:
    lines = [f"{number};Töpfe;{number % 1000},{number % 90 + 10};\n" for number in range(count)]
    return "".join(["no;article;price;remark\n", *lines]).encode("cp1252")


def test_audit_repairs_the_table_of_the_vendors(feeds: Deployment) -> None:
    version = upload(feeds, "vendors/audited.csv", _vendors(60))
    wait_until_settled(feeds.pipeline, version, seconds=SECONDS)
    for damage in (
        "DELETE FROM vendors WHERE etag = :etag AND id = '7'",
        "UPDATE vendors SET unit_price = 'NaN' WHERE etag = :etag AND id = '9'",
        "INSERT INTO vendors (etag, id, line, data) VALUES (:etag, 'x', 1, '{}')",
    ):
        _run(feeds, damage, etag=version.etag)
    arguments = ("audit", "--prefix", version.key)
    findings = reported(*arguments, code=1)["findings"]
    assert sorted((each["kind"], each["detail"]) for each in findings) == [
        ("different", f"line 11: {version.etag}#9"),
        ("missing", f"line 9: {version.etag}#7"),
        ("unexpected", f"{version.etag}#x"),
    ]
    [differences] = [each["differences"] for each in findings if each["kind"] == "different"]
    assert differences == [{"column": "unit_price", "table": "NaN", "file": "9.19"}]
    assert "repaired: 2 rows written" in invoke(*arguments, "--repair", "--yes", code=None).stdout
    _run(feeds, "DELETE FROM vendors WHERE etag = :etag AND id = 'x'", etag=version.etag)
    assert reported(*arguments, code=0)["findings"] == []
    assert rows_of(feeds, version) == expected_rows(_vendors(60), version.etag, feed=FEEDS["vendors"])


def test_a_killed_function_leaves_each_vendor_once(
    feeds: Deployment, aws: LocalAws, postgresql: LocalPostgresql
) -> None:
    """It is killed while a batch waits for a row that another transaction has not committed."""
    content = _vendors(12_000)
    etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
    with replace(postgresql, database="erp").connect() as other:
        other.run("START TRANSACTION")
        other.run("INSERT INTO vendors (etag, id, line, data) VALUES (:etag, '7000', 1, '{}')", etag=etag)
        version = upload(feeds, "vendors/killed.csv", content)
        waiting = "SELECT 1 FROM pg_stat_activity WHERE usename = 'csv_ingest' AND wait_event_type = 'Lock'"
        wait_until(lambda: bool(_run(feeds, waiting)), "the function waits")
        for process in functions_of(aws):
            process.kill()
        assert 0 < len(rows_of(feeds, version)) < 12_000
        assert feeds.pipeline.files.record(version).status == "PROCESSING"
        other.run("ROLLBACK")
    record = wait_until_settled(feeds.pipeline, version, seconds=SECONDS).attributes
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (12_000, 12_000, 0)
    assert rows_of(feeds, version) == expected_rows(content, etag, feed=FEEDS["vendors"])


def test_a_large_file_of_vendors_is_stored_in_parts(feeds: Deployment) -> None:
    content = _vendors(40_000) + b"7;Topf;1,00;\n"
    version = upload(feeds, "vendors/large.csv", content)
    record = wait_until_settled(feeds.pipeline, version, seconds=SECONDS).attributes
    assert record["parts_done"] == record["parts"]
    assert (record["rows_read"], record["rows_stored"], record["rows_rejected"]) == (40_001, 40_000, 1)
    expected = expected_rows(content, version.etag, feed=FEEDS["vendors"], bad_lines={40_002})
    assert rows_of(feeds, version) == expected


@pytest.mark.usefixtures("feeds")
def test_the_printed_statements_make_the_table_needed() -> None:
    invoke("schema", "--feed", "vendors", "--check", code=0)


def test_the_vendors_policy_is_what_their_function_called(feeds: Deployment, feed_calls: Path) -> None:
    wrong = wrong_permissions(feeds, feed_calls).get(feeds.pipeline.feed_named("vendors").function)
    assert wrong is None, "this test needs those before it"


def test_each_function_calls_what_its_own_policy_allows(feeds: Deployment, feed_calls: Path) -> None:
    """Of its own feed alone: its rows table, and what is below its prefix."""
    refused = {name: found[0] for name, found in wrong_permissions(feeds, feed_calls).items()}
    assert refused == {name: [] for name in refused}
