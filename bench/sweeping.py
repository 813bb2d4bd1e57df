"""`python -m bench.sweeping`: what the sweep costs in a bucket with many versions, with S3 and DynamoDB simulated.

The sweep, boto3 and its parsers run as they are deployed; the two services answer at once. Requests are counted, and
CPU time is measured, for as many versions as take a minute. Both grow in proportion to the versions.
"""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple

import boto3
import click
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from csv_ingest.configuration import SweepConfig, SweptFeed
from csv_ingest.feed import Feed
from csv_ingest.model import Deadline
from csv_ingest.sweeping.run import SHARE_TO_DELIVER, sweep
from ops.reporting.costs import GB_SECONDS, MEMORY_GB, PROCESSOR_SHARE, PUT_REQUESTS
from ops.wording import counted

BEFORE, NOW = (PROCESSOR_SHARE, MEMORY_GB), (1.0, 1.728)
"""Which share of a processor a function with 512 MB has, and how many GB that is; and one with 1,769 MB."""

WHOLE_RUN = 890
RUN_SECONDS = (1 - SHARE_TO_DELIVER) * WHOLE_RUN
"""Of a run: in all, and for the scan."""

LIST_SECONDS, BATCH_SECONDS = 0.15, 0.012
"""How long an answer of S3 for a thousand versions, and one of DynamoDB for a hundred records, takes: assumed."""

READ_UNITS = 0.125e-6  # US dollars each; a LIST costs what a PUT does
HOURS = 730

OLD = datetime(2026, 1, 1, tzinfo=UTC)


class Cost(NamedTuple):
    """Of one version, in each scan."""

    listing: float
    """Seconds of CPU for a version that is listed."""
    asking: float
    """More, if the ledger is asked about it."""


class Services:
    """S3 with many versions, and a ledger in which each of them is complete."""

    def __init__(self, versions: int) -> None:
        self.versions = versions
        self.lists = 0
        self.asked = 0
        self.seconds = 0.0
        """Of CPU, that answering has taken."""
        self._checkpoint = ""

    def answer(self, request: Any, **_: Any) -> AWSResponse:
        begun = time.process_time()
        operation = request.headers.get("X-Amz-Target", b"").decode().rpartition(".")[2]
        found = getattr(self, f"_{operation}")(json.loads(request.body)) if operation else self._page(request.url)
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        raw = SimpleNamespace(stream=lambda **_: iter([body]), read=lambda *_, **__: body)
        self.seconds += time.process_time() - begun
        return AWSResponse(request.url, 200, HTTPHeaders(), raw)

    def _page(self, url: str) -> bytes:
        self.lists += 1
        start = int(url.partition("key-marker=in%2F")[2][:9] or -1) + 1
        numbers = range(start, min(start + 1_000, self.versions))
        is_cut = numbers.stop < self.versions
        found = "".join(map(_version, numbers))
        more = f"<NextKeyMarker>{_key(numbers[-1])}</NextKeyMarker><NextVersionIdMarker>v</NextVersionIdMarker>"
        return (
            f"<ListVersionsResult><IsTruncated>{str(is_cut).lower()}</IsTruncated>"
            f"{more if is_cut else ''}{found}</ListVersionsResult>"
        ).encode()

    def _DescribeTable(self, _: Any) -> Any:  # noqa: N802 - DynamoDB's name
        return {"Table": {"CreationDateTime": OLD.timestamp()}}

    def _GetItem(self, _: Any) -> Any:  # noqa: N802
        return {"Item": {"checkpoint": {"S": self._checkpoint}}} if self._checkpoint else {}

    def _PutItem(self, body: Any) -> Any:  # noqa: N802
        self._checkpoint = body["Item"]["checkpoint"]["S"]
        return {}

    def _BatchGetItem(self, body: Any) -> Any:  # noqa: N802
        keys = body["RequestItems"]["files"]["Keys"]
        self.asked += len(keys)
        return {"Responses": {"files": [_record(key) for key in keys]}, "UnprocessedKeys": {}}


def _key(number: int) -> str:
    return f"in/{number:09d}-2026-11-29-customer.csv"


def _version(number: int) -> str:
    return (
        f"<Version><Key>{_key(number)}</Key><VersionId>v{number:031d}</VersionId><IsLatest>true</IsLatest>"
        f'<LastModified>2026-02-01T12:13:14.000Z</LastModified><ETag>"{number:032x}"</ETag><Size>12345</Size>'
        f"<Owner><ID>{'0' * 64}</ID></Owner><StorageClass>STANDARD</StorageClass></Version>"
    )


def _record(key: dict[str, Any]) -> dict[str, Any]:
    number = int(key["entry"]["S"], 16)
    texts = {
        "status": "COMPLETE",
        "version_id": f"v{number:031d}",
        "format": '{"delimiter":",","encoding":"utf-8"}',
        "settled_at": "2026-02-01T12:14:15.123+00:00",
        "started_at": "2026-02-01T12:14:13.123+00:00",
        "feed_status": "default#COMPLETE",
        "status_at": "2026-02-01T12:14:15.123+00:00",
    }
    numbers = {name: {"N": "5000"} for name in ("size", "rows_read", "rows_stored", "rows_rejected", "attempts")}
    return key | {name: {"S": text} for name, text in texts.items()} | numbers


def _seconds(services: Services) -> float:
    """The CPU time of one scan."""
    feeds = {"default": SweptFeed.of(Feed(key_prefix="in/"), "f", None)}
    config = SweepConfig(upload_bucket="b", files_table="files", failure_queue="q", feeds=feeds, existing_bucket=False)
    clients: Any = {name: boto3.client(name) for name in ("s3", "dynamodb", "lambda")}
    for client in clients.values():
        client.meta.events.register("before-send", services.answer)
    begun, answering = time.process_time(), services.seconds
    found = sweep(
        config=config,
        s3=clients["s3"],
        dynamodb=clients["dynamodb"],
        lambda_=clients["lambda"],
        before=datetime.now(UTC) - timedelta(hours=1),
        deadline=Deadline(lambda: 900),
        always_asked=0,
    )
    if not found.is_complete or (found.uploads, found.unsettled) != (services.versions, 0):
        raise click.ClickException(f"the sweep found {found}, in {services.versions:,} settled uploads")
    return time.process_time() - begun - (services.seconds - answering)


def _measured(versions: int) -> Cost:
    """The first scan asks about every version, the second about none."""
    services = Services(versions)
    first, asked = _seconds(services), services.asked
    second, lists = _seconds(services), services.lists
    if (asked, lists) != (versions, 2 * -(-versions // 1_000)):
        raise click.ClickException(f"{asked:,} records were asked for, in {lists:,} requests to S3")
    return Cost(second / versions, (first - second) / versions)


class Month(NamedTuple):
    """What sweeping costs in a month."""

    runs_of_scan: int | None
    """None if no run comes to the end."""
    lists: float
    reads: float
    gb_seconds: float

    @property
    def dollars(self) -> float:
        return self.lists * PUT_REQUESTS + self.reads * READ_UNITS + self.gb_seconds * GB_SECONDS


def _every_version(versions: int, cost: Cost) -> Month:
    """As releases before 1.5 did: each run lists all twice, and asks about all; two retries follow an early end."""
    share, gb = BEFORE
    listing, asking = _listing(cost, share), _asking(cost, share)
    if (whole := versions * (2 * listing + asking)) <= WHOLE_RUN:
        return Month(1, HOURS * 2 * versions / 1_000, HOURS * versions, HOURS * whole * gb)
    seen = WHOLE_RUN / (listing + asking)
    return Month(None, 3 * HOURS * seen / 1_000, 3 * HOURS * seen, 3 * HOURS * 900 * gb)


def _in_shares(versions: int, cost: Cost) -> Month:
    """As it is: each is listed in each scan, and asked about once in twenty hours."""
    share, gb = NOW
    runs, seconds, asked = 1, 0.0, 0.0
    for _ in range(20):  # a longer scan has a greater share of all
        asked = max(10_000.0, versions * runs / 20)
        seconds = versions * _listing(cost, share) + asked * _asking(cost, share)
        runs = max(1, -int(-seconds // RUN_SECONDS))
    scans = HOURS / runs
    return Month(runs, scans * versions / 1_000, scans * asked, scans * seconds * gb)


def _listing(cost: Cost, share: float) -> float:
    return cost.listing / share + LIST_SECONDS / 1_000


def _asking(cost: Cost, share: float) -> float:
    return cost.asking / share + BATCH_SECONDS / 100


@click.command(epilog="Example: python -m bench.sweeping --versions 20000")
@click.option("--versions", default=100_000, show_default=True, help="How many versions are simulated.")
def main(versions: int) -> None:
    """Print what the sweep costs per month, by the versions that a bucket keeps, as a table for docs/costs.md."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    cost = _measured(versions)
    click.echo(f"CPU of a version: {cost.listing * 1e6:.0f} us to list it, {cost.asking * 1e6:.0f} us to ask about it")
    click.echo("| kept versions | | a scan takes | LIST | records read | dollars |")
    click.echo("|---|---|---|---|---|---|")
    for number in (10_000, 1_000_000, 10_000_000):
        for name, month in (("before", _every_version(number, cost)), ("now", _in_shares(number, cost))):
            takes = "never ends" if month.runs_of_scan is None else counted(month.runs_of_scan, "run")
            texts = f"{month.lists:,.0f} | {month.reads:,.0f} | {month.dollars:,.2f}"
            click.echo(f"| {number:,} | {name} | {takes} | {texts} |")


if __name__ == "__main__":
    main()
