"""The report about the uploads of a time: one HTML page without scripts, which loads nothing."""

from collections.abc import Sequence
from datetime import datetime

from ..pipeline import DeployedFeed, Pipeline
from ..wording import Progress
from .gathering import gather
from .page import page_of

__all__ = ["report"]


def report(
    pipeline: Pipeline, feeds: Sequence[DeployedFeed], *, since: datetime, until: datetime, progress: Progress
) -> str:
    """The page about the uploads of some feeds that were settled between two times, and those that wait now."""
    found = gather(pipeline, feeds, since=since, until=until, progress=progress)
    progress("writing the page")
    return page_of(found)
