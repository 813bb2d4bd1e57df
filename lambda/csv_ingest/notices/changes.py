"""What a change of the ledger means: which upload has which new outcome. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from csv_ingest import ledger
from csv_ingest.model import MalformedEvent
from csv_ingest.notices.notice import Kind


class Change(NamedTuple):
    """An upload of which somebody has to be told."""

    kind: Kind
    feed: str | None
    """None if the record does not say it: then the key does."""
    record: ledger.FileRecord
    """With the outcome; of a forgotten upload, as it was before."""


def change_of(record: Mapping[str, Any]) -> Change | None:
    """What a record of the files table's stream tells; None if it is no new outcome.

    An outcome has the time at which it was settled: what else is changed in its record, such as an acknowledgement, is
    no outcome. Raises MalformedEvent if the record is none of a stream with new and old images.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
    """
    try:
        images = record["dynamodb"]
        images["Keys"]["object_key"]["S"]
        old, new = (ledger.FileRecord.of(images.get(name, {})) for name in ("OldImage", "NewImage"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedEvent("a record of the stream is not as DynamoDB writes it") from error
    if new.feed_of_status is not None:
        return _settled(new.feed_of_status, old, new)
    if old.erasing == ledger.FORGET and not new.attributes and old.is_of_upload and old.version_id:
        return Change(Kind.FORGOTTEN, old.feed_of_status or (old.owner.feed if old.is_planned else None), old)
    return None


def _settled(feed: str, old: ledger.FileRecord, new: ledger.FileRecord) -> Change | None:
    if not new.is_settled or (old.settled_at, old.status) == (new.settled_at, new.status):
        return None
    kind = Kind.COMPLETE if new.status == ledger.COMPLETE else Kind.REJECTED
    return Change(kind, feed, new)
