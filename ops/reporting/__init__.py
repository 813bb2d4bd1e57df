"""The report about the uploads of a time: one HTML page without scripts, which loads nothing."""

from collections.abc import Sequence
from datetime import datetime

from ops.pipeline import DeployedFeed, Pipeline
from ops.reporting.gathering import gather
from ops.reporting.page import page_of
from ops.wording import Progress

__all__ = ["report"]


def report(
    pipeline: Pipeline, feeds: Sequence[DeployedFeed], *, since: datetime, until: datetime, progress: Progress
) -> str:
    """The page about the uploads of some feeds that were settled between two times, and those that wait now."""
    found = gather(pipeline, feeds, since=since, until=until, progress=progress)
    progress("writing the page")
    return page_of(found)
