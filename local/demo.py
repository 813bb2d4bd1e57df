"""The demonstration: each way in which uploads went wrong before, and what becomes of it here."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote_plus

from boto3.s3.transfer import TransferConfig
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from csv_ingest.events import upload_event
from csv_ingest.ledger import REJECTED
from csv_ingest.model import ObjectVersion
from local.deployment import Deployment, TableRow, deploy
from local.examples import EXAMPLES, FEEDS, expected_rows, orders, sample_event
from local.postgresql import HOST, local_postgresql
from local.server import local_aws
from local.waiting import wait_until, wait_until_settled
from ops.progress import working
from ops.wording import counted

REPORT = ".local/report.html"
"""In the project's folder, from which the demonstration runs. It stays when the servers are gone."""
MULTIPART = TransferConfig(multipart_threshold=1)
SECONDS = 60
"""To wait for a file."""


@dataclass(frozen=True)
class Example:
    """A file to upload, and what it shows."""

    key: str
    lesson: str
    file: str | None = None
    rows: int = 0
    multipart: bool = False
    bad_lines: tuple[int, ...] = ()

    @cached_property
    def content(self) -> bytes:
        return (EXAMPLES / self.file).read_bytes() if self.file else orders(self.rows)


GOOD = [
    Example("orders/May + June.csv", "spaces and +", file="orders.csv"),
    Example("orders/REPORT.CSV", "upper-case ending", file="REPORT.CSV"),
    Example("orders/excel.csv", "BOM and CRLF", file="excel.csv"),
    Example("orders/multipart.csv", "multipart upload", rows=300, multipart=True),
    Example("orders/large.csv", "5,000 rows", rows=5_000),
    Example("orders/bad-rows.csv", "five bad rows", file="bad-rows.csv", bad_lines=(3, 4, 5, 7, 8)),
    Example("orders/bad-values.csv", "four bad values", file="bad-values.csv", bad_lines=(3, 4, 5, 6)),
    Example("vendors/prices.csv", "cp1252, decimal comma", file="vendors/prices.csv", bad_lines=(5,)),
    Example("vendors/notes.csv", "quoted newlines", file="vendors/notes.csv"),
]
CORRECTED = [
    Example("stock/levels.csv", "one row a sku", file="stock/levels.csv"),
    Example("stock/levels.csv", "corrected", file="stock/corrected.csv"),
]
"""Two uploads under one key, in a feed that merges."""
BROKEN = Example("orders/latin1.csv", "not UTF-8", file="latin1.csv")


def demo(console: Console) -> bool:
    """Deploy, upload, deliver, look; returns whether the tables hold exactly what the files say."""
    with local_aws() as aws, local_postgresql() as postgresql:
        started = time.monotonic()
        with working(f"cdk bootstrap, cdk deploy to MiniStack on {aws.endpoint}"):
            deployment = deploy(aws, feeds=json.dumps(FEEDS)).with_databases(postgresql)
        console.print(f"Deployed three feeds by the CDK CLI to MiniStack in {time.monotonic() - started:.0f} s:")
        where = f"orders/ and stock/ to DynamoDB, vendors/ to PostgreSQL on {HOST}:{postgresql.port}."
        console.print(f"{where}\n", highlight=False)
        uploads = upload(deployment, [*GOOD, BROKEN], console)
        corrected = []
        for each in CORRECTED:
            version = upload(deployment, [each], console)[each.key]
            wait_until_settled(deployment.pipeline, version, seconds=SECONDS)
            corrected.append((each, version))
        with working("waiting for the function"):
            outcomes = _outcomes(deployment, [*((each, uploads[each.key]) for each in [*GOOD, BROKEN]), *corrected])
        # Only now: what becomes of the first upload is told by a record that has the last version's.
        again = upload(deployment, GOOD[:1], console)[GOOD[0].key]
        with working("waiting for the function"):
            repeated = _repeat(deployment, uploads, again)
            # An upload that was deleted before it was read: it fails for good, after its retries.
            gone = ObjectVersion(deployment.pipeline.upload_bucket, "orders/gone.csv", "no-such-version", "0" * 32, 1)
            deployment.pipeline.redeliver(gone)
            deployment.failure_of(quote_plus(gone.key))
        console.print(outcomes)
        console.print(repeated)
        _show_item(deployment, console)
        console.print(_selected(deployment))
        console.print(_current(deployment, corrected))
        for verb in (
            "find S-101 --feed stock",
            "status",
            "rejects orders/bad-values.csv",
            "redrive --dry-run",
            "history --feed orders --limit 2",
            f"report --html {REPORT}",
            "audit",
        ):
            audited = _operate(verb, console)
        expected = [(each, uploads[each.key]) for each in GOOD] + corrected
        return _compare(deployment, expected, console) and audited


def upload(deployment: Deployment, examples: list[Example], console: Console) -> dict[str, ObjectVersion]:
    """Upload files, with a progress bar; returns what S3 made of each, by key."""
    pipeline = deployment.pipeline
    uploads: dict[str, ObjectVersion] = {}
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("uploading", total=sum(len(example.content) for example in examples))
        for example in examples:
            pipeline.clients.s3.upload_fileobj(
                io.BytesIO(example.content),
                pipeline.upload_bucket,
                example.key,
                Config=MULTIPART if example.multipart else None,
                Callback=lambda size: progress.update(task, advance=size),
            )
            uploads[example.key] = pipeline.latest(example.key)
    return uploads


def _outcomes(deployment: Deployment, uploads: Iterable[tuple[Example, ObjectVersion]]) -> Table:
    table = Table(title="The ledger", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("upload", no_wrap=True)
    table.add_column("what it shows")
    table.add_column("status")
    for column in ("read", "stored", "rejected"):
        table.add_column(column, justify="right")
    for example, version in uploads:
        record = wait_until_settled(deployment.pipeline, version, seconds=SECONDS)
        counts = (f"{number:,}" for number in record.counts[:3]) if record.counts else ("",) * 3
        table.add_row(example.key, example.lesson, record.status, *counts)
        if (record.status == REJECTED) != (example is BROKEN):
            raise RuntimeError(f"{example.key}: {record}")
    return table


def _repeat(deployment: Deployment, uploads: Mapping[str, ObjectVersion], again: ObjectVersion) -> Table:
    """What arrives twice, and what is no upload at all."""
    table = Table(
        "delivery", "outcome", title="Deliveries that must change nothing", title_justify="left", box=SIMPLE_HEAD
    )

    def logged(message: str, **fields: str) -> bool:
        return any(fields.items() <= record.items() for record in deployment.logged(message))

    wait_until(lambda: logged("settled before", version_id=again.version_id), "the second upload is recognised")
    table.add_row("the same file uploaded again", "settled before: its content compared, no row written")
    upload = uploads["orders/excel.csv"]
    deliveries: list[tuple[str, dict[str, Any], str, dict[str, str]]] = [
        ("the same event again", upload_event(upload), "settled before", {"version_id": upload.version_id}),
        ("S3's test event", sample_event("s3-test-event.json"), "ignored", {"reason": "test event"}),
        ("the console's sample event", sample_event("console-template.json"), "ignored", {"reason": "foreign bucket"}),
    ]
    for name, event, message, fields in deliveries:
        error = deployment.invoke(event)
        if error or not logged(message, **fields):
            raise RuntimeError(f"{name}: expected {message!r} in the log, got {error or 'something else'}")
        table.add_row(name, f"{message}: {fields.get('reason', 'one read, no write')}")
    return table


def _show_item(deployment: Deployment, console: Console) -> None:
    """Show a row as DynamoDB has it, with its types."""
    item = next(item for key, item in deployment.items().items() if key.endswith("#A-1000"))
    console.print("[bold]A row of orders/May + June.csv, as DynamoDB has it")
    for name, value in item.items():
        console.print(f"  {name}: {json.dumps(value)}", markup=False, highlight=False, soft_wrap=True)
    console.print()


def _selected(deployment: Deployment) -> Table:
    """Some rows as PostgreSQL has them."""
    sql = "SELECT line, id, unit_price, data::text FROM vendors ORDER BY id LIMIT 3"
    table = Table("line", "id", "unit_price", title=sql, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("data", overflow="fold")
    for row in deployment.select(sql, deployment.pipeline.feed_named("vendors")):
        table.add_row(*(Text(str(value)) for value in row))
    return table


def _current(deployment: Deployment, uploads: Iterable[tuple[Example, ObjectVersion]]) -> Table:
    """The rows of the feed that merges, and which upload each one is from."""
    lessons = {version.version_id: example.file for example, version in uploads}
    table = Table(title="stock/levels.csv after two uploads: one row a sku", title_justify="left", box=SIMPLE_HEAD)
    for name in ("pk", "quantity", "counted", "from"):
        table.add_column(name)
    for key, item in sorted(deployment.items().items()):
        if "uploaded" in item:
            version_id = item["uploaded"]["S"].rpartition("~")[2]
            table.add_row(key, item["quantity"]["N"], item["counted"]["S"], lessons[version_id])
    return table


def _operate(verb: str, console: Console) -> bool:
    """Show a verb of the operator's command line; whether it found all well."""
    console.print(f"[bold]$ csv-ingest {verb}", highlight=False)
    command = [sys.executable, "-u", "-m", "ops", *verb.split()]  # unbuffered: in the order in which it is printed
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    console.print(done.stdout, markup=False, highlight=False, soft_wrap=True)
    return done.returncode == 0


def _compare(deployment: Deployment, uploads: Iterable[tuple[Example, ObjectVersion]], console: Console) -> bool:
    """Whether the rows tables are what Python's csv module reads in the files, without any code of the pipeline."""
    expected: dict[str, TableRow] = {}
    for example, version in uploads:
        feed = FEEDS[example.key.partition("/")[0]]
        expected |= expected_rows(example.content, version.etag, feed=feed, bad_lines=example.bad_lines)
    stored = deployment.rows()
    missing = expected.keys() - stored.keys()
    unexpected = stored.keys() - expected.keys()
    different = {key for key in expected.keys() & stored.keys() if expected[key] != stored[key]}
    console.print(
        f"In the three rows tables: {len(stored):,} of {counted(len(expected), 'row')}:"
        f" {len(missing)} missing, {len(unexpected)} unexpected, {len(different)} different."
    )
    return not (missing or unexpected or different)
