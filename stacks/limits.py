"""What one stack, one bucket and one function's environment can take, checked before anything is synthesized.

docs/settings.md says where each limit comes from.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from functools import partial

from stacks import columns, postgresql
from stacks.contract import LINE_AS_ID, UPLOADED
from stacks.environments import (
    SharedNames,
    ingest_environment,
    logging_environment,
    service_of,
    sweep_environment,
)
from stacks.feed_settings import FeedSettings
from stacks.settings import Settings

MAX_FEEDS = 20
MAX_NOTIFICATIONS = 100
MAX_ENVIRONMENT_BYTES = 4_096

# The names are not known before the deployment. CloudFormation makes those of tables from the stack's name, the
# resource's logical id and a random part; the other lengths are the services' limits.
_TABLE, _FUNCTION = "t" * 100, "f" * 64
_SHARED = SharedNames(bucket="b" * 63, files=_TABLE, failures="q" * 150)
_to_json = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))


def problems(settings: Settings) -> Iterator[str]:
    """Each reason why these feeds cannot be deployed together, as a sentence that says what to do."""
    feeds = settings.feeds
    if len(feeds) > MAX_FEEDS:
        yield f"feeds: {len(feeds)} are too many for one deployment, at most {MAX_FEEDS} are allowed: use another stage"
    for feed in feeds:
        where = f"feeds.{feed.name}." if settings.names_feeds else ""
        yield from _problems_of_columns(feed, where)
        yield from _problems_of_rows_table(feed, where)
    for first, second in itertools.combinations(feeds, 2):
        yield from _problems_of_two(first, second)
    if (count := sum(len(feed.key_suffixes) for feed in feeds)) > MAX_NOTIFICATIONS:
        yield (
            f"key_suffixes: the feeds have {count} in all, and S3 allows {MAX_NOTIFICATIONS} notifications for a "
            "bucket: give feeds that need fewer their own key_suffixes"
        )
    yield from postgresql.problems(settings)
    yield from _too_long_environments(settings)


def _problems_of_columns(feed: FeedSettings, where: str) -> Iterator[str]:
    if feed.merges and feed.id_column == LINE_AS_ID:
        yield (
            f"{where}id_column={LINE_AS_ID}: in a feed that merges, line 2 of every file would replace line 2 of the "
            "others: name a column that identifies a row in all files, or set write_mode=append"
        )
    for column, stored_as in columns.stored_names(feed.columns).items():
        if feed.merges and stored_as == UPLOADED:
            yield (
                f"{where}columns: column {column!r} cannot be stored as {stored_as!r}, which every row of a feed that "
                'merges has already: add "as" and another name'
            )


def _problems_of_rows_table(feed: FeedSettings, where: str) -> Iterator[str]:
    # For several feeds, what is given outside of `feeds` is that of the others.
    if not feed.rows_table or (feed.is_postgresql and where and "rows_table" not in feed.own):
        return
    if feed.is_postgresql:
        yield f"{where}rows_table: it names a table in DynamoDB, and the rows of this feed go to PostgreSQL: remove it"
    for name in ("file_index", "max_write_units"):
        if getattr(feed, name) and (name in feed.own or not where):
            yield f"{where}{name}: it is for the deployment's own table: with rows_table, set it at that table yourself"


def _problems_of_two(first: FeedSettings, second: FeedSettings) -> Iterator[str]:
    if first.suffix == second.suffix:
        yield f"feeds {first.name} and {second.name}: the outputs of both would end in {first.suffix}: rename one"
    if first.rows_table and first.rows_table == second.rows_table and not (first.is_postgresql or second.is_postgresql):
        yield f"feeds {first.name} and {second.name}: both have rows_table={first.rows_table}: give each feed its own"
    shorter, longer = sorted((first, second), key=lambda feed: len(feed.key_prefix))
    if longer.key_prefix.startswith(shorter.key_prefix):
        yield (
            f"feeds {first.name} and {second.name}: feeds.{shorter.name}.key_prefix={shorter.key_prefix!r} is the "
            f"beginning of feeds.{longer.name}.key_prefix={longer.key_prefix!r}, so that an upload could be of either "
            "feed: give each feed a prefix of its own"
        )


def _too_long_environments(settings: Settings) -> Iterator[str]:
    for feed in settings.feeds:
        rows = (feed.is_postgresql and feed.database_table) or feed.rows_table or _TABLE
        size = _size(ingest_environment(feed, _SHARED, rows=rows), service_of(settings.stack_id, feed))
        if size > MAX_ENVIRONMENT_BYTES:
            yield (
                f"feeds.{feed.name}.columns: the environment of the function would have up to {size:,} bytes, and "
                f"Lambda allows {MAX_ENVIRONMENT_BYTES:,}: {'shorten database_ca, or ' if feed.database_ca else ''}"
                "declare fewer columns; the others are stored as text"
            )
    functions = {feed.name: _FUNCTION for feed in settings.feeds}
    size = _size(sweep_environment(settings, _SHARED, functions=functions, to_json=_to_json), settings.stack_id)
    if size > MAX_ENVIRONMENT_BYTES:
        yield (
            f"feeds: the environment of the sweep would have up to {size:,} bytes, and Lambda allows "
            f"{MAX_ENVIRONMENT_BYTES:,}: give the feeds shorter names and prefixes, or fewer key_suffixes"
            f"{', or name fewer ignored_prefixes' if settings.ignored_prefixes else ''}"
        )


def _size(environment: Mapping[str, object], service: str) -> int:
    """The bytes that Lambda measures: of the environment as JSON, so that each quote in a value counts twice."""
    return len(_to_json({**environment, **logging_environment(service)}).encode())
