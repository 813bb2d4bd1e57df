"""`python -m ops VERB`: click commands over the other modules; they print, the others decide."""

import csv
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import click
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from csv_ingest.errors import UnreadableFile
from csv_ingest.events import ObjectVersion
from csv_ingest.ledger import COMPLETE, REJECTED, SETTLED
from csv_ingest.objects import opened
from csv_ingest.rows import Format, read_records
from csv_ingest.uploads import with_records
from ops.audit import Finding, audit, repair
from ops.concurrency import pause, resume
from ops.pipeline import NotDeployed, Pipeline
from ops.redrive import Failure, failures, put_back, redrive
from ops.redrive import discard as discard_message

# Keys, columns and reasons are other people's text: none of it is markup.
out = Console(highlight=False, markup=False)
err = Console(stderr=True, highlight=False, markup=False)

SHOWN_REJECTS = 20
FOREVER = float("inf")

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
def upload_command(find: Callable[[], Pipeline], files: Sequence[Path], prefix: str, timeout: int, json_: bool) -> None:
    """Upload files, wait until they are ingested, and say what became of them."""
    pipeline = find()
    for file in files:
        if not pipeline.is_ingested(prefix + file.name):
            wanted = ", ".join(f"{before}*{after}" for before, after in pipeline.triggers)
            raise click.UsageError(f"{prefix}{file.name} would not be ingested: only {wanted} is")
    versions: list[ObjectVersion] = []
    columns = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn()
    with Progress(*columns, console=err) as progress:
        for file in files:
            task = progress.add_task(file.name, total=file.stat().st_size)

            def advance(size: int, task: Any = task) -> None:
                progress.update(task, advance=size)

            key = prefix + file.name
            pipeline.s3.upload_file(str(file), pipeline.upload_bucket, key, Callback=advance)
            versions.append(pipeline.latest(key))
    records = []
    for version in versions:
        with _working(f"waiting for {version.key}") as show:
            try:
                records.append(pipeline.settled(version, seconds=timeout, progress=lambda so_far: show(_parts(so_far))))
            except TimeoutError:
                records.append({"object_key": version.key} | pipeline.file(version.key, version.etag))
    _print_files(records, json_)
    good = all(record.get("status") == COMPLETE and not record["rows_rejected"] for record in records)
    sys.exit(0 if good else 1)


@main.command(name="status", epilog="Example: python -m ops status incoming/orders.csv")
@click.argument("key", required=False)
@click.option("--limit", default=50, show_default=True, help="How many files to list.")
@as_json
@click.pass_obj
def status_command(find: Callable[[], Pipeline], key: str | None, limit: int, json_: bool) -> None:
    """The story of one file; without KEY, every upload that is not complete or has rejected rows, newest first."""
    pipeline = find()
    if key is not None:
        _status_of(pipeline, key, json_)
        return
    found: list[tuple[Any, dict[str, Any]]] = []
    seen: set[tuple[str, str]] = set()
    with _working("reading the bucket and the ledger"):
        pairs = with_records(pipeline.dynamodb, pipeline.files_table, pipeline.uploads(), time_left=lambda: FOREVER)
        for upload, record in pairs:
            version = upload.version
            noteworthy = record.status != COMPLETE or (record.tally and record.tally.rejected)
            if noteworthy and (version.key, version.etag) not in seen:
                seen.add((version.key, version.etag))
                item = {"object_key": version.key} | pipeline.file(version.key, version.etag)
                found.append((upload.modified, item))
    found.sort(key=lambda pair: pair[0], reverse=True)
    _print_files([item for _, item in found[:limit]], json_)
    if len(found) > limit:
        err.print(f"{len(found) - limit:,} more: --limit")
    sys.exit(1 if found else 0)


def _status_of(pipeline: Pipeline, key: str, json_: bool) -> None:
    records = pipeline.files(key)
    if not records:
        reason = "it is not in the ledger" if pipeline.is_ingested(key) else "such keys are not ingested"
        raise click.ClickException(f"{key}: {reason}")
    for record in records:
        rejects = pipeline.rejects(key, record["entry"])
        record["rejects"] = [reject._asdict() for reject in islice(rejects, SHOWN_REJECTS)]
    if json_:
        _print_json(records)
    else:
        _print_files(records, json_)
        for record in records:
            for reject in record["rejects"]:
                out.print(f"  line {reject['line']:,}: {reject['reason']}")
            if record.get("rows_rejected", 0) > SHOWN_REJECTS:
                out.print(f"  and {record['rows_rejected'] - SHOWN_REJECTS:,} more: python -m ops rejects '{key}'")
    latest = records[0]
    sys.exit(0 if latest["status"] == COMPLETE and not latest["rows_rejected"] else 1)


@main.command(name="rejects", epilog="Example: python -m ops rejects incoming/orders.csv --csv > send-back.csv")
@click.argument("key")
@click.option("--csv", "csv_", is_flag=True, help="With the rows themselves, as a CSV file to send back.")
@as_json
@click.pass_obj
def rejects_command(find: Callable[[], Pipeline], key: str, csv_: bool, json_: bool) -> None:
    """The rejected rows of the latest upload under KEY: line and reason, with --csv the whole row after them."""
    pipeline = find()
    records = pipeline.files(key)
    if not records:
        raise click.ClickException(f"{key}: it is not in the ledger")
    record = records[0]
    if record["status"] == REJECTED:
        raise click.ClickException(f"{key}: no row of it was stored: {record['reason']}")
    rejects = pipeline.rejects(key, record["entry"])
    if json_:
        _print_json([reject._asdict() for reject in rejects])
        return
    writer = csv.writer(sys.stdout)
    if not csv_:
        writer.writerow(["line", "reason"])
        writer.writerows(rejects)
        return
    version = ObjectVersion(pipeline.upload_bucket, key, record["version_id"], record["entry"], record["size"])
    format_ = Format(*json.loads(record["format"])) if "format" in record else pipeline.settings.format
    with opened(version, pipeline.s3) as source:
        rows = read_records(source, format_)
        for _, columns in islice(rows, 1):
            writer.writerow(["line", "reason", *columns])
        for reject in rejects:
            for line, row in rows:  # both are in the order of the file
                if line == reject.line:
                    writer.writerow([line, reject.reason, *row])
                    break


@main.command(name="redrive", epilog="Example: python -m ops redrive --dry-run --key-prefix incoming/")
@click.option("--dry-run", is_flag=True, help="List the messages with their reasons, and leave them in the queue.")
@click.option("--discard", is_flag=True, help="Delete the messages instead; needs --key-prefix.")
@click.option("--key-prefix", default="", help="Only events of objects whose key starts with this.")
@as_json
@click.pass_obj
def redrive_command(find: Callable[[], Pipeline], dry_run: bool, discard: bool, key_prefix: str, json_: bool) -> None:
    """Deliver the events in the failure queue again; a message is deleted after its event was accepted."""
    if discard and not key_prefix:
        raise click.UsageError("--discard needs --key-prefix: name what nobody will want any more")
    pipeline = find()
    done: list[dict[str, str]] = []
    kept: list[Failure] = []
    well = True
    try:
        with _working("reading the failure queue"):
            for failure in failures(pipeline):
                if key_prefix and not any(key.startswith(key_prefix) for key in failure.keys):
                    kept.append(failure)
                    continue
                action = "kept" if dry_run else _settle(pipeline, failure, discard=discard)
                if action not in ("delivered", "discarded"):
                    kept.append(failure)
                well = well and (dry_run or action != "kept") and not action.startswith("failed")
                keys = ", ".join(failure.keys)
                done.append({"keys": keys, "condition": failure.condition, "reason": failure.reason, "action": action})
    finally:
        for failure in kept:
            put_back(pipeline, failure)
    if json_:
        _print_json(done)
    else:
        table = Table("key", "condition", "reason", "action")
        for row in done:
            table.add_row(*row.values())
        out.print(table)
    sys.exit(0 if well else 1)


def _settle(pipeline: Pipeline, failure: Failure, *, discard: bool) -> str:
    """Deliver or delete one message; what was done. One that cannot be delivered must not keep the others."""
    if failure.event is None:
        return "kept"
    if discard:
        discard_message(pipeline, failure)
        return "discarded"
    try:
        redrive(pipeline, failure)
    except ClientError as error:
        return f"failed: {error}"
    return "delivered"


@main.command(name="backfill", epilog="Example: python -m ops backfill --prefix 2025/ --rate 5")
@click.option("--prefix", required=True, help="Only objects whose key starts with this; '' for all.")
@click.option("--rate", default=10.0, show_default=True, help="Deliveries a second, at most.")
@click.option("--again", is_flag=True, help="Also deliver what is settled: a complete file costs it one read.")
@as_json
@click.pass_obj
def backfill_command(find: Callable[[], Pipeline], prefix: str, rate: float, again: bool, json_: bool) -> None:
    """Deliver objects that were there before the trigger was, or again.

    Interrupted, it is resumed by the same command: what is settled by then is passed over, at one read each.
    """
    if rate <= 0:
        raise click.UsageError("--rate: more than 0 deliveries a second")
    pipeline = find()
    counts: Counter[str] = Counter()
    pairs = with_records(pipeline.dynamodb, pipeline.files_table, pipeline.uploads(prefix), time_left=lambda: FOREVER)
    with _working("backfill") as show:
        for upload, record in pairs:
            if record.status in SETTLED and not again:
                counts["settled before"] += 1
            else:
                pipeline.redeliver(upload.version)
                counts["delivered"] += 1
                time.sleep(1 / rate)
            show(f"{counts['delivered']:,} delivered, {counts['settled before']:,} settled before")
    result = {"delivered": counts["delivered"], "settled_before": counts["settled before"]}
    if json_:
        _print_json(result)
    else:
        out.print(f"{result['delivered']:,} delivered, {result['settled_before']:,} settled before")


@main.command(name="audit", epilog="Example: python -m ops audit --prefix incoming/ && echo every row is there")
@click.option("--prefix", default="", help="Only objects whose key starts with this.")
@click.option("--repair", "repair_", is_flag=True, help="Deliver the files with findings again, and audit once more.")
@click.option("--timeout", default=600, show_default=True, help="Seconds to wait for the deliveries of --repair.")
@as_json
@click.pass_obj
def audit_command(find: Callable[[], Pipeline], prefix: str, repair_: bool, timeout: int, json_: bool) -> None:
    """Compare the bucket's files with the tables, row by row; exit code 1 if anything is not as it should be."""
    pipeline = find()
    with _working("audit") as progress:
        result = audit(pipeline, prefix=prefix, progress=progress)
    if repair_ and result.findings:
        _print_findings(result.findings)
        with _working("delivering again"):
            for version in repair(pipeline, result.findings):
                pipeline.settled(version, seconds=timeout)
        with _working("audit") as progress:
            result = audit(pipeline, prefix=prefix, progress=progress)
    if json_:
        _print_json({**result._asdict(), "findings": [finding._asdict() for finding in result.findings]})
    else:
        _print_findings(result.findings)
        if result.gone:
            out.print(f"not compared: {result.gone:,} rows of uploads that are not, or not yet, in the bucket")
        out.print(f"{result.files:,} files, {result.rows:,} rows, {len(result.findings):,} findings")
    sys.exit(1 if result.findings else 0)


@main.command(name="pause", epilog="Example: python -m ops pause")
@click.pass_obj
def pause_command(find: Callable[[], Pipeline]) -> None:
    """The emergency brake: no delivery starts until `resume`."""
    pause(find())
    out.print("Paused. Events that arrive now go to the failure queue at once, without retries, and raise its alarm.")
    out.print("After `resume`, deliver them: python -m ops redrive")


@main.command(name="resume", epilog="Example: python -m ops resume && python -m ops redrive")
@click.pass_obj
def resume_command(find: Callable[[], Pipeline]) -> None:
    """Release the brake: the reserved concurrency is what the stack says, again."""
    reserved = resume(find())
    out.print(f"Resumed, with {'no reservation' if reserved is None else f'a reserved concurrency of {reserved}'}.")
    out.print("Deliver what arrived meanwhile: python -m ops redrive")


@contextmanager
def _working(what: str) -> Iterator[Callable[[str], None]]:
    """Say what is going on, and, by the function that is yielded, how far it is."""
    with err.status(Text(f"{what} ...")) as shown:
        yield lambda text: shown.update(Text(f"{what}: {text}"))


def _print_files(records: Sequence[dict[str, Any]], json_: bool) -> None:
    if json_:
        _print_json(records)
        return
    table = Table("key", "status", "read", "stored", "rejected", "reason")
    for record in records:
        counts = (
            f"{record[name]:,}" if name in record else "" for name in ("rows_read", "rows_stored", "rows_rejected")
        )
        remark = record.get("reason", "") or _parts(record)
        table.add_row(record["object_key"], record.get("status", "no record"), *counts, remark)
    out.print(table)


def _parts(record: dict[str, Any]) -> str:
    """How far a file is that is delivered in parts."""
    if "parts" not in record or record["status"] == COMPLETE:
        return ""
    if "parts_checked" in record:
        return f"{record['parts_checked']:,} of {record['parts']:,} parts checked for repeated ids"
    return f"{record['parts_done']:,} of {record['parts']:,} parts done"


def _print_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        out.print(f"{finding.kind}: {finding.key or '(no file)'}: {finding.detail}", soft_wrap=True)


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main(prog_name="python -m ops")
