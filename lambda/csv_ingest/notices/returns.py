"""Rejected rows, written for the sender of a file where their feed says: `rejects_to`."""

import csv
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, NamedTuple, TextIO

from csv_ingest import ledger, sending_back, source
from csv_ingest.feed import Feed
from csv_ingest.model import NotTold, UnreadableFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_CHARACTERS = 50_000_000
"""Of the cells that are written; Lambda has 512 MB of disk. The lines and reasons of further rows are written."""

MAX_KEY, MAX_CUT = 1_024, 500
"""Bytes of a key, and of one that is cut. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

ROWS, REASONS = ".rejected.csv", ".reasons.csv"


class Place(NamedTuple):
    """Where the rejected rows of a feed go."""

    bucket: str
    prefix: str
    """Empty, or it ends with a slash."""

    @classmethod
    def parse(cls, text: str, upload_bucket: str) -> "Place":
        """Read `s3://bucket/prefix/`; or `prefix/`, which is in the upload bucket."""
        if not text.startswith("s3://"):
            return cls(upload_bucket, text)
        bucket, _, prefix = text.removeprefix("s3://").partition("/")
        return cls(bucket, prefix)

    def key(self, record: ledger.FileRecord) -> str:
        """What the keys of both objects of a file begin with: no other version of a file has it.

        S3's keys have at most 1,024 bytes: of a key that is too long for more, the beginning and a hash are left.
        """
        name = record.object_key
        if len(f"{self.prefix}{name}.{record.version_id}{ROWS}".encode()) > MAX_KEY:
            digest = hashlib.sha256(name.encode()).hexdigest()
            name = f"{name.encode()[:MAX_CUT].decode(errors='ignore')}.{digest}"
        return f"{self.prefix}{name}.{record.version_id}"


def prefixes_in_uploads(feeds: Iterable[Feed]) -> list[str]:
    """Below which prefixes of the upload bucket the feeds have rejected rows written: no feed takes these objects."""
    places = [Place.parse(feed.rejects_to, "") for feed in feeds if feed.rejects_to]
    return [place.prefix for place in places if not place.bucket]


@dataclass(frozen=True)
class Returns:
    """Writes two objects per file: the rejected rows, which can be corrected and uploaded, and why they were rejected.

    `places` are by feed; a feed without one keeps its rejected rows in the ledger alone. `takes` says whether an object
    of the upload bucket is ingested.
    """

    places: Mapping[str, Place]
    upload_bucket: str
    takes: Callable[[str], bool]

    def uri(self, feed: str | None, record: ledger.FileRecord) -> str | None:
        """Where the rejected rows of a file are written; None if its feed does not say it."""
        place = self.places.get(feed or "")
        return f"s3://{place.bucket}/{place.key(record)}{ROWS}" if place else None

    def write(self, feed: str, record: ledger.FileRecord, files: ledger.FilesTable, s3: "S3Client") -> None:
        """Write the rejected rows that the ledger has of a complete file, as its feed reads rows, and their reasons.

        Repeating it writes the same. Raises NotTold if the file is not what it was, or would be ingested again, and
        botocore's errors.
        """
        if not (place := self.places.get(feed)) or not (format_ := record.format):
            return
        key = place.key(record)
        if place.bucket == self.upload_bucket and self.takes(f"{key}{ROWS}"):
            raise NotTold(f"rejects_to of the feed {feed} is where files are ingested: name a place that no feed takes")
        with (
            TemporaryFile("w+", encoding=format_.encoding, newline="") as rows,
            TemporaryFile("w+", encoding="utf-8", newline="") as reasons,
        ):
            try:
                self._write(record, files, s3, rows, reasons)
            except UnreadableFile as error:  # its message can name columns, and this one is logged
                raise NotTold("the file of the rejected rows cannot be read as it was") from error
            _put(s3, place.bucket, f"{key}{ROWS}", rows)
            _put(s3, place.bucket, f"{key}{REASONS}", reasons)

    def _write(
        self, record: ledger.FileRecord, files: ledger.FilesTable, s3: "S3Client", rows: TextIO, reasons: TextIO
    ) -> None:
        version, format_ = record.object_version(self.upload_bucket), record.format
        if not format_:
            return
        write, explain, characters = sending_back.writer(rows, format_), csv.writer(reasons), 0
        explain.writerow(["line", "reason"])
        sending_back.begin(rows, format_)
        with source.open_object(version, s3) as stream:
            for rejected, cells in sending_back.rows_to_send_back(stream, format_, files.rejected_rows(record)):
                if rejected:
                    explain.writerow(rejected)
                characters += sum(map(len, cells))
                if characters <= MAX_CHARACTERS:
                    write(cells)
        sending_back.end(write, format_)


def _put(s3: "S3Client", bucket: str, key: str, text: TextIO) -> None:
    text.flush()
    content = text.buffer
    content.seek(0)
    s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType="text/csv")
