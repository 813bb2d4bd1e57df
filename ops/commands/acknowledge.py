"""`acknowledge`."""

import click

from .. import acknowledging, display, explaining, wording
from ..pipeline import Pipeline
from . import options, uploads


@click.command(
    name="acknowledge", epilog='Example: csv-ingest acknowledge in/a.csv --reason "sent by mistake, told the sender"'
)
@click.argument("key")
@click.option("--reason", required=True, help="Why nothing more has to be done; the ledger keeps it.")
@options.as_json
@click.pass_obj
def acknowledge_command(find: options.Find, *, key: str, reason: str, json_: bool) -> None:
    """Take KEY off the list of `status`: somebody knows of it.

    For uploads that are REJECTED, or COMPLETE with rejected rows. The ledger keeps who, when and why; the messages
    about them are deleted from the failure queue. A new upload under KEY is a new case, and so is a delivery that
    settles an upload anew. Exit code 1 if there is nothing to acknowledge, or an upload is not settled.
    """
    if not any(map(str.isalnum, reason)):
        raise click.UsageError("--reason has to say why nothing more has to be done")
    pipeline = find()
    with display.working("reading the ledger and the failure queue"):
        done = acknowledging.acknowledge(pipeline, key, reason)
    if json_:
        display.print_json(list(map(uploads.as_json, done.uploads)))
    else:
        uploads.print_uploads(done.uploads)
    if done.uploads:
        deleted = f"{wording.counted(done.messages, 'message')} deleted from the failure queue"
        display.say(f"{wording.counted(len(done.uploads), 'upload')} acknowledged, {deleted}.", err=True)
    if done.unsettled:
        raise click.ClickException(f"{key}: {_how_to_settle(pipeline, key)}")
    if not done.uploads:
        raise click.ClickException(f"{key}: {_why_nothing(pipeline, key, is_known=bool(done.good))}")


def _how_to_settle(pipeline: Pipeline, key: str) -> str:
    forget = f"if nobody needs it: {display.command('forget', key=key)}"
    if gone := explaining.absence(pipeline, key):
        return f"{gone}. It is not settled, and cannot be acknowledged; {forget}"
    look = f"{display.command('status', key=key)} says what it waits for"
    return f"an upload of it is not settled, and cannot be acknowledged: {look}; {forget}"


def _why_nothing(pipeline: Pipeline, key: str, *, is_known: bool) -> str:
    nothing = "it is complete, and no row was rejected: there is nothing to acknowledge"
    gone = explaining.absence(pipeline, key)
    if is_known:
        return f"{gone}; {nothing}" if gone else nothing
    return gone or "no delivery of it so far"
