"""Which settings of a feed do not go together."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from csv_ingest.feed_types import POSTGRESQL
from csv_ingest.model import OF_COMPLETE, OF_FILES, OF_NEWEST, ROW_EXPIRES_AT
from csv_ingest.settings import InvalidSetting, given

if TYPE_CHECKING:
    from csv_ingest.feed import Feed

_NEEDED = ("database_host", "database_name", "database_user", "database_table", "subnets", "security_groups")
_LOGINS = ("database_resource_id", "database_secret")
_ONLY_POSTGRESQL = (*_NEEDED, *_LOGINS, "database_port", "database_ca")
_OF_OWN_TABLE = ("file_index", "max_write_units", "warm_write_units")
_ONLY_DYNAMODB = ("rows_table", *_OF_OWN_TABLE)

OF_POSTGRESQL = ("id", "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
"""What every row has in PostgreSQL beside OF_EVERY_ROW: of the key, and of what each table has by itself.
https://www.postgresql.org/docs/current/ddl-system-columns.html"""

_MAX_NAME = 63
"""Bytes. https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS"""


def without_others(values: Mapping[str, Any]) -> dict[str, Any]:
    """Some settings without those that a feed of their destination, or with their rows table, has no use for."""
    others = [*(_ONLY_DYNAMODB if values.get("destination") == POSTGRESQL else _ONLY_POSTGRESQL)]
    others += _OF_OWN_TABLE if values.get("rows_table") else ()
    return {name: value for name, value in values.items() if name not in others}


def problems(feed: "Feed") -> Iterator[InvalidSetting]:
    """Each reason why the settings of a feed cannot be used together."""
    yield from feed.mode.problems(feed.format)
    for column in feed.format.columns:
        if feed.rows_expire and column.stored_as == ROW_EXPIRES_AT:
            yield InvalidSetting(["columns"], f": {column.reserved('every row of a feed with keep_rows_days')}")
    yield from _of_postgresql(feed) if feed.is_postgresql else _of_dynamodb(feed)


def problems_of_today(feed: "Feed") -> Iterator[InvalidSetting]:
    """Each reason why a feed is not deployed any more, though the functions of earlier deployments have such feeds."""
    if feed.format.is_headed_silently:
        yield InvalidSetting(
            ["header"],
            ": with id_column=@line, any file would be read, and the first record of a file without a header would be "
            "lost: set header=first if each file has one, or header=none with header_names; or declare columns, or "
            "known_columns",
        )
    name = (feed.database_table or "").rpartition(".")[2]
    longest = _MAX_NAME - max(map(len, (OF_FILES, OF_COMPLETE, OF_NEWEST)))
    if len(name) > longest:
        yield InvalidSetting(
            ["database_table"],
            f": {name} has {len(name)} characters, of {longest} possible: beside it are {name}{OF_FILES}, "
            f"{name}{OF_COMPLETE} and {name}{OF_NEWEST}, and PostgreSQL's names have at most {_MAX_NAME} bytes: "
            "rename the table",
        )


def _of_postgresql(feed: "Feed") -> Iterator[InvalidSetting]:
    values = given(feed)
    if missing := [name for name in _NEEDED if name not in values]:
        yield InvalidSetting(missing, ": not set, and a PostgreSQL feed needs it: docs/postgresql.md has an example")
    if sum(name in values for name in _LOGINS) != 1:
        yield InvalidSetting(_LOGINS, ": set exactly one: the resource id logs in by IAM, the secret holds a password")
    if feed.rows_table:
        yield InvalidSetting(
            ["rows_table"], ": it names a table in DynamoDB, and the rows of this feed go to PostgreSQL: remove it"
        )
    if limits := [name for name in ("max_write_units", "warm_write_units") if getattr(feed, name)]:
        yield InvalidSetting(limits, ": it is of a DynamoDB table, and a PostgreSQL feed has none: remove it")
    if feed.file_index:
        instead = (
            "create an index on (etag, line)" if feed.mode.supersedes else "the primary key finds the rows of a file"
        )
        yield InvalidSetting(["file_index"], f": it is an index of a DynamoDB table. In this one, {instead}: remove it")
    for column in feed.format.columns:
        if column.stored_as in OF_POSTGRESQL:
            yield InvalidSetting(["columns"], f": {column.reserved('every row of a PostgreSQL table')}")


def _of_dynamodb(feed: "Feed") -> Iterator[InvalidSetting]:
    if feed.max_write_units and feed.warm_write_units and feed.max_write_units < feed.warm_write_units:
        yield InvalidSetting(
            ["max_write_units", "warm_write_units"], ": the table would be paid to be ready for more than it may take"
        )
    if only := [name for name in _ONLY_POSTGRESQL if name in given(feed)]:
        yield InvalidSetting(only, ": only a PostgreSQL feed uses it: set destination=postgresql, or remove it")
    if feed.rows_table and (only := [name for name in _OF_OWN_TABLE if getattr(feed, name)]):
        yield InvalidSetting(
            only, ": it is for the deployment's own table: with rows_table, set it at that table yourself"
        )
