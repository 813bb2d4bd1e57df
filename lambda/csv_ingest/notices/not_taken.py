"""Objects that no feed takes: each is told once."""

from collections.abc import Sequence

from csv_ingest import intake, ledger
from csv_ingest.model import Upload
from csv_ingest.notices.bus import EventBus
from csv_ingest.notices.notice import Kind, Notice

MAX_TOLD = 100
"""Objects of which is told in one run."""


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
