"""S3 events, read and written, and the records of the failure queue. Pure: no AWS call, no clock."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from csv_ingest.model import NO_VERSION, MalformedEvent, ObjectVersion, PartJob, Phase

Event = dict[str, Any]

_SEQUENCER_DIGITS = 24
"""S3's sequencers have had eighteen."""

NO_SEQUENCER = "0" * _SEQUENCER_DIGITS
"""Before every other, in the same millisecond."""


def is_test_event(event: Mapping[str, Any]) -> bool:
    """Whether S3 sent this event because a notification was configured, and not because of an upload.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-enable-disable-notification-intro.html
    """
    return event.get("Event") == "s3:TestEvent" and "Records" not in event


def records_of(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The event's records, at least one; raises MalformedEvent if it is not an S3 notification."""
    records = event.get("Records")
    if not isinstance(records, list) or not records:
        raise MalformedEvent("the event has no Records: expected an S3 notification")
    return records


def bucket_of(record: Mapping[str, Any]) -> str:
    """The name of the bucket that a record is about; raises MalformedEvent if there is none."""
    try:
        return str(record["s3"]["bucket"]["name"])
    except (KeyError, TypeError) as error:
        raise MalformedEvent(f"a record names no bucket: {error!r}") from error


def object_version(record: Mapping[str, Any]) -> ObjectVersion:
    """The object version whose upload a record reports.

    Raises MalformedEvent if the record is of another kind, or names no version: without one, the bytes that are
    read later need not be the bytes that this event is about.
    """
    try:
        name, described = record["eventName"], record["s3"]["object"]
        if not name.startswith("ObjectCreated:"):
            raise MalformedEvent(f"a record reports {name}, expected ObjectCreated:*")
        return ObjectVersion(
            bucket=bucket_of(record),
            key=unquote_plus(described["key"], errors="strict"),
            version_id=described["versionId"],
            etag=described["eTag"].strip('"'),
            size=int(described["size"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise MalformedEvent(f"a record does not name an object version: {error!r}") from error


def time_of_upload(record: Mapping[str, Any]) -> tuple[str, str] | None:
    """When the upload ended that a record reports, and the place of the event among those of its key, as texts.

    Of two uploads, the later one has the greater texts. S3 compares sequencers as hexadecimal numbers that are padded
    on the right. None if the record has no time, as those that `upload_event` makes. Raises MalformedEvent if that is
    no time, or if the bucket kept no versions then: the next upload of the key would be taken for this one. https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    if (time := record.get("eventTime")) is None:
        return None
    try:
        described = record["s3"]["object"]
        sequencer = str(described.get("sequencer", "")).upper()
        if described.get("versionId") == NO_VERSION:
            raise MalformedEvent(
                "the bucket keeps no versions: enable versioning, discard this event, and upload the file again"
            )
        return as_text(datetime.fromisoformat(time)), sequencer.ljust(_SEQUENCER_DIGITS, "0")
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise MalformedEvent(f"a record does not name the time of its upload: {error!r}") from error


def as_text(time: datetime) -> str:
    """A time in UTC, to the millisecond, as S3 writes it in its events; a later time is a greater text."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def part_job(record: Mapping[str, Any]) -> PartJob | None:
    """The part of the object that a record is about; None if the record is about the whole object.

    Raises MalformedEvent if the record does not say it as `upload_event` does.
    """
    if (described := record.get("part")) is None:
        return None
    try:
        number, check = described["number"], described["check"]
    except (KeyError, TypeError) as error:
        raise MalformedEvent(f"a record does not name a part: {error!r}") from error
    if not (isinstance(number, int) and number >= 0 and isinstance(check, bool)):
        raise MalformedEvent(f"a record does not name a part: {described!r}")
    return PartJob(number, Phase.CHECK if check else Phase.STORE)


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


def rejection(record: Mapping[str, Any], reason: str, *, function_arn: str, request_id: str, now: str) -> Event:
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
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": None},
        "responsePayload": {"errorType": "UnreadableFile", "errorMessage": reason},
    }
