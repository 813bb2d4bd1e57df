"""A feed whose settings are in a file, and which need not be deployed."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from csv_ingest import configuration, feed_rules, modes
from csv_ingest.destinations import Destination, open_destination
from csv_ingest.feed import FORMAT_SETTINGS, Feed
from csv_ingest.model import Deadline, PipelineError
from csv_ingest.settings import InvalidSetting, settings_of

_SETTINGS = {*settings_of(Feed), *FORMAT_SETTINGS}


class BadSettings(PipelineError):
    """The file has no settings of a feed. The message says what to do."""


@dataclass(frozen=True)
class FeedOfFile:
    """A feed that nobody has deployed. Can say which rows its destination would refuse, and asks nobody."""

    settings: Feed

    @property
    def mode(self) -> modes.WriteMode:
        return self.settings.mode

    @property
    def has_file_index(self) -> bool:
        return self.settings.file_index

    @cached_property
    def destination(self) -> Destination:
        table = self.settings.database_table or self.settings.rows_table or ""
        config = configuration.IngestConfig(
            upload_bucket="", files_table="", failure_queue="", rows_table=table, feed=self.settings
        )
        client = boto3.client("dynamodb", region_name="us-east-1")  # of which nothing is asked
        return open_destination(config, client, deadline=Deadline.never())


def read(file: Path) -> FeedOfFile:
    """The feed in a file as `propose` prints it: its settings, below its name, or below `feeds` and its name.

    Raises BadSettings.
    """
    try:
        content = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadSettings(f"{file} is not JSON in UTF-8: {error}") from error
    name, settings = _named(file, content)
    if unknown := sorted(settings.keys() - _SETTINGS):
        raise BadSettings(f"{file}: unknown to this release: {', '.join(unknown)}")
    try:
        feed = Feed.of_settings(name, settings)
        for problem in feed_rules.problems_of_today(feed):
            raise problem
    except InvalidSetting as error:
        raise BadSettings(f"{file}: {error}") from error
    return FeedOfFile(feed)


def _named(file: Path, content: Any) -> tuple[str, dict[str, Any]]:
    """The name of the feed, and its settings. A feed can be called like a setting that is an object: `columns`."""
    feeds = content.get("feeds", content) if isinstance(content, dict) else None
    if not isinstance(feeds, dict):
        raise BadSettings(f"{file} has no JSON object: write the settings of a feed, as `propose` prints them")
    are_named = all(isinstance(each, dict) for each in feeds.values())
    if not are_named or (feeds.keys() & _SETTINGS and not _are_settings(feeds)):
        return Feed.name, feeds
    if len(feeds) != 1:
        raise BadSettings(f"{file} has {len(feeds)} feeds ({', '.join(feeds)}): keep one of them")
    return next(iter(feeds.items()))


def _are_settings(feeds: dict[str, Any]) -> bool:
    """Whether each value has the settings of a feed."""
    return all(each and each.keys() <= _SETTINGS for each in feeds.values())
