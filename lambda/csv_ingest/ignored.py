"""Objects that no feed takes. Nothing else says that their rows are in no table."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from csv_ingest import ledger, listing
from csv_ingest.intake import Intake
from csv_ingest.model import Deadline, Upload

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


def deployed_at(dynamodb: "DynamoDBClient", files_table: str) -> datetime:
    """When the ledger was made, in whole seconds, like the times of objects.

    Earlier uploads are not expected in it: `backfill` is for them.
    """
    created = dynamodb.describe_table(TableName=files_table)["Table"]["CreationDateTime"]
    return created.replace(microsecond=0)


def find(objects: Iterable[Upload], *, intake: Intake, files: ledger.FilesTable, since: datetime) -> Iterator[Upload]:
    """Yield the objects, of those uploaded since a time, that were probably meant for a feed and that no feed takes.

    `objects` are current versions. An object that is settled in the ledger was taken by a feed of former settings.
    """
    mistakes = (
        each for each in objects if each.modified >= since and intake.is_mistake(each.version.key, each.version.size)
    )
    return (upload for upload, record in files.records(mistakes) if not record.is_settled)


def objects_to_look_at(s3: "S3Client", bucket: str, *, intake: Intake, deadline: Deadline) -> Iterator[Upload]:
    """Yield the current versions among which `find` may find something, each once.

    All of them, or, in a bucket of another owner, those below the prefixes of the feeds and below what resembles one.
    Raises OutOfTime.
    """
    if not intake.existing_bucket:
        yield from listing.list_current(s3, bucket, prefix="", deadline=deadline)
        return
    for prefix in intake.prefixes:
        yield from listing.list_current(s3, bucket, prefix=prefix, deadline=deadline)
    yield from resembling(s3, bucket, intake=intake, deadline=deadline)


def resembling(s3: "S3Client", bucket: str, *, intake: Intake, deadline: Deadline) -> Iterator[Upload]:
    """Yield the current versions of the objects below no prefix of a feed but below what resembles one.

    Raises OutOfTime.
    """
    if all(intake.prefixes):
        yield from _resembling(s3, bucket, "", intake, deadline)


def _resembling(s3: "S3Client", bucket: str, folder: str, intake: Intake, deadline: Deadline) -> Iterator[Upload]:
    """The objects of a folder whose keys resemble the prefix of a feed, in folders below it too."""
    folders, objects = listing.list_folder(s3, bucket, folder, deadline=deadline)
    for each in folders:
        if intake.is_excepted(each):
            continue
        if intake.resembles(each):
            objects.extend(listing.list_current(s3, bucket, prefix=each, deadline=deadline))
        elif intake.leads_to_resembling(each):
            yield from _resembling(s3, bucket, each, intake, deadline)
    yield from (each for each in objects if intake.resembles(each.version.key))
