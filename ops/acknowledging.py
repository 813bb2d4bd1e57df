"""Note that somebody knows of an upload that is not good, so that it is on no list of what has to be looked at."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import boto3

from csv_ingest.uploads import ObjectVersion
from ops.failure import Failure
from ops.pipeline import Pipeline
from ops.redrive import redrive_all
from ops.status import UploadStatus, explained, of_key


@dataclass
class Acknowledged:
    """What was found of an object key, and done."""

    uploads: list[UploadStatus] = field(default_factory=list)
    """Those that are acknowledged, by this command or an earlier one."""
    unsettled: list[UploadStatus] = field(default_factory=list)
    """Those that are neither complete nor rejected: nobody can know yet what becomes of them."""
    good: list[UploadStatus] = field(default_factory=list)
    """Those of which there is nothing to acknowledge."""
    messages: int = 0
    """How many messages about the acknowledged uploads were deleted from the failure queue."""


def acknowledge(pipeline: Pipeline, key: str, reason: str) -> Acknowledged:
    """Note on each settled upload of a key that is not good who knows of it and why nothing more has to be done.

    Then delete the messages about these uploads from the failure queue that were sent before the note. Repeating it
    changes no note. A note ends with the outcome: a delivery that settles the upload anew removes it.
    """
    done = Acknowledged()
    fresh: set[str] = set()
    for status in explained(pipeline, of_key(pipeline, key)):
        if not status.is_settled:
            done.unsettled.append(status)
        elif status.is_good:
            done.good.append(status)
        elif status.record.acknowledgement:
            done.uploads.append(status)
        elif (noted := _noted(pipeline, status, reason)).record.acknowledgement:
            done.uploads.append(noted)
            fresh.add(str(noted.record.attributes["entry"]))
        else:  # it was delivered again meanwhile
            done.unsettled.append(noted)
    if done.uploads:
        deleted = redrive_all(pipeline, wanted=lambda failure: _is_known(pipeline, key, fresh, failure), discard=True)
        done.messages = sum(each.is_good for each in deleted)
    return done


def _noted(pipeline: Pipeline, status: UploadStatus, reason: str) -> UploadStatus:
    caller = boto3.client("sts").get_caller_identity()["Arn"]
    return replace(status, record=pipeline.files.acknowledge(status.record, caller, reason))


def _is_known(pipeline: Pipeline, key: str, fresh: Collection[str], failure: Failure) -> bool:
    """Whether a message is about acknowledged uploads of a key only, and was there when they were acknowledged.

    `fresh` are the entries that were acknowledged just now. The same bytes under the same key are the same upload,
    unless the feed merges: if they were uploaded again since, and that failed, somebody has to look.
    """

    def is_known(version: ObjectVersion) -> bool:
        if version.key != key:
            return False
        record = pipeline.files.record(version)
        note = record.acknowledgement
        return note is not None and (record.attributes["entry"] in fresh or failure.sent_at <= note.at)

    names_all = len(failure.versions) == len(failure.subjects) > 0
    return names_all and all(map(is_known, failure.versions))
