"""Objects that no feed takes: each is told once."""

import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime

from csv_ingest import intake, ledger
from csv_ingest.model import Upload
from csv_ingest.notices.bus import EventBus
from csv_ingest.notices.notice import Kind, Notice

MAX_LOOKED_AT, MAX_TOLD = 1_000, 100
"""Of one run: what a mistake with a million objects costs is bounded."""


def newest_of(found: Iterable[Upload]) -> tuple[int, list[Upload]]:
    """How many objects there are, and the newest thousand of them, the oldest first."""
    number, newest = 0, list[tuple[datetime, int, Upload]]()
    for number, each in enumerate(found, start=1):
        keep = heapq.heappush if len(newest) < MAX_LOOKED_AT else heapq.heappushpop
        keep(newest, (each.modified, number, each))
    return number, [each for *_, each in sorted(newest)]


def tell(newest: Sequence[Upload], number: int, taken: intake.Intake, files: ledger.FilesTable, bus: EventBus) -> None:
    """Tell of objects, of so many in all, that were not told yet, at most a hundred. Raises NotTold."""
    told = files.notices.told([_mark(each) for each in newest])
    fresh = [each for each in newest if _mark(each) not in told]
    for each in fresh[:MAX_TOLD]:
        bus.put(_notice(each, number, taken))
        files.notices.mark([_mark(each)])


def _notice(found: Upload, number: int, taken: intake.Intake) -> Notice:
    version, modified = found.version, ledger.text_of_time(found.modified)
    return Notice(
        kind=Kind.IGNORED,
        object_key=version.key,
        etag=version.etag,
        version_id=version.version_id,
        size=version.size,
        reason=taken.why_not(version.key).reason,
        uploaded_at=modified,
        settled_at=modified,
        objects=number,
    )


def _mark(found: Upload) -> str:
    return f"ignored {found.version.key} {found.version.version_id}"
