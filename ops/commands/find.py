"""`find`."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from csv_ingest.ledger import FileRecord

from .. import display, find, wording
from . import options, stored


@click.command(name="find", epilog="Example: csv-ingest find A-1000 --feed orders")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--feed", metavar="NAME", help="The feed that has the rows; needed if there are several.")
@options.as_json
@click.pass_obj
def find_command(pipeline_of: options.Find, *, ids: Sequence[str], feed: str | None, json_: bool) -> None:
    """Find every row that has this ID, in all uploads of a feed.

    With the uploads that it came from, the newest last. There is no index of the ids: the ledger is read whole, and
    each ID costs one read per upload. In a feed that merges, there is one row per ID at most, and one read. Rows of
    deleted files are found, too. Exit code 1 if there is no row of an ID. Write -- before an ID that begins with a
    hyphen.
    """
    pipeline = pipeline_of()
    chosen = options.one_feed(pipeline, feed)
    with display.working(f"looking for {wording.counted(len(ids), 'id')} in the feed {chosen.name}") as show:
        looked = find.find(pipeline, chosen, ids, show)
    if json_:
        display.print_json([_as_json(each) for each in looked.found])
    else:
        for each in looked.found:
            _print(each)
    found = {each.row.key.id for each in looked.found}
    absent = [id_ for id_ in dict.fromkeys(ids) if id_ not in found]
    for id_ in absent:
        display.say(f"There is no row with the id {stored.quoted(id_)}: it is in no file, or was rejected.", err=True)
    rows, uploads = wording.counted(len(looked.found), "row"), wording.counted(looked.uploads, "upload")
    display.say(f"{rows}; looked at {uploads} of the feed {chosen.name}", err=True)
    if looked.skipped:
        before = wording.counted(looked.skipped, "upload")
        display.say(f"Not looked at: {before} from before the destination or the write mode was changed", err=True)
    sys.exit(1 if absent else 0)


def _as_json(found: find.FoundRow) -> dict[str, Any]:
    return {**stored.as_json(found.row), "etag": found.row.etag, "uploads": list(map(_about, found.uploads))}


def _about(record: FileRecord) -> dict[str, Any]:
    since = record.changed_at
    return {
        "object_key": record.object_key,
        "version_id": record.version_id,
        "status": record.status,
        **({"erasing": record.erasing} if record.erasing else {}),
        "since": since and since.isoformat(),
    }


def _print(found: find.FoundRow) -> None:
    display.say(stored.as_text(found.row))
    if not found.uploads:
        display.say("  of no upload that the ledger knows: `audit` says what is wrong")
    for record in found.uploads:
        state = f"{record.erasing} has begun, and deletes it;" if record.erasing else record.status
        display.say(f"  line {found.row.line:,} of {record.object_key}")
        display.say(f"  {state} since {display.when(record.changed_at)} UTC, version {record.version_id}")
        if record.upload_order:
            display.say(f"  uploaded {record.upload_order}")
