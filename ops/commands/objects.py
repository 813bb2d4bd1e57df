"""How objects that no feed takes are shown."""

from collections.abc import Sequence
from typing import Any

from rich import filesize

from ops import display, ignored, wording
from ops.commands.uploads import HEADER
from ops.pipeline import Pipeline

IGNORED = "IGNORED"
"""Shown in the place of an upload's status. The ledger has no such status."""


def as_json(found: ignored.IgnoredObject) -> dict[str, Any]:
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


def print_ignored(objects: Sequence[ignored.IgnoredObject], *, with_header: bool) -> None:
    for number, each in enumerate(objects):
        if with_header and not number:
            display.say(HEADER)
        size = filesize.decimal(each.version.size)
        display.say(each.version.key)
        display.say(f"  {IGNORED:<10}  {display.when(each.modified):<19}  {size:>9}")
        display.say(f"  {each.why.reason}")
        if each.why.remedy:
            display.say(f"  next: {each.why.remedy}, or delete it; if it is meant to be there, set ignored_prefixes")


def say_how_many(objects: int, limit: int) -> None:
    more = f"; {objects - limit:,} more: --limit {objects}" if objects > limit else ""
    display.say(f"No feed takes {wording.counted(objects, 'object')}{more}", err=True)


def say_what_is_ignored(pipeline: Pipeline, prefix: str) -> None:
    """Say, where no upload has a prefix, whether an object has it."""
    if found := ignored.example_below(pipeline, prefix):
        display.say(f"No feed takes {found.version.key}: {found.why.reason}", err=True)
