"""Objects that no feed takes, as the bucket has them now, with the reason."""

from datetime import datetime
from typing import NamedTuple

from csv_ingest import ignored, intake, listing
from csv_ingest.model import Deadline, ObjectVersion, Upload

from .pipeline import DeployedFeed, Pipeline


class IgnoredObject(NamedTuple):
    """The current version of an object, and why no feed takes it."""

    version: ObjectVersion
    modified: datetime
    why: intake.NotTaken


def ignored_objects(pipeline: Pipeline, feed: DeployedFeed | None = None) -> list[IgnoredObject]:
    """Every object that the sweep would count, or those below the prefix of one feed, the latest first."""
    never = Deadline.never()
    s3, bucket, taken = pipeline.clients.s3, pipeline.upload_bucket, pipeline.intake
    if feed:
        objects = listing.list_current(s3, bucket, prefix=feed.settings.key_prefix, deadline=never)
    else:
        objects = ignored.objects_to_look_at(s3, bucket, intake=taken, deadline=never)
    since = ignored.deployed_at(pipeline.clients.dynamodb, pipeline.files_table)
    found = ignored.find(objects, intake=taken, files=pipeline.files, since=since)
    return sorted((_explained(pipeline, each) for each in found), key=lambda each: each.modified, reverse=True)


def of_key(pipeline: Pipeline, key: str) -> list[IgnoredObject]:
    """The object with a key, whenever it was uploaded, if no feed takes it and none of former settings did."""
    if pipeline.intake.takes(key):
        return []
    current, _ = listing.find_current(pipeline.clients.s3, pipeline.upload_bucket, key)
    found = pipeline.files.records([current] if current else [])
    return [_explained(pipeline, each) for each, record in found if not record.is_settled]


def example_below(pipeline: Pipeline, prefix: str) -> IgnoredObject | None:
    """An object whose key begins with a prefix and that no feed takes, whenever it was uploaded; None if none is."""
    objects = listing.list_current(
        pipeline.clients.s3, pipeline.upload_bucket, prefix=prefix, deadline=Deadline.never()
    )
    ignored_ = (each for each in objects if not pipeline.intake.takes(each.version.key) and each.version.size)
    return next((_explained(pipeline, each) for each in ignored_), None)


def _explained(pipeline: Pipeline, upload: Upload) -> IgnoredObject:
    return IgnoredObject(*upload, pipeline.intake.why_not(upload.version.key))
