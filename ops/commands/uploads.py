"""How uploads are shown, by `status` and by the commands that wait for them, and objects that no feed takes."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from rich import filesize

from csv_ingest.model import ObjectVersion

from .. import display, ignored, status, waiting
from ..pipeline import Pipeline
from ..wording import counted
from . import explanations

HEADER = f"{'':2}{'status':<10}  {'since (UTC)':<19}  {'size':>9} {'read':>10} {'stored':>10} {'rejected':>10}"
"""78 columns, under a line with nothing but the key: a key must never be cut."""

IGNORED = "IGNORED"  # shown in the place of an upload's status. The ledger has no such status.


def print_uploads(statuses: Sequence[status.UploadStatus], not_taken: Sequence[ignored.IgnoredObject] = ()) -> None:
    """Show uploads, and objects that no feed takes: a line with the key and some lines about it."""
    if statuses or not_taken:
        display.say(HEADER)
    for upload in statuses:
        print_upload(upload)
    print_ignored(not_taken)


def wait_and_print(
    pipeline: Pipeline,
    versions: Sequence[ObjectVersion],
    *,
    begun: datetime,
    seconds: float,
    json_: bool,
    remark: Callable[[int, status.UploadStatus], status.UploadStatus] = lambda _, upload: upload,
) -> bool:
    """Wait for uploads that were delivered since `begun`, and show them; whether each is complete without rejects.

    `remark` gets the number of each upload, from 0, and its status, and may add a remark.
    """
    with display.working("waiting") as show:
        tell = display.say_meanwhile
        found = waiting.wait(pipeline, versions, begun=begun, seconds=seconds, progress=show, tell=tell)
    ended = [remark(number, each) for number, each in enumerate(found)]
    if json_:
        display.print_json(list(map(as_json, ended)))
    else:
        print_uploads(ended)
    return all(each.is_good for each in ended)


def as_json(upload: status.UploadStatus) -> dict[str, Any]:
    """The record as the ledger has it, numbers as numbers; without a record, what the bucket has."""
    about = {"object_key": upload.key, "entry": upload.etag, "size": upload.size, **upload.record.attributes}
    more: dict[str, Any] = {"progress": upload.progress, "remark": upload.remark, "absence": upload.absence}
    if failure := upload.failure:
        sent_at = failure.sent_at.isoformat()
        more["failure"] = {"sent_at": sent_at, "condition": failure.condition, "reason": failure.reason}
    return about | {name: value for name, value in more.items() if value}


def print_upload(upload: status.UploadStatus) -> None:
    size = "" if upload.size is None else filesize.decimal(upload.size)
    counts = (f"{number:,}" for number in upload.record.counts[:3]) if upload.record.counts else ("",) * 3
    numbers = " ".join(f"{number:>10}" for number in counts)
    display.say(upload.key)
    state = upload.record.status or "no record"
    line = f"  {state:<10}  {display.when(upload.since):<19}  {size:>9} {numbers}".rstrip()
    display.say_coloured(line, state, _colour(upload))
    for explanation in explanations.of(upload):
        display.say(f"  {explanation}")


def _colour(upload: status.UploadStatus) -> str | None:
    if upload.is_rejected:
        return "red"
    if not upload.is_settled:
        return None
    return "green" if upload.is_good else "yellow"


def ignored_as_json(found: ignored.IgnoredObject) -> dict[str, Any]:
    """An element of the list that `status --json` prints: with the names that uploads have."""
    version = found.version
    return {
        "object_key": version.key,
        "entry": version.etag,
        "size": version.size,
        "status": IGNORED,
        "reason": found.why.reason,
        "uploaded_at": found.modified.isoformat(),
    }


def print_ignored(objects: Iterable[ignored.IgnoredObject]) -> None:
    for each in objects:
        display.say(each.version.key)
        size = filesize.decimal(each.version.size)
        display.say(f"  {IGNORED:<10}  {display.when(each.modified):<19}  {size:>9}")
        display.say(f"  {each.why.reason}")
        if each.why.remedy:
            display.say(f"  next: {each.why.remedy}, or delete it; if it is meant to be there, set ignored_prefixes")


def say_what_is_ignored(pipeline: Pipeline, prefix: str) -> None:
    """Say, where no upload has a prefix, whether an object has it."""
    if found := ignored.example_below(pipeline, prefix):
        display.say(f"No feed takes {found.version.key}: {found.why.reason}", err=True)


def earlier(number: int, pipeline: Pipeline) -> str:
    """That nobody has delivered so many uploads, nor expects it: they are older than their feed, or what is kept."""
    command = display.command("backfill", "--prefix", "PREFIX")
    before = f"{counted(number, 'upload')} from before the feed was deployed, which `{command}` delivers"
    is_kept_for_ever = all(feed.config.expected_days is None for feed in pipeline.feeds)
    return before if is_kept_for_ever else f"{before}, or older than keep_rows_days or keep_files_days"
