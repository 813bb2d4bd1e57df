"""How a file is ingested: its content, how it is read, and the parts of it."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from csv_ingest.model.file_format import FileFormat


class Content(NamedTuple):
    """What an ETag stands for: the content that was first found under it, and how that content is read.

    S3's ETag is often an MD5, and two files with the same MD5 can be made.
    """

    sha256: str
    """Of the bytes that are read: a packed file is unpacked."""
    format: FileFormat
    upload_order: str = ""
    """As in Origin, if it stands for one version."""
    columns: Sequence[str] = ()
    """The names of all columns; empty if they are too long to be recorded."""


class Phase(Enum):
    """What is done with a part of a file."""

    STORE = "store"
    """Store its rows."""
    CHECK = "check"
    """Compare its rows with the destination, after the rows of all parts were stored."""


class PartJob(NamedTuple):
    """A part of a file, to be ingested by a delivery of its own."""

    number: int
    """From 0, in the order of the file."""
    phase: Phase = Phase.STORE

    @property
    def is_check(self) -> bool:
        return self.phase is Phase.CHECK


class PartStart(NamedTuple):
    """Where a part of a file begins. The part ends where the next one begins, or at the end of the file."""

    byte: int
    """From 0."""
    line: int
    """Physical line, from 1."""


BEGINNING = PartStart(0, 1)
"""Where a file begins."""


class Plan(NamedTuple):
    """How a file is read, and where its parts begin."""

    format: FileFormat
    header: list[str]
    """The names of all columns."""
    parts: list[PartStart]
    """Empty if one delivery ingests the whole file."""
    upload_order: str = ""
    """As in Origin."""
    delimiter: str = ""
    """The one that the file says itself; empty if it says none."""
    end_line: int = 0
    """The line from which on no record of a file in parts is a row; 0 if each is."""
    uploaded_at: str = ""
    """When the upload was made, as S3 says it: UTC, in ISO 8601."""
    rows_expire_at: str = ""
    """When its rows expire: UTC, in ISO 8601; empty: never."""

    @property
    def format_of_parts(self) -> FileFormat:
        """How the parts are read."""
        return self.format.delimited_by(self.delimiter) if self.delimiter else self.format
