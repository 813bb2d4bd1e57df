"""A run of the sweep, with the real handler's parts and no schedule."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from csv_ingest.configuration import SweepConfig, SweptFeed
from csv_ingest.deadline import Deadline
from csv_ingest.intake import Taker
from csv_ingest.sweep import Swept, sweep
from tests.integration.world import Invocations, World, feed_now


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
    default = SweptFeed("ingest", Taker("default", prefix, [".csv", ".csv.gz"]), feed_now().mode)
    return sweep(
        config=SweepConfig(
            upload_bucket=world.bucket,
            files_table=world.files_table,
            failure_queue=world.failure_queue,
            feeds=feeds or {"default": default},
        ),
        s3=world.s3,
        dynamodb=world.dynamodb,
        lambda_=invocations.client,
        before=datetime.now(UTC) + timedelta(seconds=5) - age,
        deadline=Deadline(lambda: seconds),
    )
