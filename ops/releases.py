"""Whether these commands fit the deployment: another checkout may have deployed it."""

import re

from csv_ingest import RELEASE
from csv_ingest.model import PipelineError

OLDEST = (1, 2)
"""The first release whose functions' environments say which uploads their feed takes."""


class OtherRelease(PipelineError):
    """These commands cannot work on the deployment. The message says what to do."""


def warning(deployed: str, *, refuse: bool) -> str:
    """A sentence about a deployment of another release; empty if it makes no difference.

    Releases that differ in the third number alone store and configure the same. If `refuse`, raises OtherRelease for
    a newer deployment, whose records these commands could misread, and for one that does not say what they need.
    """
    there, here = _numbers(deployed), _numbers(RELEASE)
    of_release = f"release {deployed}" if deployed else "a release before 1.1.0"
    differs = f"deployment is of {of_release}, this is {RELEASE}"
    if there < here:
        way = f"{differs}: deploy this one (docs/upgrading.md), or use the checkout of that release"
        if there < OLDEST and refuse:
            raise OtherRelease(f"the {way}")
        return f"The {way}"
    if there > here and refuse:
        raise OtherRelease(f"the {differs}, which could misread its records: use the checkout of release {deployed}")
    return f"The {differs}: other commands need the checkout of release {deployed}" if there > here else ""


def _numbers(release: str) -> tuple[int, int]:
    """The first two numbers of a release; zeros if it has none, as before 1.1.0."""
    found = re.match(r"(\d+)\.(\d+)\.", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)
