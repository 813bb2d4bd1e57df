"""A feed: one kind of file, how it is read, and where its rows go. Shared by infrastructure, functions and commands.

Standard library only. Every setting of a feed stands here once, or in FileFormat: its type, its default, its text in
docs/settings.md.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from csv_ingest import feed_rules, feed_types
from csv_ingest.model import DEFAULT_FEED, OF_EVERY_ROW, ROW_EXPIRES_AT, Database, FileFormat
from csv_ingest.modes import APPEND, MODES, WriteMode
from csv_ingest.settings import (
    NAME,
    TRUE_OR_FALSE,
    given,
    optional,
    read_settings,
    require_known,
    setting,
    settings_of,
    whole_number,
)


class _Concurrency(int):
    """The default of `reserved_concurrency`, which is not the number that somebody has set."""


_CONCURRENCY, _LOW_CONCURRENCY = _Concurrency(50), 10


@dataclass(frozen=True, kw_only=True)
class Feed:
    """How one kind of file is read and ingested.

    Takes what cdk.json can have for each setting, and holds what that means. Raises InvalidSetting, a ValueError that
    names the setting, the value, and what is allowed. In cdk.json, the settings of the format stand beside the others.
    """

    name: str = DEFAULT_FEED
    key_prefix: str = setting("", feed_types.KEY_PREFIX, "Only uploads below it are ingested.")
    key_suffixes: tuple[str, ...] = setting(
        (".csv", ".CSV", ".csv.gz"),
        feed_types.KEY_SUFFIXES,
        "Only uploads with one of these endings are ingested; S3 distinguishes upper and lower case.",
    )
    trigger: str = setting(
        feed_types.S3,
        feed_types.TRIGGER,
        "Who tells the function of uploads: the bucket's own notifications, or a rule of EventBridge, for a bucket "
        "that [notifies others](own-app.md#your-own-bucket).",
    )
    format: FileFormat = field(default_factory=FileFormat)
    write_mode: str = setting(
        APPEND.name,
        feed_types.WRITE_MODE,
        "`append` keeps the rows of each upload, `merge` one row per id, that of the newest upload. "
        "[Choose](merging.md#choose) before the first file.",
    )
    max_rejected: str | None = setting(
        "50%",
        optional(feed_types.MAX_REJECTED),
        "How many rejected rows a file may have: a number, or a share, which counts if they are more than 100. A file "
        "with more is `REJECTED`, and [no row of it is stored](feeds.md#files-with-many-rejected-rows).",
    )
    expect: str | None = setting(
        None,
        optional(feed_types.EXPECT),
        "When a file has to have become complete since the time before, such as `weekdays 18:30 Europe/Berlin`. If "
        "none has, [people are told](reference.md#missing-files).",
    )
    rejects_to: str | None = setting(
        None,
        optional(feed_types.REJECTS_TO),
        "Where [the sender](reference.md#rejected-rows-for-the-sender) gets the rejected rows of complete files: "
        "`s3://bucket/prefix/`, or `prefix/` in the upload bucket.",
    )
    upload_accounts: tuple[str, ...] = setting(
        (),
        feed_types.ACCOUNTS,
        "Other accounts that [may upload](reference.md#who-may-do-what) below `key_prefix`. What they upload belongs "
        "to the bucket's account.",
    )
    keep_uploads_days: int | None = setting(
        None,
        optional(whole_number(15, 36_500)),
        "After how many days S3 [deletes an upload](feeds.md#how-long-things-are-kept) below `key_prefix`; a version "
        "that was replaced, so many days after that. Without it, never.",
    )
    keep_rows_days: int | None = setting(
        None,
        optional(whole_number(1, 36_500)),
        "How many days after its upload [a row expires](feeds.md#how-long-things-are-kept), and is deleted from the "
        "destination. Without it, never.",
    )
    timeout_seconds: int = setting(30, whole_number(10, 900), "Time for one delivery of a file.")
    max_file_mb: int = setting(
        1_000,
        whole_number(1, 10_000),
        "Maximum size of a file. Files that cannot be split (such as gzip) may have a tenth of it, uncompressed. "
        "More than 1,000 needs a longer `timeout_seconds`.",
    )
    memory_mb: int = setting(512, whole_number(256, 10_240), "Memory of the function, and with it its CPU share.")
    reserved_concurrency: int | None = setting(
        _CONCURRENCY,
        optional(whole_number(1, 10_000)),
        "How many deliveries, of files or of parts, run at once; for a PostgreSQL feed, and with `file_index`, 10 "
        "unless it is set. `none` reserves nothing: new accounts have only 10 and cannot.",
    )
    max_write_units: int | None = setting(
        None,
        optional(whole_number(1, 10_000_000)),
        "Write request units per second that the rows table takes at most, and as many its index: a bound on what a "
        "burst can cost.",
    )
    warm_write_units: int | None = setting(
        None,
        optional(whole_number(4_000, 1_000_000)),
        "Write units per second for which the rows table, and its index, is ready from the beginning, instead of some "
        "4,000. [Paid once](costs.md#warm-throughput), and never lowered.",
    )
    file_index: bool = setting(
        False,  # noqa: FBT003 - it is the value
        TRUE_OR_FALSE,
        "Whether the rows table has [an index by ETag](feeds.md#index-of-the-files), which finds the rows of a file. A "
        "row costs another write unit, a replaced one two, and a file is limited to some 1,000 rows per second.",
    )
    rows_table: str | None = setting(
        None,
        optional(feed_types.ROWS_TABLE),
        "A rows table of yours in DynamoDB that takes the place of the deployment's own, such as [a restored "
        "one](runbook.md#restore).",
    )
    destination: str = setting(
        feed_types.DYNAMODB,
        feed_types.DESTINATION,
        "Where the rows go: to a new DynamoDB table, or to your [PostgreSQL](postgresql.md).",
    )
    database_host: str | None = setting(
        None, optional(feed_types.HOST), "Endpoint of the PostgreSQL database. The server's certificate has to name it."
    )
    database_port: int = setting(5432, whole_number(1, 65_535), "Port of the database.")
    database_name: str | None = setting(None, optional(feed_types.DATABASE_NAME), "Name of the database on its server.")
    database_user: str | None = setting(
        None,
        optional(feed_types.DATABASE_USER),
        "Whom the function logs in as, unless `database_secret` has another `username`.",
    )
    database_table: str | None = setting(
        None, optional(feed_types.TABLE), "The table for the rows. It has to exist: the deployment does not create it."
    )
    database_resource_id: str | None = setting(
        None, optional(feed_types.RESOURCE_ID), "Log in by IAM to this instance, cluster or proxy. Needs no password."
    )
    database_secret: str | None = setting(
        None,
        optional(feed_types.SECRET_ARN),
        "Log in with the `password`, and as the `username` if there is one, in the JSON of this secret, instead of by "
        "IAM.",
    )
    database_ca: str | None = setting(
        None,
        optional(feed_types.CERTIFICATES),
        "The authority that signed the server's certificate, if it is not one of RDS's.",
    )
    subnets: tuple[str, ...] = setting(
        (), feed_types.SUBNETS, "Where in your VPC the function of a PostgreSQL feed runs."
    )
    security_groups: tuple[str, ...] = setting(
        (),
        feed_types.SECURITY_GROUPS,
        "Of the function of a PostgreSQL feed. Those of the database have to admit them.",
    )

    def __post_init__(self) -> None:
        read_settings(self)
        NAME.read("name", self.name)
        if self.reserved_concurrency is _CONCURRENCY:
            # Each delivery to PostgreSQL holds one of the server's connections, and all parts of a file write to one
            # partition of the index.
            is_low = self.is_postgresql or self.file_index
            object.__setattr__(self, "reserved_concurrency", _LOW_CONCURRENCY if is_low else int(_CONCURRENCY))
        for problem in feed_rules.problems(self):
            raise problem

    @classmethod
    def of_settings(cls, name: str, own: Mapping[str, Any], for_all: Mapping[str, Any] | None = None) -> "Feed":
        """The feed with some settings, those of the format beside the others, as cdk.json has them.

        It has those that are given for all feeds, too, unless it has its own, or no use for them.
        """
        values = {**feed_rules.without_others({**(for_all or {}), **own}), **own}
        of_format = {key: value for key, value in values.items() if key in FORMAT_SETTINGS}
        others = {key: value for key, value in values.items() if key not in FORMAT_SETTINGS}
        return cls(name=name, format=FileFormat(**of_format), **others)

    def to_json(self) -> str:
        """A JSON object that `from_json` reads: what is not at its default, which for the concurrency is no value."""
        values = given(self) | {"format": self.format.to_json(), "reserved_concurrency": self.reserved_concurrency}
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Feed":
        """The feed that `to_json` wrote. Raises InvalidSetting, also for settings of a later release."""
        values = json.loads(text)
        require_known(values, [each.name for each in fields(cls)])
        format_ = values.get("format", {})
        require_known(format_, FORMAT_SETTINGS)
        return cls(**{**values, "format": FileFormat(**format_)})

    @property
    def is_postgresql(self) -> bool:
        return self.destination == feed_types.POSTGRESQL

    @property
    def rows_expire(self) -> bool:
        """Whether rows of the feed do, some days after their upload."""
        return self.keep_rows_days is not None

    @property
    def is_notified(self) -> bool:
        """Whether the bucket's own notifications invoke the function."""
        return self.trigger == feed_types.S3

    @property
    def suffix(self) -> str:
        """What ends the names of this feed's outputs and resources: `AcmeEu` for acme-eu, nothing for the default."""
        return "" if self.name == DEFAULT_FEED else "".join(word.capitalize() for word in self.name.split("-"))

    @property
    def mode(self) -> WriteMode:
        return MODES[self.write_mode]

    @property
    def reserved_names(self) -> tuple[str, ...]:
        """What every row has in the destination: no declared column can be stored under one of these names."""
        expiry = (ROW_EXPIRES_AT,) if self.rows_expire else ()
        of_database = feed_rules.OF_POSTGRESQL if self.is_postgresql else ()
        return (*OF_EVERY_ROW, *self.mode.own_columns, *expiry, *of_database)

    @property
    def max_file_bytes(self) -> int:
        return self.max_file_mb * 1_000_000

    @property
    def database(self) -> Database | None:
        """The database that has the rows table; None if it is in DynamoDB."""
        if not self.is_postgresql:
            return None
        host, name, user = self.database_host or "", self.database_name or "", self.database_user or ""
        return Database(host, self.database_port, name, user, self.database_secret or "", self.database_ca or "")


FORMAT_SETTINGS = settings_of(FileFormat)
