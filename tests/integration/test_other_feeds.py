"""A file that its own feed cannot read: which feed of the deployment would, and no guess beyond that."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from csv_ingest.events import upload_event
from ops.pipeline import Pipeline
from tests.integration.commands import reported, run
from tests.integration.world import World, fresh_world

pytestmark = pytest.mark.usefixtures("commanded")

OF_VENDORS = "nr;Preis\n1;5,50\n"
ADVICE = "the feed vendors would read this header: upload it below vendors/"


@pytest.fixture
def world() -> Iterator[World]:
    """The feed of orders, one with other columns, and one whose files need no column."""
    with fresh_world() as made:
        made.add_feed("vendors", "vendors/", id_column="nr", delimiter=";", columns={"Preis": "text"})
        made.add_feed("lines", "lines/", id_column="@line", columns="{}")
        yield made


@pytest.fixture
def delivered(world: World, pipeline: Pipeline) -> None:
    """Every upload is delivered at once."""
    keys: list[str] = []
    events = pipeline.clients.s3.meta.events
    events.register("before-parameter-build.s3.PutObject", lambda params, **_: keys.append(params["Key"]))
    events.register("after-call.s3.PutObject", lambda **_: world.deliver(upload_event(pipeline.latest(keys[-1]))))


@pytest.mark.parametrize(
    ("content", "remark"),
    [(OF_VENDORS, ADVICE), ("a,b\n1,2\n", ""), ("id,name\n\0", ""), ("", "")],
    ids=["of another feed", "of no feed", "of its own", "empty"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_feed_that_would_read_it_is_named(
    tmp_path: Path, world: World, content: str, remark: str, packed: bool
) -> None:
    name = "a.csv.gz" if packed else "a.csv"
    body = gzip.compress(content.encode()) if packed else content.encode()
    (tmp_path / name).write_bytes(body)
    code = 1 if content else 0
    assert reported("check", str(tmp_path / name), "--feed", "default", code=code).get("remark", "") == remark
    world.ingest(f"orders/{name}", body)
    assert (ADVICE in run("status", f"orders/{name}", code=code)) == bool(remark)


@pytest.mark.usefixtures("delivered")
def test_an_upload_to_the_wrong_feed_names_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(OF_VENDORS)
    output = run("upload", str(tmp_path / "a.csv"), "--to", "orders/", code=1)
    assert output.count(f"  {ADVICE}\n") == 1


def test_an_object_that_is_gone_has_no_advice(world: World) -> None:
    world.ingest("orders/a.csv", OF_VENDORS)
    [version] = world.s3.list_object_versions(Bucket=world.bucket)["Versions"]
    world.s3.delete_object(Bucket=world.bucket, Key="orders/a.csv", VersionId=version["VersionId"])
    output = run("status", "orders/a.csv", code=1)
    assert "no column is named 'id'" in output
    assert ADVICE not in output
