"""What one stack, one bucket and one function's environment can take, checked before anything is synthesized.

docs/feeds.md says where each limit comes from.
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from csv_ingest import feed_rules
from csv_ingest.configuration import IngestConfig, NotifierConfig, SweepConfig, SweptFeed, ToldFeed
from csv_ingest.feed import Feed
from csv_ingest.model import OF_COMPLETE, OF_FILES, OF_NEWEST
from csv_ingest.notices.returns import Place, prefixes_in_uploads
from csv_ingest.settings import given

MAX_FEEDS = 20
DELAY_DAYS = 30
"""How long S3 and DynamoDB may take to delete what has expired. Usually, they take days."""
MAX_NOTIFICATIONS = 100
MAX_ACCOUNTS = 100
MAX_ENVIRONMENT_BYTES = 4_096
SHOWN_SETTINGS = 3

# The names are not known before the deployment. CloudFormation makes those of tables from the stack's name, the
# resource's logical id and a random part; the other lengths are the services' limits.
_TABLE, _FUNCTION = "t" * 100, "f" * 64
_BUS, _TOPIC = "e" * 150, "a" * 150
_SHARED: dict[str, Any] = {"upload_bucket": "b" * 63, "files_table": _TABLE, "failure_queue": "q" * 150}


_ONLY_OWN_BUCKET = {
    "upload_accounts": "the policy of a bucket of yours stays yours: allow the accounts there",
    "keep_uploads_days": "the rules of a bucket of yours stay yours: make one there",
}
"""Settings that need a bucket of the deployment's own, and what to do instead."""


def problems(
    feeds: Sequence[Feed],
    *,
    service: str,
    ignored_prefixes: Sequence[str],
    existing_bucket: str | None,
    keep_files_days: int | None,
) -> Iterator[str]:
    """Each reason why these feeds cannot be deployed together, as a sentence that says what to do.

    `service` is the name under which their logs and metrics are found. `existing_bucket` is the name of the bucket, if
    it is of another owner; empty if that is known during the deployment only.
    """
    if not 1 <= len(feeds) <= MAX_FEEDS:
        amount = "are too many for one deployment" if feeds else "are too few"
        yield f"feeds: {len(feeds)} {amount}, at most {MAX_FEEDS} are allowed: use another stage"
    for first, second in itertools.combinations(feeds, 2):
        yield from _problems_of_two(first, second)
    if (count := sum(len(feed.key_suffixes) for feed in feeds if feed.is_notified)) > MAX_NOTIFICATIONS:
        yield (
            f"key_suffixes: the feeds have {count} in all, and S3 allows {MAX_NOTIFICATIONS} notifications for a "
            "bucket: give feeds that need fewer their own key_suffixes, or trigger=eventbridge"
        )
    if not all(ignored_prefixes):
        yield "ignored_prefixes: an empty one would ignore all objects that no feed takes: remove it"
    for feed in feeds:
        yield from (str(problem.below(f"feeds.{feed.name}.")) for problem in feed_rules.problems_of_today(feed))
    yield from _of_own_bucket(feeds, existing_bucket)
    yield from _too_short_ledger(feeds, keep_files_days)
    yield from _too_many_accounts(feeds)
    yield from _misdirected_rejects(feeds, existing_bucket or "")
    yield from _too_long_environments(feeds, service, ignored_prefixes, keep_files_days)


def _of_own_bucket(feeds: Sequence[Feed], existing_bucket: str | None) -> Iterator[str]:
    """Settings that would change a bucket of another owner."""
    for feed in feeds if existing_bucket is not None else ():
        for name, instead in _ONLY_OWN_BUCKET.items():
            if getattr(feed, name):
                yield f"feeds.{feed.name}.{name}: {instead}, and remove the setting"


def _too_short_ledger(feeds: Sequence[Feed], keep_files_days: int | None) -> Iterator[str]:
    """A ledger that would forget uploads which are still in the bucket: half ingested, they would begin anew."""
    if keep_files_days is None:
        return
    about = f"keep_files_days={keep_files_days:,}: "
    for feed in feeds:
        if not feed.keep_uploads_days:
            yield f"{about}the feed {feed.name} keeps its uploads for ever: give it keep_uploads_days"
        elif keep_files_days < (least := 2 * feed.keep_uploads_days + DELAY_DAYS):
            yield (
                f"{about}uploads of the feed {feed.name} can be in the bucket for {2 * feed.keep_uploads_days:,} days, "
                f"and S3 deletes them with delay: set at least {least:,}, or lower its keep_uploads_days"
            )


def _too_many_accounts(feeds: Sequence[Feed]) -> Iterator[str]:
    """Other accounts that the bucket's policy cannot let upload."""
    if (count := sum(len(feed.upload_accounts) for feed in feeds)) > MAX_ACCOUNTS:
        yield (
            f"upload_accounts: the feeds have {count} in all, and the policy of a bucket has room for "
            f"{MAX_ACCOUNTS}: have fewer accounts upload"
        )


def _misdirected_rejects(feeds: Sequence[Feed], bucket: str) -> Iterator[str]:
    """Rejected rows in the upload bucket that a feed would ingest."""
    for feed in feeds:
        place = Place.parse(feed.rejects_to or "", bucket)
        takers = [other for other in feeds if _overlap(place.prefix, other.key_prefix)]
        if feed.rejects_to and place.bucket == bucket and takers:
            yield (
                f"feeds.{feed.name}.rejects_to={feed.rejects_to!r}: the feed {takers[0].name}, with "
                f"key_prefix={takers[0].key_prefix!r}, would ingest what is written there: name a prefix that no feed "
                "takes, and give each feed a key_prefix"
            )


def _overlap(first: str, second: str) -> bool:
    return first.startswith(second) or second.startswith(first)


def _problems_of_two(first: Feed, second: Feed) -> Iterator[str]:
    both = f"feeds {first.name} and {second.name}:"
    if first.suffix == second.suffix:
        yield f"{both} the outputs of both would end in {first.suffix}: rename one"
    if first.rows_table and first.rows_table == second.rows_table:
        yield f"{both} both have rows_table={first.rows_table}: give each feed its own"
    shorter, longer = sorted((first, second), key=lambda feed: len(feed.key_prefix))
    if longer.key_prefix.startswith(shorter.key_prefix):
        yield (
            f"{both} feeds.{shorter.name}.key_prefix={shorter.key_prefix!r} is the beginning of "
            f"feeds.{longer.name}.key_prefix={longer.key_prefix!r}, so that an upload could be of either feed: give "
            "each feed a prefix of its own"
        )
    if shared := sorted({table for _, _, table in _tables(first) & _tables(second)}):
        yield (
            f"{both} both have the table {shared[0]} of {second.database_name} on {second.database_host}: give each "
            "feed a table of its own, and not the name of a table or view beside that of another feed"
        )


def _tables(feed: Feed) -> set[tuple[str, str | None, str]]:
    """What identifies the tables and views of a feed in PostgreSQL: in the schema `public`, unless it says otherwise.

    A cluster has several hosts, and one resource id.
    """
    table = (feed.database_table or "").removeprefix("public.")
    names = [f"{table}{ending}" for ending in ("", OF_FILES, OF_COMPLETE, OF_NEWEST)]
    servers = (feed.database_host, feed.database_resource_id)
    return {(server, feed.database_name, name) for server in servers if server for name in names}


def _too_long_environments(
    feeds: Sequence[Feed], service: str, ignored_prefixes: Sequence[str], keep_files_days: int | None
) -> Iterator[str]:
    for feed in feeds:
        rows = feed.database_table or feed.rows_table or _TABLE
        config = IngestConfig(**_SHARED, rows_table=rows, feed=feed, keep_files_days=keep_files_days)
        if (size := _size(config.to_environment(f"{service}/{feed.name}"))) > MAX_ENVIRONMENT_BYTES:
            yield (
                f"feeds.{feed.name}: the environment of the function would have up to {size:,} bytes, and Lambda "
                f"allows {MAX_ENVIRONMENT_BYTES:,}: shorten the largest settings, {_largest(feed)}; columns that are "
                "not declared are stored as text"
            )
    swept = {feed.name: SweptFeed.of(feed, _FUNCTION, keep_files_days) for feed in feeds}
    ignored = [*ignored_prefixes, *prefixes_in_uploads(feeds)]
    sweep = SweepConfig(**_SHARED, feeds=swept, ignored_prefixes=ignored, pipeline=service, event_bus=_BUS)
    if (size := _size(sweep.to_environment())) > MAX_ENVIRONMENT_BYTES:
        yield (
            f"feeds: the environment of the sweep would have up to {size:,} bytes, and Lambda allows "
            f"{MAX_ENVIRONMENT_BYTES:,}: give the feeds shorter names and prefixes, or fewer key_suffixes"
            f"{', or name fewer ignored_prefixes' if ignored_prefixes else ''}"
        )
    told = {feed.name: ToldFeed.of(feed) for feed in feeds}
    notifier = NotifierConfig(**_SHARED, pipeline=service, event_bus=_BUS, alarm_topic=_TOPIC, feeds=told)
    if (size := _size(notifier.to_environment())) > MAX_ENVIRONMENT_BYTES:
        yield (
            f"feeds: the environment of the notifier would have up to {size:,} bytes, and Lambda allows "
            f"{MAX_ENVIRONMENT_BYTES:,}: give the feeds shorter names, prefixes and rejects_to, or fewer key_suffixes"
        )


def _largest(feed: Feed) -> str:
    """The settings of a feed that take most of its environment, with their bytes."""
    values = {**given(feed), **feed.format.to_json()}
    sizes = {name: len(json.dumps(value, default=str)) for name, value in values.items() if name != "format"}
    largest = sorted(sizes, key=lambda name: -sizes[name])[:SHOWN_SETTINGS]
    return ", ".join(f"{name} ({sizes[name]:,})" for name in largest)


def _size(environment: Mapping[str, str]) -> int:
    """The bytes that Lambda measures: of the environment as JSON, so that each quote in a value counts twice."""
    return len(json.dumps(environment, ensure_ascii=False, separators=(",", ":")).encode())
