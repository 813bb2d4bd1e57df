"""Deliver objects that were in the bucket before the trigger was, or again."""

import time
from collections.abc import Callable
from typing import NamedTuple

from ops.pipeline import DeployedFeed, Pipeline


class Backfilled(NamedTuple):
    """How many uploads a backfill has delivered or passed over so far."""

    delivered: int = 0
    settled_before: int = 0


def backfill(
    pipeline: Pipeline,
    *,
    prefix: str,
    feed: DeployedFeed | None = None,
    rate: float,
    again: bool = False,
    progress: Callable[[Backfilled], None] = lambda _: None,
) -> Backfilled:
    """Deliver each upload below a prefix, of one feed or of all, at most `rate` per second.

    Uploads that are settled are only delivered `again`.

    Interrupted, it is resumed by the same call: what is settled by then is passed over, at one read per upload.
    """
    done = Backfilled()
    for upload, record in pipeline.records(prefix, feed):
        if record.is_settled and not again:
            done = done._replace(settled_before=done.settled_before + 1)
        else:
            pipeline.redeliver(upload.version)
            done = done._replace(delivered=done.delivered + 1)
            time.sleep(1 / rate)
        progress(done)
    return done
