"""What events say, and what they do not say."""

import json
from typing import Any

import pytest

from csv_ingest.events import bucket_of, is_test_event, object_version, records_of, upload_event
from csv_ingest.model import MalformedEvent, ObjectVersion
from local.examples import sample_event


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


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (record() | {"eventName": "ObjectRemoved:Delete"}, "ObjectRemoved:Delete"),
        ({}, "eventName"),
        ({"eventName": "ObjectCreated:Put", "s3": {}}, "object"),
        ({"eventName": 7, "s3": {"object": {}}}, "startswith"),
        (record(size="many"), "many"),
        (record(key="%FF.csv"), "utf-8"),
        (record(eTag=None), "strip"),
    ],
)
def test_a_record_without_upload_says_what_is_wrong(broken: dict[str, Any], said: str) -> None:
    with pytest.raises(MalformedEvent, match=said):
        object_version(broken)


@pytest.mark.parametrize("broken", [{}, {"s3": None}, {"s3": {"bucket": []}}])
def test_a_record_without_a_bucket_is_an_error(broken: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent, match="bucket"):
        bucket_of(broken)
