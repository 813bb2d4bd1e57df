"""A run of the sweep, with the real handler's parts and no schedule."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from csv_ingest.configuration import SweepConfig, SweptFeed
from csv_ingest.intake import Taker
from csv_ingest.model import Deadline
from csv_ingest.modes import APPEND
from csv_ingest.sweep import Swept, sweep
from tests.integration.world import Invocations, World, feed_now


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
    seconds: float = 60,
) -> Swept:
    """Sweep what is older than an age, negative for what will be so old; the events are in `invocations`.

    One feed, of which the prefix is given, or several.
    """
    return sweep(
        config=SweepConfig(
            upload_bucket=world.bucket,
            files_table=world.files_table,
            failure_queue=world.failure_queue,
            feeds=feeds or {"default": swept_feed("default", prefix)._replace(mode=feed_now().mode)},
        ),
        s3=world.s3,
        dynamodb=world.dynamodb,
        lambda_=invocations.client,
        before=datetime.now(UTC) + timedelta(seconds=5) - age,
        deadline=Deadline(lambda: seconds),
    )
