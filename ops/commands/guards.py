"""When commands end before they begin: no upload, nothing that can be taken back, or a feed that is paused."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain

import click

from csv_ingest import ledger
from csv_ingest.model import OtherTable, OwnerNeeded, TableAltered

from .. import brake, display, erasing, explaining
from ..pipeline import DeployedFeed, Pipeline


def record_with_rows(pipeline: Pipeline, key: str) -> ledger.FileRecord:
    """The record of the newest upload under a key that was delivered.

    Ends the command if there is none, or if the upload was rejected.
    """
    record = _latest_record(pipeline, key)
    if record.status == ledger.REJECTED:
        raise click.ClickException(f"{key}: no row of it was stored: {record.reason}")
    return record


def _latest_record(pipeline: Pipeline, key: str) -> ledger.FileRecord:
    """The record of the newest upload that was delivered; ends the command if there is none.

    Newest in the bucket, whatever the order of the deliveries; of uploads that are in the bucket no more, as the ledger
    has it. If a newer version was not delivered so far, or the object is in the bucket no more, says so.
    """
    gone = explaining.absence(pipeline, key)
    in_bucket = (record for _, record in pipeline.records_of_versions(key))
    for newer, record in enumerate(chain(in_bucket, pipeline.files.records_of_key(key))):
        if record.status:
            if newer:
                display.say(f"{key} has a newer version, of which no delivery has come so far.", err=True)
            if gone:
                display.say(f"{key}: {gone}.", err=True)
            return record
    raise click.ClickException(f"{key}: {explaining.why_unknown(pipeline, key)}")


@contextmanager
def about(key: str) -> Iterator[None]:
    """End the command with the key and the reason, if the block cannot take back what was ingested of it."""
    try:
        yield
    except (erasing.NotErasable, OtherTable, TableAltered) as reason:
        raise click.ClickException(f"{key}: {reason}") from reason
    except OwnerNeeded as statement:
        raise click.ClickException(
            f"{key}: only the owner of the table can delete its rows: as the owner, run `{statement}`, then this "
            "command again: meanwhile, no delivery stores a row of it"
        ) from statement


def refuse_without_index(pipeline: Pipeline) -> None:
    """End the command if the ledger cannot be asked which uploads have a status: its index is not there yet."""
    if not pipeline.files.has_index:
        raise click.ClickException(
            f"the table {pipeline.files_table} has no index of uploads by status, or it is still being filled: deploy "
            "release 1.4 or later (docs/upgrading.md), and wait for some minutes"
        )


def refuse_if_paused(pipeline: Pipeline, feeds: Iterable[DeployedFeed]) -> None:
    """End the command if one of the feeds is paused: what it delivers would go straight to the failure queue."""
    for each in brake.paused(feeds):
        raise click.ClickException(f"{brake.why(pipeline, each)}: nothing was done. {_to_resume(pipeline, each)}")


def say_if_paused(pipeline: Pipeline, feeds: Iterable[DeployedFeed], more: str = "") -> None:
    """Say on standard error which of the feeds are paused."""
    for each in brake.paused(feeds):
        reason = brake.why(pipeline, each)
        display.say(f"{reason[0].upper()}{reason[1:]}{more}. {_to_resume(pipeline, each)}", err=True)


def _to_resume(pipeline: Pipeline, feed: DeployedFeed) -> str:
    return f"To end the pause: {display.command(*brake.resume_words(pipeline, feed))}"
