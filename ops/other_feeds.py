"""Which other feed would read a file that its own feed rejected: the function knows its own feed only."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from csv_ingest import csvfile, ledger
from csv_ingest.model import NO_HEADER, FileFormat, UnreadableFile

from .pipeline import DeployedFeed, ObjectGone, Pipeline
from .status import UploadStatus

Open = Callable[[], AbstractContextManager[csvfile.ByteStream]]  # opens the file at its beginning


def advice(pipeline: Pipeline, own: DeployedFeed | None, open_: Open) -> str:
    """Where to upload a file whose header its own feed does not read, and others do; empty if there is no such feed.

    A feed that asks for no column is not named: it would read any file.
    """
    if own and _reads(own.settings.format, open_):
        return ""
    others = (feed.settings for feed in pipeline.feeds if feed != own)
    return "; ".join(
        f"the feed {each.name} would read this header: upload it below {each.key_prefix}"
        for each in others
        if _asks_for_columns(each.format) and _reads(each.format, open_)
    )


def remarked(pipeline: Pipeline, status: UploadStatus, open_: Open) -> UploadStatus:
    """The status of an upload; of a rejected one with the advice as its remark."""
    if status.record.status != ledger.REJECTED:
        return status
    own = next((feed for feed in pipeline.feeds if feed.takes(status.key)), None)
    return replace(status, remark=advice(pipeline, own, open_) or status.remark)


def _asks_for_columns(format_: FileFormat) -> bool:
    return format_.header != NO_HEADER and bool(format_.id_columns or format_.columns or format_.known_columns)


def _reads(format_: FileFormat, open_: Open) -> bool:
    """Whether a file has a header, and it can be read in a format; false of an object that is gone."""
    try:
        with open_() as stream:
            _, names = csvfile.read_header(stream, format_)
    except (UnreadableFile, ObjectGone):
        return False
    return bool(names)
