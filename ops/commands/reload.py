"""`reload`."""

import sys

import click

from csv_ingest.feed import FORMAT_SETTINGS
from csv_ingest.model import FileFormat
from csv_ingest.settings import given

from .. import display, erasing, failures, reloading, wording
from . import guards, options, uploads


@click.command(name="reload", epilog="Example: csv-ingest reload incoming/orders.csv")
@click.argument("key")
@options.yes
@options.timeout
@options.as_json
@click.pass_obj
def reload_command(find: options.Find, *, key: str, yes: bool, timeout: int, json_: bool) -> None:
    """Read a complete file again, by the settings of today.

    For a file that was read wrongly, or after columns were declared. The rows of the latest version of KEY are deleted,
    then the file is delivered again: until it is complete, readers miss its rows. Interrupted, it is resumed by the
    same command, also if KEY has a newer version by then. Exit code 1 unless the file is complete without a rejected
    row. In a feed that merges, upload the file again instead.
    """
    pipeline = find()
    with guards.about(key):
        chosen = reloading.versions_to_reload(pipeline, key)
    guards.refuse_if_paused(pipeline, [pipeline.feed_of(key)])
    with guards.about(key):
        erasures = [reloading.erasure_for_reload(pipeline, version) for version in chosen]
    for erasure in erasures:
        _say_what_is_reloaded(erasure)
    options.ask(yes=yes)
    begun = failures.clock(pipeline)
    with guards.about(key), display.working(f"reloading {key}") as show:
        versions = [version for each in erasures for version in reloading.reload(each, progress=show)]
    are_good = uploads.wait_and_print(pipeline, versions, begun=begun, seconds=timeout, json_=json_)
    sys.exit(0 if versions and are_good else 1)


def _say_what_is_reloaded(erasure: erasing.Erasure) -> None:
    pipeline, key = erasure.pipeline, erasure.version.key
    record, feed = pipeline.files.record(erasure.version), erasure.feed.name
    rows = wording.counted(record.counts.stored, "row") if record.counts else "no row"
    display.say(f"{key}: the table of the feed {feed} has {rows} of it.", err=True)
    if record.format:
        display.say(f"  it was read as: {_as_text(record.format)}", err=True)
    display.say(f"  to be read as: {_as_text(pipeline.feed_of(key).settings.format)}", err=True)
    meanwhile = "Until it is complete, readers miss its rows."
    display.say(f"The rows are deleted, then the file is delivered again. {meanwhile}", err=True)
    for other in erasure.records:
        if other.object_key != key:
            same = f"{other.object_key} has the same bytes and the same rows"
            display.say(f"{same}, and is reloaded with it.", err=True)


def _as_text(format_: FileFormat) -> str:
    always = ["id_column", "delimiter", "encoding"]
    others = [name for name in FORMAT_SETTINGS if name in given(format_) and name not in always]
    return ", ".join(f"{name}={format_.written(name)}" for name in always + others)
