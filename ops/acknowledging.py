"""Note that somebody knows of an upload that is not good, so that it is on no list of what has to be looked at."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import partial

import boto3

from csv_ingest.failure import Failure

from . import explaining, redrive, status
from .pipeline import Pipeline


@dataclass
class Acknowledged:
    """The uploads of an object key, and the result of acknowledging them."""

    uploads: list[status.UploadStatus] = field(default_factory=list)
    """Acknowledged by this command or an earlier one."""
    unsettled: list[status.UploadStatus] = field(default_factory=list)
    """Neither complete nor rejected: nobody can know yet what becomes of them."""
    good: list[status.UploadStatus] = field(default_factory=list)
    """Complete uploads without rejected rows: there is nothing to acknowledge."""
    messages: int = 0
    """Messages about the acknowledged uploads that were deleted from the failure queue."""


def acknowledge(pipeline: Pipeline, key: str, reason: str) -> Acknowledged:
    """Note on each settled upload of a key that is not good who knows of it and why nothing more has to be done.

    Then delete the messages about these uploads from the failure queue that were sent before the note. Repeating it
    changes no note. A note ends with the outcome: a delivery that settles the upload anew removes it.
    """
    found = explaining.explained(pipeline, status.of_key(pipeline, key))
    open_ = [each for each in found if each.is_settled and each.is_open]
    caller = boto3.client("sts").get_caller_identity()["Arn"] if open_ else ""
    done, fresh = Acknowledged(), set[str | None]()
    for each in found:
        if each.is_good:
            done.good.append(each)
            continue
        record = each.record
        if each in open_:
            record = pipeline.files.acknowledge(record, caller, reason)
            fresh.add(record.entry)
        # Without a note, it is not settled, or was delivered again meanwhile.
        (done.uploads if record.acknowledgement else done.unsettled).append(replace(each, record=record))
    if done.uploads:
        wanted = partial(_is_known, pipeline, key, fresh)
        deleted = redrive.redrive_all(pipeline, wanted=wanted, discard=True)
        done.messages = sum(each.is_good for each in deleted)
    return done


def _is_known(pipeline: Pipeline, key: str, fresh: Collection[str | None], failure: Failure) -> bool:
    """Whether a message is about acknowledged uploads of a key only, and was there when they were acknowledged.

    `fresh` are the entries that were acknowledged just now. The same bytes under the same key are the same upload,
    unless the feed merges: if they were uploaded again since, and that failed, somebody has to look.
    """
    names_all = len(failure.versions) == len(failure.subjects) > 0
    if not names_all or any(version.key != key for version in failure.versions):
        return False
    notes = ((each.entry, each.acknowledgement) for each in map(pipeline.files.record, failure.versions))
    return all(note and (entry in fresh or failure.sent_at <= note.at) for entry, note in notes)
