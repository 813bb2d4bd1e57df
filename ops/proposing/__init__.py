"""The settings of a feed, proposed from files of it, with the evidence; and the proof that they read the files.

A file shows what is in it, not what will come: nothing is proposed that a cell of the files speaks against, and what
the files leave open is not declared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csv_ingest.feed import Feed

from .. import checking, wording
from ..feed_file import FeedOfFile
from ..wording import counted
from . import evidence, reading
from .settings import settings as settings_of

SHOWN_REJECTS = 5


@dataclass(frozen=True)
class Proposal:
    """A feed."""

    feed: Feed
    settings: dict[str, Any]
    """What `Feed.of_settings` made the feed of."""
    evidence: list[str]


def propose(files: Sequence[Path], *, name: str, timezone: str, progress: wording.Progress) -> Proposal:
    """The feed that reads files which are all of it. Raises UnreadableFile, NothingToRead and InvalidSetting."""
    found = reading.find(files, timezone=timezone, progress=progress)
    settings = settings_of(found, name)
    return Proposal(Feed.of_settings(name, settings), settings, list(evidence.lines(found, settings)))


def objections(proposal: Proposal, file: Path, progress: wording.Progress) -> Iterator[str]:
    """Why the proposed feed would not store every row of a file; nothing if it would."""
    checked = checking.check(FeedOfFile(proposal.feed), file, shown=SHOWN_REJECTS, progress=progress)
    if not checked.is_ingested:
        yield f"{file.name} would not be ingested under this name: set key_suffixes, or rename it"
    if checked.reason:
        yield f"{file.name} would be REJECTED, and no row be stored: {checked.reason}"
    elif checked.rejected:
        yield f"{file.name}: {checked.rejected:,} of {counted(checked.rows, 'row')} would be rejected, such as:"
        yield from (f"{file.name} line {reject.line:,}: {reject.reason}" for reject in checked.rejects)
