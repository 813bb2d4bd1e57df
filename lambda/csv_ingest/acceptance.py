"""Which files are accepted, judged by their rows before the first one is stored. Pure.

Each rejected row is an item of the ledger, so their number has to be in proportion to the file.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from csv_ingest.file_cost import FileCost, require_names
from csv_ingest.model import RejectedRow, Row, UnreadableFile, fingerprint
from csv_ingest.modes import duplicate

FEW = 100
"""Rejected rows that a file may have, whatever share of its rows they are."""

SHOWN_REASONS = 5


class MaxRejected(NamedTuple):
    """How many rejected rows a file may have. Without either field, any number."""

    rows: int | None = None
    percent: int | None = None
    """Of the rows that were read, if more than a hundred are rejected."""

    @classmethod
    def parse(cls, text: str | None) -> "MaxRejected":
        """A number of rows, a share such as `50%`, or None, which is no limit."""
        if text is None:
            return cls()
        if text.endswith("%"):
            return cls(percent=int(text.removesuffix("%")))
        return cls(rows=int(text))

    def __str__(self) -> str:
        return f"{self.percent}%" if self.rows is None else f"{self.rows:,}"

    def is_exceeded(self, rejected: int, read: int) -> bool:
        if self.rows is not None:
            return rejected > self.rows
        return self.percent is not None and rejected > FEW and rejected * 100 > self.percent * read


class Acceptance(NamedTuple):
    """What a file has to be to be accepted."""

    max_bytes: int
    max_rejected: MaxRejected
    refusal: Callable[[Row], str | None]
    """Why the destination can never store a row; None if it can."""


class Tally:
    """Counts the rows of a file, or of its beginning, by what would become of them."""

    def __init__(self, acceptance: Acceptance, header: Sequence[str], *, remember: int) -> None:
        """Duplicate ids are found among so many first rows. Raises UnreadableFile if no such header is accepted."""
        require_names(header)
        self._acceptance = acceptance
        self._remember = remember
        self._first: dict[str, Row] = {}
        self._rejected = 0
        self._reasons: list[str] = []
        self._cost = FileCost()

    def add(self, record: Row | RejectedRow, position: int) -> None:
        """Count a record of a file that was read up to `position`. Raises UnreadableFile if the file is hopeless."""
        self._cost.add(record, position)
        if reason := self._reason(record):
            self._rejected += 1
            if len(self._reasons) < SHOWN_REASONS:
                self._reasons.append(f"line {record.line:,}: {reason}")

    def require_acceptable(self, position: int) -> None:
        """Raise UnreadableFile if the file is not to be accepted by the records that were read up to `position`."""
        self._cost.require_proportion(position)
        allowed, read = self._acceptance.max_rejected, self._cost.rows
        if allowed.is_exceeded(self._rejected, read):
            raise UnreadableFile(
                f"of the first {read:,} rows, {self._rejected:,} would be rejected, and max_rejected={allowed} "
                f"allows fewer: {'; '.join(self._reasons)}: correct the file, or the settings"
            )

    def _reason(self, record: Row | RejectedRow) -> str | None:
        if isinstance(record, RejectedRow):
            return record.reason
        if reason := self._acceptance.refusal(record):
            return reason
        first = self._first.get(record.id)
        if first is None:
            if len(self._first) < self._remember:
                self._first[record.id] = record
        elif fingerprint(first, first.values) != fingerprint(record, record.values):
            return duplicate(record, first.line).reason
        return None
