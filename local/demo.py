"""The demonstration: each way in which uploads went wrong before, and what becomes of it here."""

import io
import time
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote_plus

from boto3.s3.transfer import TransferConfig
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table

from local.deployment import Deployment, StoredRow, deploy, until
from local.examples import EXAMPLES, expected_rows, orders, sample_event, upload_event
from local.server import local_aws

MULTIPART = TransferConfig(multipart_threshold=1)


@dataclass(frozen=True)
class Example:
    """A file to upload, and what it shows."""

    key: str
    lesson: str
    file: str | None = None
    rows: int = 0
    multipart: bool = False

    @cached_property
    def content(self) -> bytes:
        return (EXAMPLES / self.file).read_bytes() if self.file else orders(self.rows)


GOOD = [
    Example("May + June.csv", "spaces and + in the key", file="orders.csv"),
    Example("REPORT.CSV", "ending in upper case", file="REPORT.CSV"),
    Example("excel.csv", "BOM and CRLF", file="excel.csv"),
    Example("notes.csv", "quoted newlines", file="notes.csv"),
    Example("multipart.csv", "a multipart upload", rows=300, multipart=True),
    Example("large.csv", "5,000 rows", rows=5_000),
]
BROKEN = Example("latin1.csv", "not UTF-8", file="latin1.csv")


@dataclass(frozen=True)
class Uploaded:
    """What S3 answered."""

    etag: str
    version_id: str


def demo(console: Console) -> bool:
    """Deploy, upload, deliver, look; returns whether the tables hold exactly what the files say."""
    with local_aws() as aws:
        started = time.monotonic()
        with console.status(f"cdk bootstrap, cdk deploy to MiniStack on {aws.endpoint} ..."):
            deployment = deploy(aws)
        console.print(f"Deployed by the CDK CLI to MiniStack in {time.monotonic() - started:.0f} s.\n")
        uploads = _upload(deployment, [*GOOD, BROKEN], console)
        again = _upload(deployment, GOOD[:1], console)[GOOD[0].key]
        with console.status("waiting for the function ..."):
            outcomes = _outcomes(deployment, uploads)
            repeated = _repeat(deployment, uploads, again)
            failure = deployment.next_failure()
        expected: dict[str, StoredRow] = {}
        for example in GOOD:
            expected |= expected_rows(example.content, uploads[example.key].etag)
        stored = deployment.rows()
        console.print(outcomes)
        console.print(repeated)
        reason = failure["responsePayload"]["errorMessage"]
        failed_key = failure["requestPayload"]["Records"][0]["s3"]["object"]["key"]
        console.print(f"In the failure queue: {failed_key}, because {reason}.")
        return _compare(stored, expected, console) and failed_key == BROKEN.key


def _upload(deployment: Deployment, examples: list[Example], console: Console) -> dict[str, Uploaded]:
    uploads: dict[str, Uploaded] = {}
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("uploading", total=sum(len(example.content) for example in examples))
        for example in examples:
            deployment.s3.upload_fileobj(
                io.BytesIO(example.content),
                deployment.upload_bucket,
                example.key,
                Config=MULTIPART if example.multipart else None,
                Callback=lambda size: progress.update(task, advance=size),
            )
            head = deployment.s3.head_object(Bucket=deployment.upload_bucket, Key=example.key)
            uploads[example.key] = Uploaded(head["ETag"].strip('"'), head["VersionId"])
    return uploads


def _outcomes(deployment: Deployment, uploads: dict[str, Uploaded]) -> Table:
    table = Table("upload", "what it shows", "status", title="The ledger", title_justify="left", box=SIMPLE_HEAD)
    for column in ("read", "stored", "rejected"):
        table.add_column(column, justify="right")
    for example in GOOD:
        record = deployment.settled(example.key, uploads[example.key].etag)
        counts = (f"{record[name]:,}" for name in ("rows_read", "rows_stored", "rows_rejected"))
        table.add_row(example.key, example.lesson, record["status"], *counts)
    record = deployment.file_record(BROKEN.key, uploads[BROKEN.key].etag)
    table.add_row(BROKEN.key, BROKEN.lesson, record["status"])
    return table


def _repeat(deployment: Deployment, uploads: dict[str, Uploaded], again: Uploaded) -> Table:
    """What arrives twice, and what is no upload at all."""
    table = Table(
        "delivery", "outcome", title="Deliveries that must change nothing", title_justify="left", box=SIMPLE_HEAD
    )

    def logged(message: str, **fields: str) -> bool:
        return any(fields.items() <= record.items() for record in deployment.logged(message))

    until(lambda: logged("settled before", version_id=again.version_id), "the second upload is recognised")
    table.add_row("the same file uploaded again", "settled before: one read, no write")
    example = GOOD[2]
    upload = uploads[example.key]
    event = upload_event(
        deployment.upload_bucket,
        quote_plus(example.key),
        etag=upload.etag,
        version_id=upload.version_id,
        size=len(example.content),
    )
    deliveries = [
        ("the same event delivered again", event, "settled before", {"version_id": upload.version_id}),
        ("S3's test event", sample_event("s3-test-event.json"), "ignored", {"reason": "test event"}),
        ("the console's sample event", sample_event("console-template.json"), "ignored", {"reason": "foreign bucket"}),
    ]
    for name, payload, message, fields in deliveries:
        error = deployment.deliver(payload)
        if error or not logged(message, **fields):
            raise RuntimeError(f"{name}: expected {message!r} in the log, got {error or 'something else'}")
        table.add_row(name, f"{message}: {fields.get('reason', 'one read, no write')}")
    return table


def _compare(stored: dict[str, StoredRow], expected: dict[str, StoredRow], console: Console) -> bool:
    missing = expected.keys() - stored.keys()
    unexpected = stored.keys() - expected.keys()
    different = {key for key in expected.keys() & stored.keys() if expected[key] != stored[key]}
    console.print(
        f"In the rows table: {len(stored):,} of {len(expected):,} rows:"
        f" {len(missing)} missing, {len(unexpected)} unexpected, {len(different)} different."
    )
    return not (missing or unexpected or different)
