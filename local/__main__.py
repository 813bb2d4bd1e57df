"""`python -m local`: the pipeline on this machine, without an AWS account."""

import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from csv_ingest.commands import DEFAULT_STACK
from local.databases import use_local_databases
from local.demo import demo as run_demo
from local.deployment import deploy
from local.examples import orders
from local.postgresql import HOST, LocalPostgresql, local_postgresql
from local.processes import PROJECT
from local.server import environment_file, local_aws
from ops.pipeline import Pipeline
from ops.progress import working

ENVIRONMENT = PROJECT / ".local" / "environment"

UNLIMITED = 10_000
"""Columns: more than any line has."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog="Example: python -m local demo")
def main() -> None:
    """Deploy the pipeline to MiniStack, AWS in one local process, with the real CDK CLI.

    Exit codes: 0 all is well; 1 it is not, or MiniStack ended by itself; 2 the command was called wrongly.
    """
    # Also when a terminal closes or a CI job is cancelled, the started processes are ended.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)


@main.command(epilog="Example: python -m local demo && echo every row is there")
def demo() -> None:
    """Upload the examples. Exit code 0 if the tables then hold exactly their rows, 1 if not."""
    # Where there is no terminal, no line is cut or folded.
    console = Console(width=None if sys.stdout.isatty() else UNLIMITED)
    try:
        complete = run_demo(console)
    except (RuntimeError, TimeoutError) as error:
        raise click.ClickException(str(error)) from error
    console.print("[green]Every row is there, once." if complete else "[red]The tables are not as they should be.")
    sys.exit(0 if complete else 1)


@main.command(epilog="Example: python -m local up -c stage=prod", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", metavar="[OPTIONS OF CDK DEPLOY]...", nargs=-1, type=click.UNPROCESSED)
def up(arguments: Sequence[str]) -> None:
    """Deploy and keep running until Ctrl-C, with a file of exports for other shells.

    There, `make deploy` deploys once more, and keeps the data. Feeds with PostgreSQL write to a local server, not to
    the database of their settings, until a deployment changes their function. Exit code 0 after Ctrl-C, 1 if it could
    not be started or ended by itself.
    """
    console = Console(highlight=False, soft_wrap=True)
    try:
        with ExitStack() as running:
            aws = running.enter_context(local_aws())
            with working("cdk bootstrap, cdk deploy"):
                pipeline = deploy(aws, arguments).pipeline
            server = None
            if any(feed.settings.database for feed in pipeline.feeds):
                server = running.enter_context(local_postgresql())
                pipeline = use_local_databases(pipeline, server)
            running.enter_context(environment_file(aws, ENVIRONMENT))
            _print_what_to_do(console, pipeline, server, arguments)
            code = aws.process.wait()
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        console.print("ended")
    else:
        raise click.ClickException(f"MiniStack ended by itself, with exit code {code}")


def _print_what_to_do(
    console: Console, pipeline: Pipeline, server: LocalPostgresql | None, arguments: Sequence[str]
) -> None:
    stack = "" if pipeline.stack == DEFAULT_STACK else f" --stack {pipeline.stack}"
    prefix = pipeline.feeds[0].settings.key_prefix
    to = f" --to {prefix}" if prefix else ""
    args = f" ARGS={shlex.quote(shlex.join(arguments))}" if arguments else ""
    console.print("In another shell, in this folder:\n")
    console.print(f"source {ENVIRONMENT.relative_to(PROJECT)}")
    console.print(f".venv/bin/csv-ingest{stack} upload examples/orders.csv{to}")
    console.print(".venv/bin/csv-ingest --help")
    console.print(".venv/bin/python -m local generate --help   # large files, or many")
    until = "; feeds with PostgreSQL then have the database of their settings" if server else ""
    console.print(f"make deploy{args}   # deploys a change, and keeps the data{until}\n")
    console.print(f"aws s3 cp examples/orders.csv s3://{pipeline.upload_bucket}/{prefix}")
    console.print(f"aws dynamodb scan --table-name {pipeline.files_table}")
    for feed in pipeline.feeds:
        if server and (database := feed.settings.database):
            where = f"postgresql://{server.user}:{server.password}@{HOST}:{server.port}/{database.name}"
            console.print(f"psql '{where}?sslmode=require'   # the table {feed.rows_table}")
        else:
            console.print(f"aws dynamodb scan --table-name {feed.rows_table}")
    # Version 1 of the aws CLI does not find SQS by the variable.
    endpoint = "--endpoint-url $AWS_ENDPOINT_URL"
    console.print(f"aws sqs receive-message {endpoint} --queue-url {pipeline.failure_queue}")
    console.print("\nCtrl-C ends it, and everything in it.")


@main.command(epilog="Example: python -m local generate .local/burst --files 300 --rows 100")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--files", default=1, show_default=True, type=click.IntRange(min=1), help="How many files.")
@click.option("--rows", default=300_000, show_default=True, type=click.IntRange(min=1), help="Rows of each file.")
def generate(folder: Path, files: int, rows: int) -> None:
    """Write CSV files of made-up orders into FOLDER, to upload with `csv-ingest upload`.

    No two files have an id in common. Exit code 0.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        name = f"{rows}-rows-{number + 1:0{len(str(files))}d}.csv"
        (folder / name).write_bytes(orders(rows, first=number * rows))


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main(prog_name="python -m local")
