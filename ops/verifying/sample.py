"""Files that a feed reads: made from its settings, with ids that nobody else has."""

import csv
import io
import tempfile
from collections.abc import Iterable
from pathlib import Path

from csv_ingest.csvfile import cells
from csv_ingest.model import LINE_AS_ID, Column, FileFormat

from .. import checking, wording
from .report import Skipped
from .trial import Trial

FILLER = "x" * 700
"""A row of it stays below a KB, which is a write unit."""

Record = list[str]


class Sample:
    """Makes files for the feed of a trial."""

    def __init__(self, trial: Trial) -> None:
        """Raises Skipped if the feed does not read what can be made here."""
        self._trial = trial
        self._format = trial.feed.settings.format
        self._ids = _names_of_ids(self._format)
        self._columns = [column for column in self._format.columns if column.name not in self._ids]
        self._require_readable()

    @property
    def header(self) -> Record:
        return [*self._ids, *(column.name for column in self._columns), "note"]

    @property
    def has_ids(self) -> bool:
        """Whether rows have an id of their own, and not their line."""
        return bool(self._ids)

    def record(self, name: str, note: str = "") -> Record:
        """A row with an id that is made of the run and a name."""
        ids = [f"verify-{self._trial.run}-{name}" for _ in self._ids]
        return [*ids, *(_example(column, self._format) for column in self._columns), note]

    def records(self, count: int, name: str, note: str = "") -> list[Record]:
        return [self.record(f"{name}-{number}", note) for number in range(count)]

    def file(self, records: Iterable[Record]) -> bytes:
        """The bytes of a file."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self._format.delimiter, quotechar=self._format.quote, lineterminator="\n")
        writer.writerows([self.header, *records])
        return text.getvalue().encode(self._format.encoding)

    def _require_readable(self) -> None:
        feed = self._trial.feed
        if feed.mode.supersedes and any(column.name in self._ids for column in self._format.columns):
            raise Skipped(f"the feed {feed.name} merges, and its ids have a type: one that is made up can be another's")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, f"verify{feed.settings.key_suffixes[0]}")
            try:
                file.write_bytes(self.file(self.records(3, "check")))
            except UnicodeEncodeError as error:
                raise Skipped(f"the encoding of the feed {feed.name} cannot write its columns: {error}") from error
            checked = checking.check(feed, file, shown=1, progress=wording.silent)
        if not checked.is_good or checked.rows != 3:  # noqa: PLR2004
            why = checked.reason or "; ".join(reject.reason for reject in checked.rejects) or "it has a footer"
            raise Skipped(f"the feed {feed.name} reads other files than can be made from its settings: {why}")


def _names_of_ids(format_: FileFormat) -> list[str]:
    if format_.id_column == LINE_AS_ID:
        return []
    return [format_.id_column] if isinstance(format_.id_column, str) else list(format_.id_column)


def _example(column: Column, format_: FileFormat) -> str:
    """A cell that the column takes: the first spelling that messages about it give."""
    if column.type == "boolean":
        return (format_.true_values or ("true",))[0]
    return cells.spelling(column, format_).partition(" or ")[0] or "a text"
