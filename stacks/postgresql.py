"""Which settings a PostgreSQL feed needs, and which it cannot have, checked before anything is synthesized."""

import itertools
from collections.abc import Iterator

from stacks import columns
from stacks.feed_settings import FeedSettings
from stacks.settings import Settings

_NEEDED = ("database_host", "database_name", "database_user", "database_table", "subnets", "security_groups")
_LOGINS = ("database_resource_id", "database_secret")
_ONLY_POSTGRESQL = (*_NEEDED, *_LOGINS, "database_port", "database_ca")
_NOT_SET = (None, ())

_SYSTEM_COLUMNS = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
RESERVED = {"id", *_SYSTEM_COLUMNS}
"""The names that no declared column can have in PostgreSQL: of the key, and of what each table has by itself.

https://www.postgresql.org/docs/current/ddl-system-columns.html
"""


def problems(settings: Settings) -> Iterator[str]:
    """Each reason why the PostgreSQL feeds cannot be deployed, as a sentence that says what to do."""
    for feed in settings.feeds:
        where = f"feeds.{feed.name}." if settings.names_feeds else ""
        yield from (_of_postgresql if feed.is_postgresql else _of_dynamodb)(feed, where)
    for first, second in itertools.combinations(settings.postgresql_feeds, 2):
        if _places(first) & _places(second):
            yield (
                f"feeds {first.name} and {second.name}: both have the table {second.database_table} of "
                f"{second.database_name} on {second.database_host}: give each feed a table of its own"
            )
    yield from _of_endpoints(settings)


def _of_postgresql(feed: FeedSettings, where: str) -> Iterator[str]:
    if missing := [where + name for name in _NEEDED if getattr(feed, name) in _NOT_SET]:
        yield f"{', '.join(missing)}: not set, and a PostgreSQL feed needs it: docs/settings.md has an example"
    if sum(getattr(feed, name) is not None for name in _LOGINS) != 1:
        yield (
            f"{' and '.join(where + name for name in _LOGINS)}: set exactly one: the resource id logs in by IAM, "
            "the secret holds a password"
        )
    # For several feeds, a limit that is given outside of `feeds` is that of the others.
    if feed.max_write_units and ("max_write_units" in feed.own or not where):
        yield f"{where}max_write_units: it limits a DynamoDB table, and a PostgreSQL feed has none: remove it"
    if feed.file_index and ("file_index" in feed.own or not where):
        instead = "create an index on (etag, line)" if feed.merges else "the primary key finds the rows of a file"
        yield f"{where}file_index: it is an index of a DynamoDB table. In this one, {instead}: remove it"
    for column, stored_as in columns.stored_names(feed.columns).items():
        if stored_as in RESERVED:
            yield (
                f"{where}columns: column {column!r} cannot be stored as {stored_as!r}, which every row of a PostgreSQL "
                'table has already: add "as" and another name'
            )


def _of_dynamodb(feed: FeedSettings, where: str) -> Iterator[str]:
    # For several feeds, what is given outside of `feeds` is that of the others.
    own = (
        feed.own if where else {name for name in _ONLY_POSTGRESQL if getattr(feed, name) != getattr(FeedSettings, name)}
    )
    given = [where + name for name in _ONLY_POSTGRESQL if name in own and getattr(feed, name) not in _NOT_SET]
    if given:
        yield f"{', '.join(given)}: only a PostgreSQL feed uses it: set {where}destination=postgresql, or remove it"


def _of_endpoints(settings: Settings) -> Iterator[str]:
    if bool(settings.vpc_endpoints) != bool(settings.route_tables):
        yield "vpc_endpoints and route_tables: set both or neither: the endpoints of S3 and DynamoDB are routes"
    if settings.vpc_endpoints and not settings.postgresql_feeds:
        yield "vpc_endpoints: only PostgreSQL feeds need endpoints, and there is no such feed: remove it"


def _places(feed: FeedSettings) -> set[tuple[str, str | None, str]]:
    """What identifies a table, which is in the schema `public` unless it says otherwise.

    A cluster has several hosts, and one resource id.
    """
    table = (feed.database_table or "").removeprefix("public.")
    servers = (feed.database_host, feed.database_resource_id)
    return {(server, feed.database_name, table) for server in servers if server}
