"""A run of the sweep, with the real handler's parts and no schedule."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import TYPE_CHECKING, Any

from csv_ingest.configuration import SweepConfig, SweptFeed
from csv_ingest.intake import Taker
from csv_ingest.model import Deadline
from csv_ingest.modes import APPEND
from csv_ingest.sweeping.run import ALWAYS_ASKED, Swept, sweep
from tests.integration.invoking import Invocations
from tests.integration.settings import feed_now
from tests.integration.world import World

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def swept_feed(name: str, prefix: str, suffixes: Sequence[str] = (".csv", ".csv.gz")) -> SweptFeed:
    """What the sweep is told of a feed that appends."""
    function = "ingest" if name == "default" else f"ingest-{name}"
    return SweptFeed(function, Taker(name, prefix, suffixes), APPEND)


def run_sweep(
    world: World,
    invocations: Invocations,
    *,
    prefix: str = "",
    feeds: Mapping[str, SweptFeed] | None = None,
    age: timedelta = timedelta(),
    seconds: float | Iterator[float] = 60,
    always_asked: int = ALWAYS_ASKED,
    existing_bucket: bool = False,
) -> Swept:
    """Sweep what is older than an age, negative for what will be so old; the events are in `invocations`.

    One feed, of which the prefix is given, or several. `seconds` are left, whenever the sweep asks.
    """
    left = seconds if isinstance(seconds, Iterator) else repeat(seconds)
    return sweep(
        config=SweepConfig(
            upload_bucket=world.bucket,
            files_table=world.files_table,
            failure_queue=world.failure_queue,
            feeds=feeds or {"default": swept_feed("default", prefix)._replace(mode=feed_now().mode)},
            existing_bucket=existing_bucket,
        ),
        s3=world.s3,
        dynamodb=world.dynamodb,
        lambda_=invocations.client,
        before=datetime.now(UTC) + timedelta(seconds=5) - age,
        deadline=Deadline(lambda: next(left)),
        always_asked=always_asked,
    )


def listed(s3: "S3Client", *, age: Mapping[str, timedelta] | None = None, at_once: int = 1_000) -> None:
    """Have S3 list objects whose keys begin with a text as so much older, and so many versions in a request."""
    events: Any = s3.meta.events

    def limit(params: dict[str, Any], **_: Any) -> None:
        params.setdefault("MaxKeys", at_once)

    def have_aged(parsed: dict[str, Any], **_: Any) -> None:
        for version in parsed.get("Versions", []):
            ages = (each for prefix, each in (age or {}).items() if version["Key"].startswith(prefix))
            version["LastModified"] -= next(ages, timedelta())

    events.register("provide-client-params.s3.ListObjectVersions", limit)
    events.register("after-call.s3.ListObjectVersions", have_aged)
