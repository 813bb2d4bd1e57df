"""`check`."""

import sys
from pathlib import Path

import click

from csv_ingest.model import MAX_COLUMNS_BYTES, declaration_to_json
from ops import checking, display, local_files, other_feeds, proposing, wording
from ops.commands import options
from ops.pipeline import DeployedFeed

SHOWN_REJECTS = 20

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(name="check", epilog="Example: python -m ops check orders.csv --feed orders")
@click.argument("file", type=FILE)
@click.option("--feed", metavar="NAME", help="The feed that would read it; needed if there are several.")
@click.option("--columns", is_flag=True, help="Propose a declaration of the columns instead.")
@options.as_json
@click.pass_obj
def check_command(find: options.Find, *, file: Path, feed: str | None, columns: bool, json_: bool) -> None:
    """Say what would become of FILE, and upload nothing.

    The file is read here, with the settings of the deployed feed. Exit code 1 unless every row would be stored. With
    --columns, the types of its columns are proposed, as JSON to paste into cdk.json.
    """
    pipeline = find()
    chosen = options.one_feed(pipeline, feed)
    if columns:
        _propose(chosen, file)
        return
    with display.working(f"reading {file.name}") as show:
        checked = checking.check(chosen, file, shown=None if json_ else SHOWN_REJECTS, progress=show)
        if checked.reason:
            checked.remark = other_feeds.advice(pipeline, chosen, lambda: local_files.open_file(file))
    if not checked.is_ingested:
        endings = ", ".join(f"*{suffix}" for suffix in chosen.settings.key_suffixes)
        display.say(f"{file.name} would not be ingested under this name: only {endings} is", err=True)
    if json_:
        display.print_json(_as_json(checked))
    else:
        _print(checked)
    sys.exit(0 if checked.is_good else 1)


def _propose(feed: DeployedFeed, file: Path) -> None:
    with display.working(f"reading {file.name}") as show:
        of_feed = feed.settings.format
        proposed, others = proposing.propose(of_feed, file, reserved=feed.settings.reserved_names, progress=show)
    display.print_json(proposed)
    if others:
        display.say(f"Left as text, since their cells have no type in common: {', '.join(others)}.", err=True)
    display.say("This is a proposal for the setting `columns`. Look at it first:", err=True)
    display.say("a file shows what is in it, not what will come.", err=True)
    if (size := len(declaration_to_json(proposed).encode())) > MAX_COLUMNS_BYTES:
        size_ = wording.counted(size, "byte")
        display.say(f"It has {size_}, of {MAX_COLUMNS_BYTES:,} possible: leave columns out.", err=True)


def _as_json(checked: checking.Checked) -> dict[str, object]:
    return {
        "status": "REJECTED" if checked.reason else "COMPLETE",
        "reason": checked.reason,
        **({"remark": checked.remark} if checked.remark else {}),
        "is_ingested": checked.is_ingested,
        "rows_read": checked.rows,
        "rows_stored": checked.stored,
        "rows_rejected": checked.rejected,
        "parts": checked.parts,
        "write_units": checked.write_units,
        "dollars": round(checked.dollars, 6),
        "rejects": [reject._asdict() for reject in checked.rejects],
    }


def _print(checked: checking.Checked) -> None:
    if checked.reason:
        display.say(f"It would be REJECTED, and no row be stored: {checked.reason}")
        if checked.remark:
            display.say(checked.remark)
        return
    for reject in checked.rejects:
        display.say(f"line {reject.line:,}: {reject.reason}")
    if (more := checked.rejected - len(checked.rejects)) > 0:
        display.say(f"and {more:,} more: --json lists all")
    pieces = f"in {wording.counted(checked.parts, 'part')}" if checked.parts else "in one piece"
    rows = wording.counted(checked.rows, "row")
    display.say(f"{rows}, read {pieces}: {checked.stored:,} stored, {checked.rejected:,} rejected")
    cost = f"{checked.dollars:,.6f} dollars in us-east-1"
    display.say(f"about {wording.counted(checked.write_units, 'write unit')} of DynamoDB, {cost}, if the file is new")
