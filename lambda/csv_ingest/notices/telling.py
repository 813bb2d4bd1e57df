"""Tells a notice: as an event, and in the next mail if a person has to look at it."""

from dataclasses import dataclass

from csv_ingest import ledger
from csv_ingest.notices.bus import EventBus
from csv_ingest.notices.notice import Notice


@dataclass(frozen=True)
class Telling:
    """Who is told."""

    bus: EventBus
    files: ledger.FilesTable

    def tell(self, notice: Notice) -> None:
        """Send the event of a notice, at least once; have it wait for the next mail. Raises NotTold."""
        self.bus.put(notice)
        if notice.is_mailed:
            self.files.notices.add_mail(notice.to_json())
