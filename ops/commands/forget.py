"""`forget`."""

import sys

import click

from .. import display, failures, wording
from ..forgetting import Forgetting, forget, forgetting_of
from . import guards, options


@click.command(name="forget", epilog="Example: csv-ingest forget incoming/orders.csv")
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
    with guards.about(key), display.working("looking"):
        forgetting = forgetting_of(pipeline, key)
    if not forgetting.objects and not forgetting.erasures:
        raise click.ClickException(f"{key}: {'; '.join(forgetting.skipped) or 'there is nothing of it'}")
    _say_what_is_forgotten(forgetting)
    options.ask(yes=yes)
    with guards.about(key), display.working(f"forgetting {key}") as show:
        deleted = forget(forgetting, progress=show)
    rows = f", {wording.counted(deleted, 'row')}" if deleted else ""  # in PostgreSQL, the owner has deleted them
    left = "nothing of them" if forgetting.skipped else f"nothing of {key}"
    display.say(f"Deleted: {wording.counted(len(forgetting.objects), 'version')}{rows}. Looked again: {left} is left.")
    if repairs := _repairs(forgetting):
        display.say(f"It may have replaced rows of older uploads. To bring them back: {repairs}", err=True)
    if failures.count(pipeline).visible:
        discard = display.command("redrive", "--discard", "--prefix", key)
        display.say(f"Messages in the failure queue can name it: {discard}", err=True)
    for reason in forgetting.skipped:
        display.say(f"Not deleted: {reason}", err=True)
    sys.exit(1 if forgetting.skipped else 0)


def _say_what_is_forgotten(forgetting: Forgetting) -> None:
    repairs, versions = _repairs(forgetting), wording.counted(len(forgetting.objects), "version")
    display.say(f"{forgetting.key}: to be deleted: {versions}, rows, rejected rows, records.", err=True)
    for other in forgetting.others:
        display.say(f"{other} has the same bytes and the same rows: these rows stay.", err=True)
    for reason in forgetting.skipped:
        display.say(f"not to be deleted: {reason}", err=True)
    if repairs:
        display.say(f"Ids that older files have as well are without a row then, until: {repairs}", err=True)


def _repairs(forgetting: Forgetting) -> str:
    """The commands that write replaced rows again; empty if no feed merges."""
    feeds = {erasure.feed.name for erasure in forgetting.erasures if erasure.feed.mode.supersedes}
    return "; ".join(display.command("audit", "--repair", "--feed", name) for name in sorted(feeds))
