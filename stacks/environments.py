"""What configures the functions. The values may be names that only the deployment knows."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stacks.contract import METRICS_NAMESPACE, RELEASE, IngestEnvironment, LoggingEnvironment, SweepEnvironment
from stacks.feed_settings import DEFAULT_FEED, FeedSettings
from stacks.settings import Settings


@dataclass(frozen=True, kw_only=True)
class SharedNames:
    """The names of what all functions use."""

    bucket: str
    files: str
    failures: str
    """The URL of the queue."""


def ingest_environment(feed: FeedSettings, shared: SharedNames, *, rows: str) -> IngestEnvironment:
    return IngestEnvironment(
        UPLOAD_BUCKET=shared.bucket,
        ROWS_TABLE=rows,
        DATABASE=_database(feed),
        FILES_TABLE=shared.files,
        FAILURE_QUEUE=shared.failures,
        ID_COLUMN=feed.id_column,
        DELIMITER=feed.delimiter,
        ENCODING=feed.encoding,
        MAX_FILE_MB=str(feed.max_file_mb),
        FEED=feed.name,
        COLUMNS=feed.columns,
        DECIMAL_SEPARATOR=feed.decimal_separator,
        WRITE_MODE=feed.write_mode,
        MAX_REJECTED=feed.max_rejected or "none",
        EXISTING_TABLE="true" if feed.rows_table else "",
        RELEASE=RELEASE,
    )


def _database(feed: FeedSettings) -> str:
    """The database of a PostgreSQL feed, as JSON."""
    if not feed.is_postgresql:
        return "{}"
    database = {
        "host": feed.database_host,
        "port": feed.database_port,
        "name": feed.database_name,
        "user": feed.database_user,
        "secret": feed.database_secret or "",
        "ca": feed.database_ca or "",
    }
    return json.dumps(database, ensure_ascii=False, separators=(",", ":"))


def sweep_environment(
    settings: Settings,
    shared: SharedNames,
    *,
    functions: Mapping[str, str],
    to_json: Callable[[Any], str],
) -> SweepEnvironment:
    """`functions` holds the names of the ingest functions by feed. `to_json` has to keep them, whatever they are."""
    return SweepEnvironment(
        UPLOAD_BUCKET=shared.bucket,
        FILES_TABLE=shared.files,
        FAILURE_QUEUE=shared.failures,
        FEEDS=to_json(
            {
                feed.name: {
                    "function": functions[feed.name],
                    "prefix": feed.key_prefix,
                    "suffixes": list(feed.key_suffixes),
                    **({"merges": True} if feed.merges else {}),
                }
                for feed in settings.feeds
            }
        ),
        IGNORED_PREFIXES=settings.ignored_prefixes_json,
        EXISTING_BUCKET=settings.existing_bucket_json,
        RELEASE=RELEASE,
    )


def logging_environment(service: str) -> LoggingEnvironment:
    return LoggingEnvironment(POWERTOOLS_SERVICE_NAME=service, POWERTOOLS_METRICS_NAMESPACE=METRICS_NAMESPACE)


def service_of(stack_name: str, feed: FeedSettings) -> str:
    """The name under which a feed's logs and metrics are found."""
    return stack_name if feed.name == DEFAULT_FEED else f"{stack_name}/{feed.name}"
