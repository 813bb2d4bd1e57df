"""What events say, and what they do not say."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from csv_ingest.events import (
    as_text,
    bucket_of,
    is_test_event,
    object_version,
    part_job,
    records_of,
    time_of_upload,
    upload_event,
)
from csv_ingest.model import MalformedEvent, ObjectVersion
from local.examples import sample_event

NOW = datetime(2026, 11, 5, 10, tzinfo=UTC)


def record(**changes: Any) -> dict[str, Any]:
    described: dict[str, Any] = upload_event(ObjectVersion("uploads", "orders.csv", "v1", "e1", 3))["Records"][0]
    described["s3"]["object"] |= changes
    return described


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("orders.csv", "orders.csv"),
        ("a+b/vendor+upload+Q1.csv", "a b/vendor upload Q1.csv"),
        ("May+%2B+June.csv", "May + June.csv"),
        ("%C3%BCber/100%25.csv", "über/100%.csv"),
    ],
)
def test_a_key_is_decoded_as_the_uploader_wrote_it(encoded: str, key: str) -> None:
    assert object_version(record(key=encoded)).key == key


@pytest.mark.parametrize("etag", ["0a1b-2", '"0a1b-2"'])
def test_an_etag_is_bare_with_and_without_quotes(etag: str) -> None:
    assert object_version(record(eTag=etag)).etag == "0a1b-2"


def test_an_object_version_has_all_the_event_says() -> None:
    assert object_version(record()) == ObjectVersion("uploads", "orders.csv", "v1", "e1", 3)


@pytest.mark.parametrize("key", ["orders.csv", "May + June.csv", "über/100%.csv", "a&b=c;d.csv"])
def test_an_upload_event_names_the_same_upload(key: str) -> None:
    version = ObjectVersion("uploads", key, "v1", "0a1b-2", 3)
    [again] = records_of(upload_event(version))
    assert object_version(again) == version


def of_eventbridge(**changes: Any) -> dict[str, Any]:
    """As https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html shows it."""
    described = {
        "key": "May + June/%C3.csv",
        "size": 3,
        "etag": "e1",
        "version-id": "v1",
        "sequencer": "617f08299329d189",
    }
    return {
        "version": "0",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "time": "2026-11-05T09:59:58Z",
        "detail": {"version": "0", "bucket": {"name": "uploads"}, "object": described | changes, "reason": "PutObject"},
    }


def test_eventbridge_tells_of_an_upload_in_its_own_form() -> None:
    """Its keys are not URL-encoded."""
    [found] = records_of(of_eventbridge())
    assert object_version(found) == ObjectVersion("uploads", "May + June/%C3.csv", "v1", "e1", 3)
    assert time_of_upload(found, now=NOW) == ("2026-11-05T09:59:58.000Z", "617F08299329D18900000000")
    assert part_job(found) is None


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (of_eventbridge() | {"detail": {}}, "a record has no object"),
        (of_eventbridge(key=""), "the key of a record is missing"),
        (of_eventbridge(key="\ud800"), "the key of a record is missing, or no text"),
        (of_eventbridge(**{"version-id": None}), "the versionId of a record is missing"),
        (
            of_eventbridge() | {"detail-type": "Object Deleted"},
            "the event has no Records: expected S3's own notification",
        ),
        ({"Records": [{"Sns": {"Message": "{}"}}]}, "the event came through SNS: expected S3's own notification, or"),
        ({"Records": [{"messageId": "1", "body": "{}"}]}, "the event came through SQS: expected S3's own"),
    ],
)
def test_other_forms_of_events_are_told_what_is_expected(event: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedEvent, match=message):
        object_version(records_of(event)[0])


@pytest.mark.parametrize("name", ["Put", "Post", "Copy", "CompleteMultipartUpload"])
def test_every_way_of_creating_an_object_is_an_upload(name: str) -> None:
    assert object_version(record() | {"eventName": f"ObjectCreated:{name}"}).key == "orders.csv"


def test_only_s3s_test_event_is_a_test_event() -> None:
    assert is_test_event(sample_event("s3-test-event.json"))
    assert not is_test_event(sample_event("console-template.json"))


def test_the_consoles_template_is_known_by_its_bucket() -> None:
    [template] = records_of(sample_event("console-template.json"))
    assert bucket_of(template) == "example-bucket"
    with pytest.raises(MalformedEvent, match="versionId"):
        object_version(template)


@pytest.mark.parametrize(
    "event",
    [{}, {"Records": []}, {"Records": None}, {"Records": "x"}, {"detail-type": "Object Created"}],
    ids=json.dumps,
)
def test_an_event_of_another_kind_is_an_error(event: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent, match="Records"):
        records_of(event)


INJECTED = "'; DROP TABLE vendors; --"


def timed(time: Any, **changes: Any) -> dict[str, Any]:
    """A record as S3 sends it."""
    return record(**{"sequencer": "00A1", **changes}) | {"eventTime": time}


TIME = "2026-11-05T10:00:00Z"
NO_NAMES = [INJECTED, "a#b", "a~b", "a b", "a\n", 'a"b', "v\0", "é", "v" * 1_025, "", None, 7, ["v"]]

BROKEN: dict[str, list[Any]] = {
    "eventName": [{}, [], *(record() | {"eventName": name} for name in (f"ObjectRemoved:{INJECTED}", "", 7))],
    "object": [{"eventName": "ObjectCreated:Put", "s3": {}}, {"eventName": "ObjectCreated:Put", "s3": {"object": "x"}}],
    "size": [record(size=size) for size in (INJECTED, "12", -1, True, 1.5, None, float("nan"))],
    "key": [record(key=key) for key in ("%FF.csv", "", "a%00.csv", "a\0.csv", "\ud800", "x" * 1_025, 7, None)],
    "eTag": [record(eTag=etag) for etag in ('""', *NO_NAMES)],
    "versionId": [record(versionId=version_id) for version_id in NO_NAMES],
    "part": [record() | {"part": part} for part in ("x", 0, ["x"])],
    "number": [record() | {"part": {"number": number, "check": False}} for number in (True, -1, "0", None)],
    "check": [record() | {"part": {"number": 0, "check": check}} for check in (INJECTED, 0, None)],
    "eventTime": [timed(time) for time in (INJECTED, "", 7, "2026-11-05T10:00:00", "0001-01-01T00:00:00+23:00")],
    "future": [timed(time) for time in ("2026-11-05T10:06:00Z", "9999-12-31T23:59:59.999Z")],
    "sequencer": [timed(TIME, sequencer=text) for text in (INJECTED, "", "0x1", "F" * 41, "é", None, 9)],
    "keeps no versions": [timed(TIME, versionId="null")],
}
"""Records that no S3 sends, by what is said of them."""


def read(event: Any) -> None:
    object_version(event)
    part_job(event)
    time_of_upload(event, now=NOW)


@pytest.mark.parametrize("said", BROKEN)
def test_a_field_that_is_none_is_named(said: str) -> None:
    for broken in BROKEN[said]:
        with pytest.raises(MalformedEvent, match=said) as raised:
            read(broken)
        assert INJECTED not in str(raised.value)


@pytest.mark.parametrize("time", ["2026-11-05T10:04:59.999Z", "2026-11-05T12:00:00.000+02:00", "2006-03-14T00:00:00Z"])
def test_a_time_is_taken_in_every_zone(time: str) -> None:
    assert time_of_upload(timed(time, sequencer="0055AED6DCD90281E5"), now=NOW) == (
        as_text(datetime.fromisoformat(time)),
        "0055AED6DCD90281E5000000",
    )


@pytest.mark.parametrize("broken", [{}, {"s3": None}, {"s3": {"bucket": []}}, {"s3": {"bucket": {"name": 7}}}, "x"])
def test_a_record_without_a_bucket_is_an_error(broken: Any) -> None:
    with pytest.raises(MalformedEvent, match=r"bucket|s3|name"):
        bucket_of(broken)
