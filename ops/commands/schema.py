"""`schema`."""

import sys
from collections.abc import Sequence

import click

from csv_ingest.configuration import IngestConfig

from .. import display, schema, schema_check, schema_tables
from ..pipeline import DeployedFeed, Pipeline
from . import options


@click.command(name="schema", epilog="Example: csv-ingest schema --feed vendors --check")
@click.option("--feed", metavar="NAME", help="Only this feed; without it, all with PostgreSQL.")
@click.option("--check", "check_", is_flag=True, help="Compare with what is there instead.")
@options.as_json
@click.pass_obj
def schema_command(find: options.Find, *, feed: str | None, check_: bool, json_: bool) -> None:
    """Print the SQL that a feed with PostgreSQL needs.

    It creates the tables, the views, and the role of the function; the owner of the tables runs it. With --check, logs
    in as the function does, and says what is not as it has to be: exit code 1 if rows could not be stored, or readers
    not see which files are complete. PGHOSTADDR and PGPORT are the near end of a tunnel, if there is one.
    """
    feeds = _feeds(find(), feed)
    if check_:
        _check(feeds, json_=json_)
    elif json_:
        display.print_json([_about(each) | _statements(each.config) for each in feeds])
    else:
        _print(feeds)


def _feeds(pipeline: Pipeline, name: str | None) -> Sequence[DeployedFeed]:
    found = [each for each in options.feeds_named(pipeline, name) if each.settings.database]
    if not found:
        of_feed = f"the feed {name} has" if name else "all feeds have"
        raise click.UsageError(f"{of_feed} DynamoDB as destination, which needs no schema")
    return found


def _about(feed: DeployedFeed) -> dict[str, object]:
    return {"feed": feed.name, "table": feed.config.rows_table}


def _statements(config: IngestConfig) -> dict[str, list[str]]:
    return {"statements": schema.statements(config), "daily": schema_tables.daily(config)}


def _print(feeds: Sequence[DeployedFeed]) -> None:
    for feed in feeds:
        if database := feed.settings.database:
            display.say(f"-- The feed {feed.name}: in the database {database.name} of {database.host}")
            for statement in schema.statements(feed.config):
                for line in f"{statement};".split("\n"):
                    display.say(line)
            for statement in schema_tables.daily(feed.config):
                display.say(f"-- every day, as the owner: {statement};")
            if database.secret:
                # A comment, because an empty answer to it would take the password of a role away that logs in already.
                display.say(f'-- for a new role: \\password "{database.user}"')
    display.say("Run this in psql as the owner of the tables, who needs CREATEROLE for the role.", err=True)
    if any(feed.settings.database and feed.settings.database.secret for feed in feeds):
        display.say("\\password asks for a password: give it that of the secret.", err=True)
    chosen = ["--feed", feeds[0].name] if len(feeds) == 1 else []
    display.say(f"Then look whether all is there: {display.command('schema', *chosen, '--check')}", err=True)


def _check(feeds: Sequence[DeployedFeed], *, json_: bool) -> None:
    with display.working("looking at the tables"):
        checked = [(feed, schema_check.check_schema(feed.config, feed.database_address)) for feed in feeds]
    if json_:
        display.print_json([_about(feed) | vars(found) for feed, found in checked])
    else:
        for feed, found in checked:
            for each in [*found.problems, *(f"warning: {warning}" for warning in found.warnings)]:
                display.say(f"{feed.name}: {each}")
            if not found.problems:
                display.say(f"{feed.name}: the table {feed.config.rows_table} is as it has to be.")
    sys.exit(1 if any(found.problems for _, found in checked) else 0)
