"""The commands of `python -m ops`: options in, a call of another module, its result shown, an exit code out."""

import csv
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import click
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from csv_ingest.ledger import REJECTED, FileRecord
from csv_ingest.model import UnreadableFile
from ops import display, uploading
from ops.audit import audit
from ops.backfill import Backfilled, backfill
from ops.brake import pause, resume
from ops.pipeline import NotDeployed, Pipeline
from ops.redrive import redrive_all
from ops.rejects import rows_to_send_back
from ops.repair import repair
from ops.status import is_good, not_good, progress_in_parts

SHOWN_REJECTS = 20

Find = Callable[[], Pipeline]

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON instead of a table.")


class _Group(click.Group):
    """Says what AWS answered in one line instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ClientError, BotoCoreError, Boto3Error, NotDeployed, UnreadableFile, TimeoutError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--stack", default="CsvIngest", show_default=True, help="The stack, CsvIngest-<stage> for other stages.")
@click.pass_context
def main(ctx: click.Context, stack: str) -> None:
    """Operate a deployed pipeline: on AWS, or locally with the exports that `make local` prints.

    Exit codes: 0 all is well; 1 something is rejected, unsettled or wrong; 2 the command was called wrongly.
    """
    ctx.obj = lambda: Pipeline.find(stack)


@main.command(name="upload", epilog="Example: python -m ops upload orders.csv --to incoming/")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", "prefix", default="", help="What to put before the file's name to make the object's key.")
@click.option("--timeout", default=600, show_default=True, help="Seconds to wait for the outcome.")
@as_json
@click.pass_obj
def upload_command(find: Find, files: Sequence[Path], prefix: str, timeout: int, json_: bool) -> None:
    """Upload files, wait until they are ingested, and say what became of them."""
    pipeline = find()
    try:
        keys = [uploading.key_for(pipeline, file, prefix) for file in files]
    except uploading.NotIngested as error:
        raise click.UsageError(str(error)) from error
    versions = []
    with display.upload_progress() as progress:
        for file, key in zip(files, keys, strict=True):
            task = progress.add_task(file.name, total=file.stat().st_size)
            versions.append(uploading.upload(pipeline, file, key, partial(progress.advance, task)))
    found: list[tuple[str, FileRecord]] = []
    for version in versions:
        with display.working(f"waiting for {version.key}") as show:
            try:
                record = pipeline.wait_until_settled(
                    version, seconds=timeout, progress=lambda so_far: show(progress_in_parts(so_far))
                )
            except TimeoutError:
                record = pipeline.files.record(version)
        found.append((version.key, record))
    _show_files(found, json_=json_)
    sys.exit(0 if all(is_good(record) for _, record in found) else 1)


@main.command(name="status", epilog="Example: python -m ops status incoming/orders.csv")
@click.argument("key", required=False)
@click.option("--limit", default=50, show_default=True, help="How many files to list.")
@as_json
@click.pass_obj
def status_command(find: Find, key: str | None, limit: int, json_: bool) -> None:
    """The story of one file; without KEY, every upload that is not complete or has rejected rows, newest first."""
    pipeline = find()
    if key is not None:
        _show_key(pipeline, key, json_=json_)
        return
    with display.working("reading the bucket and the ledger"):
        found = [(version.key, record) for version, record in not_good(pipeline)]
    _show_files(found[:limit], json_=json_)
    if len(found) > limit:
        display.err.print(f"{len(found) - limit:,} more: --limit")
    sys.exit(1 if found else 0)


def _show_key(pipeline: Pipeline, key: str, *, json_: bool) -> None:
    records = _records_of(pipeline, key)
    rejects = [list(islice(pipeline.files.rejected_rows(key, each.etag), SHOWN_REJECTS)) for each in records]
    if json_:
        found = zip(records, rejects, strict=True)
        display.print_json(
            [display.file_as_json(key, each) | {"rejects": [row._asdict() for row in rows]} for each, rows in found]
        )
    else:
        display.print_files([(key, record) for record in records])
        for record, rows in zip(records, rejects, strict=True):
            for row in rows:
                display.out.print(f"  line {row.line:,}: {row.reason}")
            if record.counts and record.counts.rejected > SHOWN_REJECTS:
                more = record.counts.rejected - SHOWN_REJECTS
                display.out.print(f"  and {more:,} more: python -m ops rejects '{key}'")
    sys.exit(0 if is_good(records[0]) else 1)


@main.command(name="rejects", epilog="Example: python -m ops rejects incoming/orders.csv --csv > send-back.csv")
@click.argument("key")
@click.option("--csv", "csv_", is_flag=True, help="With the rows themselves, as a CSV file to send back.")
@as_json
@click.pass_obj
def rejects_command(find: Find, key: str, csv_: bool, json_: bool) -> None:
    """The rejected rows of the latest upload under KEY: line and reason, with --csv the whole row after them."""
    pipeline = find()
    record = _records_of(pipeline, key)[0]
    if record.status == REJECTED:
        raise click.ClickException(f"{key}: no row of it was stored: {record.reason}")
    rejects = pipeline.files.rejected_rows(key, record.etag)
    writer = csv.writer(sys.stdout)
    if json_:
        display.print_json([reject._asdict() for reject in rejects])
    elif csv_:
        writer.writerows(rows_to_send_back(pipeline, key, record))
    else:
        writer.writerow(["line", "reason"])
        writer.writerows(rejects)


@main.command(name="redrive", epilog="Example: python -m ops redrive --dry-run --key-prefix incoming/")
@click.option("--dry-run", is_flag=True, help="List the messages with their reasons, and leave them in the queue.")
@click.option("--discard", is_flag=True, help="Delete the messages instead; needs --key-prefix.")
@click.option("--key-prefix", default="", help="Only events of objects whose key starts with this.")
@as_json
@click.pass_obj
def redrive_command(find: Find, dry_run: bool, discard: bool, key_prefix: str, json_: bool) -> None:
    """Deliver the events in the failure queue again; a message is deleted after its event was accepted."""
    if discard and not key_prefix:
        raise click.UsageError("--discard needs --key-prefix: name what nobody will want any more")
    pipeline = find()
    with display.working("reading the failure queue"):
        done = redrive_all(pipeline, key_prefix=key_prefix, dry_run=dry_run, discard=discard)
    if json_:
        display.print_json(list(map(display.redriven_as_json, done)))
    else:
        display.print_redriven(done)
    sys.exit(0 if dry_run or all(each.is_good for each in done) else 1)


@main.command(name="backfill", epilog="Example: python -m ops backfill --prefix 2025/ --rate 5")
@click.option("--prefix", required=True, help="Only objects whose key starts with this; '' for all.")
@click.option("--rate", default=10.0, show_default=True, help="Deliveries a second, at most.")
@click.option("--again", is_flag=True, help="Also deliver what is settled: a complete file costs it one read.")
@as_json
@click.pass_obj
def backfill_command(find: Find, prefix: str, rate: float, again: bool, json_: bool) -> None:
    """Deliver objects that were there before the trigger was, or again.

    Interrupted, it is resumed by the same command: what is settled by then is passed over, at one read each.
    """
    if rate <= 0:
        raise click.UsageError("--rate: more than 0 deliveries a second")

    def text(done: Backfilled) -> str:
        return f"{done.delivered:,} delivered, {done.settled_before:,} settled before"

    with display.working("backfill") as show:
        done = backfill(find(), prefix=prefix, rate=rate, again=again, progress=lambda so_far: show(text(so_far)))
    if json_:
        display.print_json(done._asdict())
    else:
        display.out.print(text(done))


@main.command(name="audit", epilog="Example: python -m ops audit --prefix incoming/ && echo every row is there")
@click.option("--prefix", default="", help="Only objects whose key starts with this.")
@click.option("--repair", "repair_", is_flag=True, help="Deliver the files with findings again, and audit once more.")
@click.option("--timeout", default=600, show_default=True, help="Seconds to wait for the deliveries of --repair.")
@as_json
@click.pass_obj
def audit_command(find: Find, prefix: str, repair_: bool, timeout: int, json_: bool) -> None:
    """Compare the bucket's files with the tables, row by row; exit code 1 if anything is not as it should be."""
    pipeline = find()
    with display.working("audit") as progress:
        result = audit(pipeline, prefix=prefix, progress=progress)
    if repair_ and result.findings:
        display.print_findings(result.findings)
        with display.working("delivering again"):
            for version in repair(pipeline, result.findings).delivered:
                pipeline.wait_until_settled(version, seconds=timeout)
        with display.working("audit") as progress:
            result = audit(pipeline, prefix=prefix, progress=progress)
    if json_:
        counts = {"files": result.files, "rows": result.rows, "gone": result.not_compared}
        display.print_json({**counts, "findings": list(map(display.finding_as_json, result.findings))})
    else:
        display.print_findings(result.findings)
        if result.not_compared:
            missing = f"{result.not_compared:,} rows of uploads that are not, or not yet, in the bucket"
            display.out.print(f"not compared: {missing}")
        display.out.print(f"{result.files:,} files, {result.rows:,} rows, {len(result.findings):,} findings")
    sys.exit(1 if result.findings else 0)


@main.command(name="pause", epilog="Example: python -m ops pause")
@click.pass_obj
def pause_command(find: Find) -> None:
    """The emergency brake: no delivery starts until `resume`."""
    pause(find())
    print_ = display.out.print
    print_("Paused. Events that arrive now go to the failure queue at once, without retries, and raise its alarm.")
    print_("After `resume`, deliver them: python -m ops redrive")


@main.command(name="resume", epilog="Example: python -m ops resume && python -m ops redrive")
@click.pass_obj
def resume_command(find: Find) -> None:
    """Release the brake: the reserved concurrency is what the stack says, again."""
    reserved = resume(find())
    reservation = "no reservation" if reserved is None else f"a reserved concurrency of {reserved}"
    display.out.print(f"Resumed, with {reservation}.")
    display.out.print("Deliver what arrived meanwhile: python -m ops redrive")


def _records_of(pipeline: Pipeline, key: str) -> list[FileRecord]:
    """The records of a key, at least one, the latest delivery first."""
    if records := pipeline.files.records_of_key(key):
        return records
    reason = "it is not in the ledger" if pipeline.is_ingested(key) else "such keys are not ingested"
    raise click.ClickException(f"{key}: {reason}")


def _show_files(files: display.Files, *, json_: bool) -> None:
    if json_:
        display.print_json([display.file_as_json(key, record) for key, record in files])
    else:
        display.print_files(files)
