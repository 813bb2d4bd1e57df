"""S3 events, read and written, and the records of the failure queue. Pure: no AWS call, no clock.

Whoever may invoke the function can write an event. So each field that is read is checked; a message names the field,
and never its value.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from csv_ingest.model import NO_VERSION, MalformedEvent, ObjectVersion, PartJob, Phase

Event = dict[str, Any]

_SEQUENCER_DIGITS, _MAX_SEQUENCER = 24, 40
"""How many a shorter sequencer is padded to, and how many one has at most. S3's have had eighteen."""

NO_SEQUENCER = "0" * _SEQUENCER_DIGITS
"""Before every other, in the same millisecond."""

CLOCKS = timedelta(minutes=5)
"""How much the clocks of S3 and of this machine may differ."""

_NAMES = {"size": "size", "eTag": "etag", "versionId": "version-id", "sequencer": "sequencer"}
"""Of an object, in S3's notifications and in EventBridge's events."""

_EXPECTED = "expected S3's own notification, or EventBridge's `Object Created`: have one of them invoke the function"

_IN_KEYS = re.compile("[A-Za-z0-9._+/=:-]+")
_MAX_ETAG, _MAX_VERSION = 64, 900
"""An ETag or a version id: the ledger's keys have # and ~ after them. S3's ETags are hexadecimal, after a multipart
upload with a dash and a number; its version ids are URL-ready, and may have 1,024 bytes. They have had 32; with an
ETag, more than 900 have no room in a sort key of the ledger.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html"""

_TOO_MANY = 10**18
"""Bytes, or parts: an object has at most 50 TB."""

_MAX_KEY = 1_024
"""Bytes. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""


def is_test_event(event: Mapping[str, Any]) -> bool:
    """Whether S3 sent this event because a notification was configured, and not because of an upload.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-enable-disable-notification-intro.html
    """
    return event.get("Event") == "s3:TestEvent" and "Records" not in event


def records_of(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The event's records in the form of S3's notifications, at least one.

    Raises MalformedEvent if it is neither such a notification nor EventBridge's `Object Created`.
    """
    if is_of_eventbridge(event):
        return [_record_of(event)]
    records = event.get("Records")
    if not isinstance(records, list) or not records:
        raise MalformedEvent(f"the event has no Records: {_EXPECTED}")
    for service, mark in (("SNS", "Sns"), ("SQS", "messageId")):
        if isinstance(records[0], Mapping) and mark in records[0]:
            raise MalformedEvent(f"the event came through {service}: {_EXPECTED}")
    return records


def is_of_eventbridge(event: Mapping[str, Any]) -> bool:
    """Whether EventBridge sent this event because of an upload.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    """
    return event.get("source") == "aws.s3" and event.get("detail-type") == "Object Created"


def _record_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an event of EventBridge says, as S3's notifications say it: their keys are URL-encoded."""
    detail = _part(event, "detail")
    described = _part(detail, "object")
    return {
        "eventName": "ObjectCreated:EventBridge",
        "eventTime": event.get("time"),
        "s3": {
            "bucket": detail.get("bucket"),
            "object": {
                "key": quote_plus(_text(described, "key")),
                **{name: described[other] for name, other in _NAMES.items() if other in described},
            },
        },
    }


def bucket_of(record: Mapping[str, Any]) -> str:
    """The name of the bucket that a record is about; raises MalformedEvent if there is none."""
    return _text(_part(_part(record, "s3"), "bucket"), "name")


def object_version(record: Mapping[str, Any]) -> ObjectVersion:
    """The object version whose upload a record reports.

    Raises MalformedEvent if the record is of another kind, or names no version: without one, the bytes that are
    read later need not be the bytes that this event is about.
    """
    if not _text(record, "eventName").startswith("ObjectCreated:"):
        raise MalformedEvent("the eventName of a record is not ObjectCreated:*")
    described = _part(_part(record, "s3"), "object")
    return ObjectVersion(
        bucket=bucket_of(record),
        key=_key(described),
        version_id=_in_keys("versionId", _text(described, "versionId")),
        etag=_in_keys("eTag", _text(described, "eTag").strip('"'), most=_MAX_ETAG),
        size=_count(described, "size"),
    )


def time_of_upload(record: Mapping[str, Any], *, now: datetime) -> tuple[str, str] | None:
    """When the upload ended that a record reports, and the place of the event among those of its key, as texts.

    Of two uploads, the later one has the greater texts. S3 compares sequencers as hexadecimal numbers that are padded
    on the right. None if the record has no time, as those that `upload_event` makes. Raises MalformedEvent if that is
    no time, or one after `now`, or if the bucket kept no versions then: the next upload of the key would be taken for
    this one. https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    if record.get("eventTime") is None:
        return None
    described = _part(_part(record, "s3"), "object")
    if described.get("versionId") == NO_VERSION:
        raise MalformedEvent(
            "the bucket keeps no versions: enable versioning, discard this event, and upload the file again"
        )
    sequencer = _text(described, "sequencer") if "sequencer" in described else NO_SEQUENCER
    if not re.fullmatch(rf"[0-9A-Fa-f]{{1,{_MAX_SEQUENCER}}}", sequencer):
        raise MalformedEvent(f"the sequencer of a record is not hexadecimal, of at most {_MAX_SEQUENCER} digits")
    return as_text(_time(record, now)), sequencer.upper().ljust(_SEQUENCER_DIGITS, "0")


def as_text(time: datetime) -> str:
    """A time in UTC, to the millisecond, as S3 writes it in its events; a later time is a greater text."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def part_job(record: Mapping[str, Any]) -> PartJob | None:
    """The part of the object that a record is about; None if the record is about the whole object.

    Raises MalformedEvent if the record does not say it as `upload_event` does.
    """
    if record.get("part") is None:
        return None
    described = _part(record, "part")
    if not isinstance(check := described.get("check"), bool):
        raise MalformedEvent("the check of a record's part is not true or false")
    return PartJob(_count(described, "number"), Phase.CHECK if check else Phase.STORE)


def upload_event(version: ObjectVersion, job: PartJob | None = None) -> Event:
    """The event that delivers an object version again, or dispatches one part of it.

    It has one record; `object_version` and `part_job` of the record return the arguments.
    """
    record: dict[str, Any] = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Redelivered",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": version.bucket, "arn": f"arn:aws:s3:::{version.bucket}"},
            "object": {
                "key": quote_plus(version.key),
                "size": version.size,
                "eTag": version.etag,
                "versionId": version.version_id,
            },
        },
    }
    if job:
        record["part"] = {"number": job.number, "check": job.is_check}
    return {"Records": [record]}


def rejection(
    record: Mapping[str, Any], reason: str, *, function_arn: str, version: str, request_id: str, now: str
) -> Event:
    """The failure queue's record of a rejected file, in the shape that Lambda writes to an on-failure destination.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    return {
        "version": "1.0",
        "timestamp": now,
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": "Rejected",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"Records": [record]},
        "responseContext": {"statusCode": 200, "executedVersion": version, "functionError": None},
        "responsePayload": {"errorType": "UnreadableFile", "errorMessage": reason},
    }


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object that a record, or a part of it, has under a name."""
    found = of.get(name) if isinstance(of, Mapping) else None
    if not isinstance(found, Mapping):
        raise MalformedEvent(f"a record has no {name}")
    return found


def _text(of: Mapping[str, Any], name: str) -> str:
    """The text under a name: not empty, and without what no table can store, and no log."""
    found = of.get(name) if isinstance(of, Mapping) else None
    if not isinstance(found, str) or not found or "\0" in found or _is_broken(found):
        raise MalformedEvent(f"the {name} of a record is missing, or no text")
    return found


def _is_broken(text: str) -> bool:
    """Whether a text has half of a character, which JSON can have."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _in_keys(name: str, text: str, *, most: int = _MAX_VERSION) -> str:
    """The text that was under a name, and becomes a part of keys."""
    if not _IN_KEYS.fullmatch(text) or len(text) > most:
        raise MalformedEvent(f"the {name} of a record has a character that none of S3's has, or is too long")
    return text


def _key(of: Mapping[str, Any]) -> str:
    """The key of the object, as the uploader wrote it."""
    try:
        key = unquote_plus(_text(of, "key"), errors="strict")
        is_key = len(key.encode()) <= _MAX_KEY and "\0" not in key
    except UnicodeError:
        is_key = False
    if not is_key:
        raise MalformedEvent("the key of a record is not the URL-encoded key of an object")
    return key


def _count(of: Mapping[str, Any], name: str) -> int:
    found = of.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < _TOO_MANY:
        raise MalformedEvent(f"the {name} of a record is no number of 0 or more")
    return found


def _time(of: Mapping[str, Any], now: datetime) -> datetime:
    """The time of an event, in UTC."""
    try:
        time = datetime.fromisoformat(_text(of, "eventTime"))
        utc = time.astimezone(UTC) if time.tzinfo else None
    except (ValueError, OverflowError):
        utc = None
    if utc is None:
        raise MalformedEvent("the eventTime of a record is not in ISO 8601, with its zone")
    if utc > now + CLOCKS:
        raise MalformedEvent("the eventTime of a record is in the future")
    return utc
