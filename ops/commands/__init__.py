"""The commands of `csv-ingest`, one module per verb: `pause.py` also has `resume`.

Each one is: options in, a call of another module, its result shown, an exit code out. `guards.py` has what
ends commands before they begin; `uploads.py`, `messages.py`, `audited.py` and `stored.py` show what they have to show.
"""

import os
import re
from typing import Any

import click
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from csv_ingest import RELEASE
from csv_ingest.commands import DEFAULT_STACK
from csv_ingest.escaping import escaped
from csv_ingest.model import PipelineError, UnreadableFile

from .. import display
from ..pipeline import Pipeline
from .acknowledge import acknowledge_command
from .audit import audit_command
from .backfill import backfill_command
from .check import check_command
from .find import find_command
from .forget import forget_command
from .history import history_command
from .pause import pause_command, resume_command
from .propose import propose_command
from .redrive import redrive_command
from .rejects import rejects_command
from .reload import reload_command
from .report import report_command
from .rows import rows_command
from .schema import schema_command
from .status import status_command
from .upload import upload_command
from .verify import verify_command

__all__ = ["main"]

OLDEST = (1, 5)  # the first release whose functions have an alias, to which the commands deliver
NOT_REACHED = (ClientError, BotoCoreError, Boto3Error)  # AWS answered with an error, or did not answer

UNUSABLE = (PipelineError, UnreadableFile, PermissionError, UnicodeEncodeError)
"""A command cannot work with them. UnicodeEncodeError: a key that was typed, or a file's name, is not UTF-8."""


class OtherRelease(PipelineError):
    """These commands cannot work on a deployment that another checkout made. The message says what to do."""


class _Group(click.Group):
    """Says what AWS or a database answered in one line instead of a traceback, and nothing unescaped."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (*NOT_REACHED, *UNUSABLE) as error:
            raise click.ClickException(escaped(_with_way(str(error)))) from error
        except click.ClickException as error:
            error.message = escaped(error.message)  # type: ignore[misc] # click shows it with the usage
            raise


def _with_way(reason: str) -> str:
    """Why a destination did not answer; if it could not be reached, also how it can be."""
    if not reason.startswith("the connection to "):
        return reason
    given = " and ".join(f"{name}={os.environ[name]}" for name in ("PGHOSTADDR", "PGPORT") if os.environ.get(name))
    if given:
        return f"{reason}: it was made to {given}: is the tunnel open?"
    if reason.endswith("ConnectionRefusedError"):
        return f"{reason}: no server listens there: see `cannot connect` in docs/postgresql.md"
    return f"{reason}: from outside of its network, open a tunnel, and set PGHOSTADDR and PGPORT to the near end"


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(RELEASE, message="csv-ingest %(version)s")
@click.option(
    "--stack",
    default=DEFAULT_STACK,
    show_default=True,
    help="CsvIngest-<stage> for other stages; Shop.Orders for the construct Orders in a stack of yours.",
)
@click.pass_context
def main(ctx: click.Context, stack: str) -> None:
    """Operate a deployed pipeline: on AWS, or locally, after `source .local/environment` beside `make local`.

    Exit codes: 0 all is well; 1 something is rejected, unsettled, wrong or not there; 2 the command was called wrongly.
    """

    def find(*, of_any_release: bool = False) -> Pipeline:
        pipeline = Pipeline.find(stack)
        if warning := _of_other_release(pipeline.release, refuse=not of_any_release):
            display.say(warning, err=True)
        return pipeline

    ctx.obj = find


def _of_other_release(deployed: str, *, refuse: bool) -> str:
    """A sentence about a deployment of another release; empty if it makes no difference.

    Releases that differ in the third number alone store and configure the same. If `refuse`, raises OtherRelease for
    a newer deployment, whose records these commands could misread, and for one that has not what they need.
    """
    there, here = _numbers(deployed), _numbers(RELEASE)
    differs = f"deployment is of {f'release {deployed}' if deployed else 'a release before 1.1.0'}, this is {RELEASE}"
    if there < here:
        way = f"{differs}: deploy this one (docs/upgrading.md), or use the checkout of that release"
        if there < OLDEST and refuse:
            raise OtherRelease(f"the {way}")
        return f"The {way}"
    if there > here and refuse:
        raise OtherRelease(f"the {differs}, which could misread its records: use the checkout of release {deployed}")
    return f"The {differs}: other commands need the checkout of release {deployed}" if there > here else ""


def _numbers(release: str) -> tuple[int, int]:
    """The first two numbers of a release; zeros if it has none, as before 1.1.0."""
    found = re.match(r"(\d+)\.(\d+)\.", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


for verb in (
    schema_command,
    propose_command,
    check_command,
    upload_command,
    status_command,
    history_command,
    report_command,
    rejects_command,
    rows_command,
    find_command,
    acknowledge_command,
    redrive_command,
    backfill_command,
    audit_command,
    reload_command,
    forget_command,
    pause_command,
    resume_command,
    verify_command,
):
    main.add_command(verb)
