"""Uploads: versions of objects, and what their rows say of them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

NO_VERSION = "null"
"""The version id of an object from before its bucket kept versions, and of one that came while it did not.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html"""

VERIFY_FOLDER = "csv-ingest-verify-"
"""Begins the name of each folder with files of `csv-ingest verify`, which are nobody's."""

VERSION_MARK = "~"
"""Between an ETag, or a time, and a version. An ETag contains none."""


@dataclass(frozen=True)
class ObjectVersion:
    """One version of one object, as uploaded: what is ingested, once."""

    bucket: str
    key: str
    """As the uploader wrote it. (The event has it URL-encoded, with a plus sign for a space.)"""
    version_id: str
    etag: str
    """Bare. (S3 puts it in double quotes in some places.)"""
    size: int
    """Bytes."""

    @property
    def own_name(self) -> str:
        """What no other version of any object is called: the version id; with that of many, a digest of the key."""
        if self.version_id != NO_VERSION:
            return self.version_id
        return f"{NO_VERSION}-{hashlib.sha256(self.key.encode()).hexdigest()[:32]}"


class Upload(NamedTuple):
    """One object version as the bucket lists it."""

    version: ObjectVersion
    modified: datetime
    """UTC: when the upload ended or, for a multipart upload, when it began."""


class Origin(NamedTuple):
    """The upload that rows come from, as each of them says."""

    etag: str
    upload_order: str = ""
    """The sort key of the upload, `<time>~<sequencer>~<version>`: the newer upload has the greater one.

    Empty where uploads have no order: those with the same ETag are the same to their rows.
    """
    expires_at: datetime | None = None
    """When the rows expire, in whole seconds; None: never."""

    @property
    def upload(self) -> str:
        """What tells the rows of an upload from those of others."""
        return self.upload_order or self.etag
