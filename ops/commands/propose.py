"""`propose`."""

import sys
from pathlib import Path

import click

from csv_ingest.model.format_types import TIMEZONE
from csv_ingest.settings import NAME, InvalidSetting, SettingType

from .. import display

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Setting(click.ParamType[str]):
    """The value of a setting."""

    def __init__(self, name: str, type_: SettingType) -> None:
        self.name, self._type = name, type_

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(self._type.read(self.name, value))
        except InvalidSetting as error:
            self.fail(str(error), param, ctx)


@click.command(name="propose", epilog="Example: csv-ingest propose orders.csv > orders.json")
@click.argument("files", metavar="FILE...", type=FILE, nargs=-1, required=True)
@click.option("--name", type=_Setting("name", NAME), help="Of the feed; without it, made of the first file's name.")
@click.option("--timezone", default="", type=_Setting("timezone", TIMEZONE), help="Of timestamps that say none.")
def propose_command(*, files: tuple[Path, ...], name: str | None, timezone: str) -> None:
    """Print the settings of a feed that reads each FILE, as JSON.

    The files are read here, and all of them are of the feed. The evidence for each setting follows on standard error.
    Nothing is deployed or asked. Exit code 1 if a row would be rejected all the same.
    """
    from .. import proposing  # noqa: PLC0415 - what finds dialects takes a fifth of each command's start
    from ..proposing import names  # noqa: PLC0415

    with display.working(f"reading {files[0].name}") as show:
        proposal = proposing.propose(files, name=name or names.of_feed(files[0]), timezone=timezone, progress=show)
        objections = [each for file in files for each in proposing.objections(proposal, file, show)]
    display.print_json({proposal.feed.name: proposal.settings})
    for line in [*proposal.evidence, *objections]:
        display.say(line, err=True)
    display.say("This is a proposal: look at it. A file shows what is in it, not what will come.", err=True)
    sys.exit(1 if objections else 0)
