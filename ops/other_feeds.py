"""Which other feed would read a file that its own feed rejected: the function knows its own feed only."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from botocore.exceptions import ClientError

from csv_ingest import csvfile
from csv_ingest.csvfile.streams import ByteStream
from csv_ingest.errors import UnreadableFile
from csv_ingest.file_format import LINE_AS_ID, FileFormat
from csv_ingest.ledger import REJECTED
from ops.feed import Feed
from ops.pipeline import NOT_THERE, Pipeline
from ops.status import UploadStatus

Open = Callable[[], AbstractContextManager[ByteStream]]
"""Opens the file at its beginning."""


def advice(pipeline: Pipeline, own: Feed | None, open_: Open) -> str:
    """Where to upload a file whose header its own feed does not read, and others do; empty if there is no such feed.

    A feed that names no column is not named: it would read any file.
    """
    if own and _reads(own.config.feed.format, open_):
        return ""
    others = (feed for feed in pipeline.feeds if feed != own and _names_columns(feed.config.feed.format))
    return "; ".join(
        f"the feed {feed.name} would read this header: upload it below {_prefix(feed)}"
        for feed in others
        if _reads(feed.config.feed.format, open_)
    )


def remarked(pipeline: Pipeline, status: UploadStatus, open_: Open) -> UploadStatus:
    """The status of an upload; of a rejected one with the advice as its remark."""
    if status.record.status != REJECTED:
        return status
    own = next((feed for feed in pipeline.feeds if feed.is_ingested(status.key)), None)
    return replace(status, remark=advice(pipeline, own, open_) or status.remark)


def _names_columns(format_: FileFormat) -> bool:
    return format_.id_column != LINE_AS_ID or bool(format_.columns)


def _prefix(feed: Feed) -> str:
    return next((prefix for prefix, _ in feed.triggers), "")


def _reads(format_: FileFormat, open_: Open) -> bool:
    """Whether a file has a header, and it can be read in a format; false of an object that is gone."""
    try:
        with open_() as stream:
            _, names = csvfile.read_header(stream, format_)
    except UnreadableFile:
        return False
    except ClientError as error:
        if error.response["Error"]["Code"] not in NOT_THERE:
            raise
        return False
    return bool(names)
