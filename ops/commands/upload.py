"""`upload`."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from .. import display, failures, local_files, other_feeds, uploading
from ..status import UploadStatus
from . import guards, options, uploads

INPUT = click.Path(exists=True, path_type=Path)


@click.command(name="upload", epilog="Example: csv-ingest upload orders.csv --to incoming/")
@click.argument("paths", nargs=-1, required=True, type=INPUT)
@click.option("--to", "folder", default="", help="The folder in the bucket; `incoming` is the same as `incoming/`.")
@options.timeout
@options.as_json
@click.pass_obj
def upload_command(find: options.Find, *, paths: Sequence[Path], folder: str, timeout: int, json_: bool) -> None:
    """Upload files and say what became of them.

    PATHS are files, or folders: of a folder, every file that would be ingested is uploaded, and its key keeps its path
    below the folder. If one cannot be sent, no other is begun. The wait ends early if a file is in the failure queue.
    Exit code 1 unless every file is complete without a rejected row.
    """
    pipeline = find()
    try:
        plan = uploading.plan(pipeline, paths, folder)
    except uploading.NotIngested as error:
        raise click.UsageError(str(error)) from error
    guards.refuse_if_paused(pipeline, dict.fromkeys(pipeline.feed_of(planned.key) for planned in plan.files))
    for file in plan.passed_over:
        display.say(f"not uploaded, because it would not be ingested: {file}", err=True)
    begun = failures.clock(pipeline)
    with display.working("uploading") as show:
        versions = uploading.upload(pipeline, plan.files, show)

    def remark(number: int, status: UploadStatus) -> UploadStatus:
        return other_feeds.remarked(pipeline, status, partial(local_files.open_file, plan.files[number].file))

    are_good = uploads.wait_and_print(pipeline, versions, begun=begun, seconds=timeout, json_=json_, remark=remark)
    sys.exit(0 if are_good else 1)
