"""How the functions are configured: by their environment variables, and by nothing else."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, NamedTuple

from csv_ingest import RELEASE, intake, metrics, modes
from csv_ingest.feed import Feed
from csv_ingest.model import PipelineError


class NotConfigured(PipelineError):
    """A function's environment lacks a variable, or has one of another release. The message says what to do."""


@dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """The configuration of the ingest function of a feed: each field is the variable of its name, in upper case."""

    upload_bucket: str
    rows_table: str
    """Its name in DynamoDB, or in PostgreSQL with its schema, if it is given."""
    files_table: str
    failure_queue: str
    """The URL of the queue."""
    feed: Feed
    """In the environment, as Feed.to_json writes it."""
    keep_files_days: int | None = None
    """How many days the ledger keeps what it has of a settled upload. Without the variable, for ever."""
    release: str = ""
    """The release that deployed the function; empty before 1.1.0. No code depends on it."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "IngestConfig":
        """Read the variables; raises NotConfigured, naming each that is missing.

        The operators' commands can be of another release than a function's environment, and so can the code of
        `$LATEST` for seconds during a deployment.
        """
        values = _required(environ, ("UPLOAD_BUCKET", "ROWS_TABLE", "FILES_TABLE", "FAILURE_QUEUE", "FEED"))
        values.pop("feed")
        days = environ.get("KEEP_FILES_DAYS")
        return cls(
            **values,
            feed=_feed(environ),
            keep_files_days=int(days) if days else None,
            release=environ.get("RELEASE", ""),
        )

    def to_environment(self, service: str) -> dict[str, str]:
        """The whole environment of the function, of this release; logs and metrics are found under the service."""
        given = {each.name.upper(): getattr(self, each.name) for each in fields(self)}
        values = {name: str(value) for name, value in given.items() if value is not None}
        return values | {"FEED": self.feed.to_json(), "RELEASE": RELEASE} | logging_variables(service)

    @property
    def expected_days(self) -> int | None:
        """After how many days nobody expects an upload that has no record; None: never."""
        return expected_days(self.feed, self.keep_files_days)


def expected_days(feed: Feed, keep_files_days: int | None) -> int | None:
    """As IngestConfig.expected_days: the rows of an older upload, or its record, would have expired."""
    return min(filter(None, (feed.keep_rows_days, keep_files_days)), default=None)


def logging_variables(service: str) -> dict[str, str]:
    """What Powertools reads by itself."""
    return {"POWERTOOLS_SERVICE_NAME": service, "POWERTOOLS_METRICS_NAMESPACE": metrics.NAMESPACE}


def _required(environ: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """The values of some variables, by their names in lower case."""
    if missing := [name for name in names if name not in environ]:
        raise NotConfigured(f"the function's environment lacks {', '.join(missing)}: deploy the stack again")
    return {name.lower(): environ[name] for name in names}


def _feed(environ: Mapping[str, str]) -> Feed:
    try:
        return _feed_of_json(environ["FEED"])
    except ValueError as error:  # an invalid setting, or no JSON: before 1.2, FEED was a name
        raise NotConfigured(f"the function's environment is of another release: {error}: deploy again") from error


_feed_of_json = lru_cache(maxsize=100)(Feed.from_json)


@dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """The configuration of the sweep: each field is the variable of its name, in upper case."""

    upload_bucket: str
    files_table: str
    failure_queue: str
    """The URL of the queue."""
    feeds: Mapping[str, "SweptFeed"]
    """By name. In the environment, a JSON object: `{"<feed>": {"function": NAME, "prefix": TEXT, "suffixes": [TEXT,
    ...], "mode": NAME}}`, without the mode if it is `append`; whole feeds would be too long."""
    ignored_prefixes: Sequence[str] = ()
    """In the environment, a JSON list: what no feed takes below them is meant to be there."""
    existing_bucket: bool = True
    """Whether the bucket is of another owner. Without the variable, nobody knows."""
    pipeline: str = ""
    """Its name, as `csv-ingest --stack` takes it."""
    event_bus: str = ""
    """On which is told of objects that no feed takes. Releases before 1.4 have none."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "SweepConfig":
        """As IngestConfig.from_environment."""
        values = _required(environ, ("UPLOAD_BUCKET", "FILES_TABLE", "FAILURE_QUEUE", "FEEDS"))
        feeds = json.loads(values.pop("feeds"))
        return cls(
            **values,
            feeds={name: _swept_feed(name, **each) for name, each in feeds.items()},
            ignored_prefixes=json.loads(environ.get("IGNORED_PREFIXES", "[]")),
            existing_bucket=json.loads(environ.get("EXISTING_BUCKET", "true")),
            pipeline=environ.get("PIPELINE", ""),
            event_bus=environ.get("EVENT_BUS", ""),
        )

    def to_environment(self) -> dict[str, str]:
        """As IngestConfig.to_environment. Its logs and metrics are found under the pipeline's name."""
        values = {each.name.upper(): getattr(self, each.name) for each in fields(self)} | {"RELEASE": RELEASE}
        values["FEEDS"] = {name: each.to_json() for name, each in self.feeds.items()}
        texts = {name: value if isinstance(value, str) else _compact(value) for name, value in values.items()}
        return texts | logging_variables(self.pipeline)

    @property
    def intake(self) -> intake.Intake:
        """What the feeds take of the bucket."""
        takers = [each.taker for each in self.feeds.values()]
        return intake.Intake(
            takers=takers, ignored_prefixes=self.ignored_prefixes, existing_bucket=self.existing_bucket
        )


@dataclass(frozen=True, kw_only=True)
class NotifierConfig:
    """The configuration of the notifier: each field is the variable of its name, in upper case."""

    pipeline: str
    """Its name, as `csv-ingest --stack` takes it."""
    upload_bucket: str
    files_table: str
    failure_queue: str
    """The URL of the queue."""
    event_bus: str
    """Its name, or its ARN."""
    alarm_topic: str
    """The ARN of the topic."""
    feeds: Mapping[str, "ToldFeed"]
    """By name. In the environment, a JSON object of objects, each with the fields of ToldFeed that it has."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "NotifierConfig":
        """As IngestConfig.from_environment."""
        values = _required(environ, [each.name.upper() for each in fields(cls)])
        feeds = json.loads(values.pop("feeds"))
        return cls(**values, feeds={name: ToldFeed(**each) for name, each in feeds.items()})

    def to_environment(self) -> dict[str, str]:
        """As IngestConfig.to_environment. Its logs and metrics are found under the pipeline's name."""
        values = {each.name.upper(): getattr(self, each.name) for each in fields(self)} | {"RELEASE": RELEASE}
        told = {name: each.to_json() for name, each in self.feeds.items()}
        return values | {"FEEDS": _compact(told)} | logging_variables(self.pipeline)

    @property
    def intake(self) -> intake.Intake:
        """What the feeds take of the bucket."""
        takers = [intake.Taker(name, each.prefix, each.suffixes) for name, each in self.feeds.items()]
        return intake.Intake(takers=takers)


class ToldFeed(NamedTuple):
    """What the notifier has to know of a feed."""

    suffixes: Sequence[str]
    prefix: str = ""
    expect: str | None = None
    rejects_to: str | None = None

    @classmethod
    def of(cls, feed: Feed) -> "ToldFeed":
        return cls(feed.key_suffixes, feed.key_prefix, feed.expect, feed.rejects_to)

    def to_json(self) -> dict[str, Any]:
        """An object of FEEDS, without what is not set."""
        return {name: value for name, value in self._asdict().items() if value}


class SweptFeed(NamedTuple):
    """What the sweep has to know of a feed."""

    function: str
    """The name of the function that ingests its uploads."""
    taker: intake.Taker
    mode: modes.WriteMode
    days: int | None = None
    """After how many days nobody expects an upload that has no record; None: never."""

    @classmethod
    def of(cls, feed: Feed, function: str, keep_files_days: int | None) -> "SweptFeed":
        taker = intake.Taker(feed.name, feed.key_prefix, feed.key_suffixes)
        return cls(function, taker, feed.mode, expected_days(feed, keep_files_days))

    def to_json(self) -> dict[str, Any]:
        """An object of FEEDS. Without the mode that is the default, twenty feeds fit into the variable."""
        mode = {} if self.mode is modes.APPEND else {"mode": self.mode.name}
        days = {"days": self.days} if self.days else {}
        return {"function": self.function, "prefix": self.taker.prefix, "suffixes": self.taker.suffixes, **mode, **days}


def _swept_feed(
    name: str,
    *,
    function: str,
    prefix: str,
    suffixes: Sequence[str],
    mode: str = modes.APPEND.name,
    days: int | None = None,
) -> SweptFeed:
    return SweptFeed(function, intake.Taker(name, prefix, suffixes), modes.MODES[mode], days)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
