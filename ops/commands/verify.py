"""`verify`."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from csv_ingest.model import DEFAULT_FEED

from .. import display, wording
from ..pipeline import DeployedFeed, Pipeline
from ..verifying.report import Outcome, Report, Result
from ..verifying.run import verify
from ..verifying.trial import Trial
from . import options


@click.command(name="verify", epilog="Example: csv-ingest verify --report verified.json")
@click.option("--feed", metavar="NAME", help="The feed below whose prefix files are uploaded. "
              "Without it, the only one, or `default`.")  # fmt: skip
@click.option("--report", "file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Also write what was found as JSON, to be kept.")  # fmt: skip
@options.yes
@click.pass_obj
def verify_command(find: options.Find, *, feed: str | None, file: Path | None, yes: bool) -> None:
    """Try a deployment where it is, and forget the files.

    Once after `make deploy`, in five minutes, for some 0.02 dollars. The account, the bucket and the roles are
    looked at first. Then files are uploaded below a folder of the run's own, and forgotten at the end, after Ctrl-C
    as well. Exit code 1 if a check fails, which says what to do, or if no file was tried.
    """
    pipeline = find()
    trial = Trial(pipeline, _feed(pipeline, feed), display.stack())
    _say_what_it_does(trial)
    options.ask(yes=yes)
    with _interrupted_by(signal.SIGTERM, signal.SIGHUP), display.working("verifying") as show:
        trial.progress = show
        results = verify(trial, _tell)
    report = Report(pipeline.stack, trial.feed.name, is_local=trial.is_local, begun=trial.begun, results=results)
    if file:
        _write(file, report)
    failed, skipped = report.count(Outcome.FAILED), report.count(Outcome.SKIPPED)
    end = "See above what to do." if failed else "All that was checked is good."
    if not trial.uploaded:
        end = "NO FILE WAS TRIED: see above why."
    display.say(f"{wording.counted(len(results), 'check')}: {failed} failed, {skipped} skipped. {end}")
    sys.exit(1 if failed or not trial.uploaded else 0)


@contextmanager
def _interrupted_by(*signals: signal.Signals) -> Iterator[None]:
    """Have signals end the block as Ctrl-C does: what was uploaded is forgotten, and no feed stays paused."""
    before = {each: signal.signal(each, signal.default_int_handler) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _feed(pipeline: Pipeline, name: str | None) -> DeployedFeed:
    """The feed that was named; if none was, the one that is called default, or the only one."""
    if name is None and any(each.name == DEFAULT_FEED for each in pipeline.feeds):
        name = DEFAULT_FEED
    return options.one_feed(pipeline, name)


def _say_what_it_does(trial: Trial) -> None:
    name, where = trial.feed.name, f"s3://{trial.pipeline.upload_bucket}/{trial.folder}"
    deletes = "deletes them, their rows and their records"
    if trial.feed.settings.is_postgresql:
        deletes = "deletes them; their rows, the owner of the table has to delete by statements that are printed"
    for line in (
        f"This uploads eight files, 8,200 rows, to {where}, and {deletes} at the end.",
        f"The feed {name} is paused for a minute at most: what is uploaded to it then goes to the failure queue, "
        "and is redriven.",
        "Alarms go off, and mail: a file is rejected, an event fails, one alarm is set. The event bus gets events.",
    ):
        display.say(line, err=True)


def _tell(result: Result) -> None:
    said = f": {result.said}" if result.said else ""
    display.say_meanwhile(f"{result.outcome:8}{result.check}{said}")


def _write(file: Path, report: Report) -> None:
    try:
        file.write_text(json.dumps(report.to_json(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
