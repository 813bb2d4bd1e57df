"""`upload` says what became of files as soon as that can be known."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Lock
from typing import Any

import pytest
from botocore.exceptions import ClientError

from csv_ingest.dynamodb import DynamoDbTable
from csv_ingest.events import upload_event
from csv_ingest.ledger import FileLedger
from csv_ingest.model import Deadline, ObjectVersion
from csv_ingest.modes import APPEND
from ops import uploading, waiting
from ops.pipeline import Pipeline
from tests.integration.commands import fail, invoke, reported, run
from tests.integration.invoking import Invocations, version_of
from tests.integration.world import World

pytestmark = pytest.mark.usefixtures("commanded")

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files that are ingested, and one that is not."""
    made = tmp_path / "data"
    (made / "2026" / "11").mkdir(parents=True)
    (made / "a.csv").write_text("id\n1\n")
    (made / "2026" / "11" / "é b.csv").write_text("id,name\n1,x\n,y\n")
    (made / "notes.txt").write_text("hello")
    return made


@pytest.fixture
def triggered(world: World, pipeline: Pipeline) -> Iterator[list[str]]:
    """Every upload is delivered at once, one after another; the keys, in that order."""
    keys: list[str] = []
    in_turn = Lock()

    def remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["key"] = params["Key"]

    def deliver(context: dict[str, Any], **_: Any) -> None:
        with in_turn:
            keys.append(context["key"])
            world.deliver(upload_event(pipeline.latest(context["key"])))

    pipeline.clients.s3.meta.events.register("before-parameter-build.s3.PutObject", remember)
    pipeline.clients.s3.meta.events.register("after-call.s3.PutObject", deliver)
    yield keys
    pipeline.clients.s3.meta.events.unregister("after-call.s3.PutObject", deliver)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("to", ["incoming", "incoming/"])
def test_a_folder_keeps_its_paths_in_the_bucket(triggered: list[str], folder: Path, to: str) -> None:
    done = invoke("upload", str(folder), "--to", to, code=1)
    assert sorted(triggered) == ["incoming/2026/11/é b.csv", "incoming/a.csv"]
    assert "csv-ingest rejects 'incoming/2026/11/é b.csv'" in done.stdout
    assert f"not uploaded, because it would not be ingested: {folder / 'notes.txt'}" in done.stderr


def test_a_file_that_was_there_is_recognised(triggered: list[str], folder: Path) -> None:
    assert "complete already" not in run("upload", str(folder / "a.csv"), code=0)
    assert "was complete already: the same content was ingested" in run("upload", str(folder / "a.csv"), code=0)
    assert len(triggered) == 2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["notes.txt"], "notes.txt would not be ingested: only *.csv, *.csv.gz is"),
        (["empty"], "no file in the folder would be ingested"),
        (["a.csv", "other/a.csv"], "would have the same key, to/a.csv"),
        (["nothing.csv"], "does not exist"),
    ],
)
def test_what_cannot_be_meant_uploads_nothing(
    triggered: list[str], folder: Path, names: list[str], message: str
) -> None:
    (folder / "empty").mkdir()
    (folder / "other").mkdir()
    (folder / "other" / "a.csv").write_text("id\n2\n")
    done = invoke("upload", *(str(folder / name) for name in names), "--to", "to", code=2)
    assert message in " ".join(done.stderr.split())
    assert triggered == []


@pytest.mark.parametrize("to", ["s3://bucket/incoming", "/incoming/"])
def test_an_address_is_no_folder_of_the_bucket(triggered: list[str], folder: Path, to: str) -> None:
    assert "is not a folder of the bucket" in invoke("upload", str(folder / "a.csv"), "--to", to, code=2).stderr
    assert triggered == []


def test_a_paused_pipeline_gets_no_upload(triggered: list[str], folder: Path, invocations: Invocations) -> None:
    invocations.reserved = 0
    assert "csv-ingest resume" in invoke("upload", str(folder), code=1).stderr
    assert triggered == []


def test_time_that_is_used_up_is_said(folder: Path) -> None:
    [record] = reported("upload", str(folder / "a.csv"), "--timeout", "0", code=1)
    assert record["remark"] == "not settled after 0 seconds"
    assert "next: csv-ingest status a.csv" in run("upload", str(folder / "a.csv"), "--timeout", "0", code=1)


def failed(world: World, invocations: Invocations, version: ObjectVersion) -> None:  # noqa: ARG001 - one signature
    fail(world, upload_event(version), reason="")


def paused(world: World, invocations: Invocations, version: ObjectVersion) -> None:  # noqa: ARG001 - one signature
    invocations.reserved = 0


@pytest.mark.parametrize(
    ("event", "expected"), [(failed, ("RetriesExhausted", "")), (paused, (None, "the pipeline is paused"))]
)
def test_a_wait_without_hope_ends_early(
    world: World,
    pipeline: Pipeline,
    invocations: Invocations,
    event: Callable[[World, Invocations, ObjectVersion], None],
    expected: tuple[str | None, str],
) -> None:
    version = version_of(world.upload("a.csv", "id\n1\n"))
    fail(world, world.upload("other.csv", "id\n1\n"))
    event(world, invocations, version)
    [ended] = waiting.wait(pipeline, [version], begun=LONG_AGO, seconds=60, look_seconds=0)
    assert (ended.failure and ended.failure.condition, ended.remark) == expected


def test_an_earlier_failure_does_not_end_a_wait(world: World, pipeline: Pipeline) -> None:
    event = world.upload("a.csv", "id\n1\n")
    fail(world, event)
    begun = datetime.now(UTC) + timedelta(seconds=10)
    [ended] = waiting.wait(pipeline, [version_of(event)], begun=begun, seconds=0.5, look_seconds=0)
    assert (ended.failure, ended.remark) == (None, "not settled after 0 seconds")


def test_ten_files_are_sent_at_a_time(pipeline: Pipeline, tmp_path: Path) -> None:
    files = [uploading.Planned(tmp_path / f"{number}.csv", f"{number}.csv") for number in range(20)]
    for number, planned in enumerate(files):
        planned.file.write_text("id\n" + "1" * number)
    ten = Barrier(10, timeout=10)

    def wait(**_: Any) -> None:
        ten.wait()

    pipeline.clients.s3.meta.events.register("before-send.s3.PutObject", wait)
    told: list[str] = []
    versions = uploading.upload(pipeline, files, told.append)
    assert [(version.key, version.size) for version in versions] == [(f"{n}.csv", 3 + n) for n in range(20)]
    assert told[-1].startswith("20 of 20 files")


def test_a_file_that_cannot_be_sent_is_named(pipeline: Pipeline, tmp_path: Path) -> None:
    def refuse(params: dict[str, Any], **_: Any) -> None:
        if params["Key"] == "13.csv":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "made up"}}, "PutObject")

    for number in range(30):
        (tmp_path / f"{number}.csv").write_text("id\n1\n")
    pipeline.clients.s3.meta.events.register("before-parameter-build.s3.PutObject", refuse)
    done = invoke("upload", str(tmp_path), code=1)
    assert f"{tmp_path / '13.csv'} was not uploaded: " in done.stderr
    assert "AccessDenied" in done.stderr


def test_a_failed_delivery_is_told_while_waiting(world: World, pipeline: Pipeline) -> None:
    event = world.upload("a.csv", "id\n1\n")
    version, reasons, told = version_of(event), ["one", "one", "two"], list[str]()
    table = DynamoDbTable(world.dynamodb, world.files_table, deadline=Deadline.never())

    def deliver(_: str = "") -> None:
        if reasons:
            delivery = FileLedger.read(table, version, "default", APPEND)
            delivery.begin(attempt=1)
            delivery.record_error(reasons.pop(0))
        else:
            world.deliver(event)

    deliver()
    waiting.wait(pipeline, [version], begun=datetime.now(UTC) + timedelta(seconds=10), seconds=0, tell=told.append)
    assert told == [], "it had failed before"
    waiting.wait(pipeline, [version], begun=LONG_AGO, seconds=60, look_seconds=0, progress=deliver, tell=told.append)
    assert told == ["a.csv: a delivery failed: one. Lambda tries it again", "a.csv: a delivery failed: two"]


def test_a_rejected_file_ends_the_wait(triggered: list[str], folder: Path) -> None:
    (folder / "a.csv").write_text("\0")
    done = invoke("upload", str(folder / "a.csv"), "--timeout", "60", code=1)
    assert triggered == ["a.csv"]
    assert "next: correct the file and upload it again" in done.stdout
    assert done.stdout.count("line 1 has a NUL byte") == 1
