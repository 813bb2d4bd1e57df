"""`reload` and `forget`."""

import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

import click
from botocore.exceptions import ClientError

from csv_ingest.errors import OtherTable, OwnerNeeded, TableAltered
from csv_ingest.file_format import FileFormat
from csv_ingest.ledger import FileRecord
from csv_ingest.uploads import ObjectVersion
from ops import display, failures
from ops.commands import options
from ops.commands.uploads import wait_and_print
from ops.erasing import (
    Erasure,
    Forgetting,
    NotErasable,
    erasure_for_reload,
    forget,
    forgetting_of,
    reload,
    versions_to_reload,
)
from ops.pipeline import NOT_THERE, Pipeline
from ops.presence import absence
from ops.wording import counted

T = TypeVar("T")


@click.command(name="reload", epilog="Example: python -m ops reload incoming/orders.csv")
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
    chosen = _versions_to_reload(pipeline, key)
    options.refuse_if_paused(pipeline, [pipeline.feed_of(key)])
    erasures = _tell(key, lambda: [erasure_for_reload(pipeline, version) for version in chosen])
    for erasure in erasures:
        _say_what_is_reloaded(pipeline, key, pipeline.files.record(erasure.version), erasure)
    options.ask(yes=yes)
    begun = failures.clock(pipeline)
    versions: list[ObjectVersion] = []
    with display.working(f"reloading {key}") as show:
        for erasure in erasures:
            versions += _tell(key, partial(reload, erasure, progress=show))
    are_good = wait_and_print(pipeline, versions, begun=begun, seconds=timeout, json_=json_)
    sys.exit(0 if versions and are_good else 1)


@click.command(name="forget", epilog="Example: python -m ops forget incoming/orders.csv")
@click.argument("key")
@options.yes
@click.pass_obj
def forget_command(find: options.Find, *, key: str, yes: bool) -> None:
    """Delete a file, all its versions, its rows and its records.

    And look whether all is gone. Rows that another file with the same bytes has as well stay. Backups keep what they
    have: docs/runbook.md says for how long. If the feed merges, all rows that are this file's now are deleted, and
    `audit --repair` writes those of older files in their places. Interrupted, it is resumed by the same command.
    """
    pipeline = find()
    with display.working("looking"):
        forgetting = _tell(key, lambda: forgetting_of(pipeline, key))
    if not forgetting.objects and not forgetting.erasures:
        raise click.ClickException(f"{key}: {'; '.join(forgetting.elsewhere) or 'there is nothing of it'}")
    _say_what_is_forgotten(forgetting)
    options.ask(yes=yes)
    with display.working(f"forgetting {key}") as show:
        done = _tell(key, lambda: forget(forgetting, progress=show))
    rows = f", {counted(done.rows, 'row')}" if done.rows else ""  # in PostgreSQL, the owner has deleted them
    left = "nothing of them" if forgetting.elsewhere else f"nothing of {key}"
    display.say(f"Deleted: {counted(done.versions, 'version')}{rows}. Looked again: {left} is left.")
    if repairs := _repairs(forgetting):
        display.say(f"It may have replaced rows of older uploads. To bring them back: {repairs}", err=True)
    if failures.count(pipeline).visible:
        discard = display.command("redrive", "--discard", "--prefix", key)
        display.say(f"Messages in the failure queue can name it: {discard}", err=True)
    for reason in forgetting.elsewhere:
        display.say(f"Not deleted: {reason}", err=True)
    sys.exit(1 if forgetting.elsewhere else 0)


def _versions_to_reload(pipeline: Pipeline, key: str) -> list[ObjectVersion]:
    try:
        return versions_to_reload(pipeline, key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in NOT_THERE:
            raise
        raise click.ClickException(f"{key}: {absence(pipeline, key)}") from error


def _tell(key: str, work: Callable[[], T]) -> T:
    """The result of some work on a key; ends the command with what keeps it from being done."""
    try:
        return work()
    except (NotErasable, OtherTable, TableAltered) as reason:
        raise click.ClickException(f"{key}: {reason}") from reason
    except OwnerNeeded as statement:
        raise click.ClickException(
            f"{key}: only the owner of the table can delete its rows: as the owner, run `{statement}`, then this "
            "command again: meanwhile, no delivery stores a row of it"
        ) from statement


def _say_what_is_reloaded(pipeline: Pipeline, key: str, record: FileRecord, erasure: Erasure) -> None:
    rows = counted(record.counts.stored, "row") if record.counts else "no row"
    lines = [f"{key}: the table of the feed {erasure.feed.name} has {rows} of it."]
    if record.format:
        lines.append(f"  it was read as: {_as_text(record.format)}")
    lines += [
        f"  to be read as: {_as_text(pipeline.feed_of(key).config.feed.format)}",
        "The rows are deleted, then the file is delivered again. Until it is complete, readers miss its rows.",
    ]
    others = (other for other in erasure.keys if other != key)
    lines += [f"{other} has the same bytes and the same rows, and is reloaded with it." for other in others]
    _say(lines)


def _say_what_is_forgotten(forgetting: Forgetting) -> None:
    repairs, versions = _repairs(forgetting), counted(len(forgetting.objects), "version")
    _say(
        [
            f"{forgetting.key}: to be deleted: {versions}, rows, rejected rows, records.",
            *(f"{other} has the same bytes and the same rows: these rows stay." for other in forgetting.others),
            *(f"not to be deleted: {reason}" for reason in forgetting.elsewhere),
            *([f"Ids that older files have as well are without a row then, until: {repairs}"] if repairs else []),
        ]
    )


def _repairs(forgetting: Forgetting) -> str:
    """What writes the rows that were replaced; empty if no feed merges."""
    feeds = {erasure.feed.name for erasure in forgetting.erasures if erasure.feed.mode.supersedes}
    return "; ".join(display.command("audit", "--repair", "--feed", name) for name in sorted(feeds))


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        display.say(line, err=True)


def _as_text(format_: FileFormat) -> str:
    columns = "".join(f"; {column.name}: {column.declaration}" for column in format_.columns)
    return f"id {format_.id_column}, delimiter {format_.delimiter}, {format_.encoding}{columns}"
