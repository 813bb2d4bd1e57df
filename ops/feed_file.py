"""A feed whose settings are in a file, and which need not be deployed."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from csv_ingest import configuration, modes
from csv_ingest.destinations import Destination, open_destination
from csv_ingest.feed import Feed
from csv_ingest.model import Deadline, PipelineError
from csv_ingest.settings import InvalidSetting


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
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadSettings(f"{file} is not JSON in UTF-8: {error}") from error
    name, settings = _named(file, content)
    try:
        return FeedOfFile(Feed.of_settings(name, settings))
    except InvalidSetting as error:
        raise BadSettings(f"{file}: {error}") from error
    except TypeError as error:
        raise BadSettings(f"{file}: it has a setting that no feed has ({error})") from error


def _named(file: Path, content: Any) -> tuple[str, dict[str, Any]]:
    feeds = content.get("feeds", content) if isinstance(content, dict) else None
    if isinstance(feeds, dict) and feeds and all(isinstance(each, dict) for each in feeds.values()):
        if len(feeds) > 1:
            raise BadSettings(f"{file} has the feeds {', '.join(feeds)}: keep one of them")
        return next(iter(feeds.items()))
    if not isinstance(feeds, dict):
        raise BadSettings(f"{file} has no JSON object: write the settings of a feed, as `propose` prints them")
    return Feed.name, feeds
