"""The settings of a deployment. stacks/setting_types.py says what is allowed, stacks/context.py reads the settings."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk.aws_logs import RetentionDays

from stacks.setting_types import (
    BUCKET_NAME,
    COLUMNS,
    DECIMAL_SEPARATOR,
    DELIMITER,
    EMAIL_ADDRESS,
    ENCODING,
    ID_COLUMN,
    KEY_PREFIX,
    KEY_SUFFIXES,
    KMS_KEY_ARN,
    POLICY_ARN,
    STAGE_NAME,
    TAGS,
    SettingType,
    one_of,
    optional,
    whole_number,
)

_LOG_RETENTION = {
    1: RetentionDays.ONE_DAY,
    3: RetentionDays.THREE_DAYS,
    7: RetentionDays.ONE_WEEK,
    14: RetentionDays.TWO_WEEKS,
    30: RetentionDays.ONE_MONTH,
    90: RetentionDays.THREE_MONTHS,
    180: RetentionDays.SIX_MONTHS,
    365: RetentionDays.ONE_YEAR,
}


def _setting(default: Any, type_: SettingType, doc: str) -> Any:
    return field(default=default, metadata={"type": type_, "doc": doc})


DEFAULT_FEED = "default"
"""The feed of a deployment without `feeds`. What belongs to it alone has no suffix in its name."""


@dataclass(frozen=True, kw_only=True)
class FeedSettings:
    """How one kind of file is read and ingested.

    Each field but the name is a context key: in `feeds`, for this feed; outside of it, for each feed without its own.
    """

    name: str = DEFAULT_FEED
    key_prefix: str = _setting("", KEY_PREFIX, "Only uploads below it are ingested.")
    key_suffixes: tuple[str, ...] = _setting(
        (".csv", ".CSV", ".csv.gz"),
        KEY_SUFFIXES,
        "Only uploads with one of these endings are ingested; S3 distinguishes upper and lower case.",
    )
    id_column: str = _setting(
        "id",
        ID_COLUMN,
        "The column that identifies a row within its file. `@line`: the line number does.",
    )
    delimiter: str = _setting(",", DELIMITER, "What separates the fields.")
    encoding: str = _setting("utf-8", ENCODING, "How files are encoded.")
    decimal_separator: str = _setting(
        ".", DECIMAL_SEPARATOR, "What separates the whole part of a decimal from its fraction, in declared columns."
    )
    columns: str = _setting(
        "{}",
        COLUMNS,
        "The columns that are stored with a type, [see below](#columns). All others are stored as text.",
    )
    """JSON, checked and compact. The function has the same text in its environment."""
    timeout_seconds: int = _setting(30, whole_number(10, 900), "Time for one delivery of a file.")
    max_file_mb: int = _setting(
        1_000,
        whole_number(1, 10_000),
        "Maximum size of a file. Files that cannot be split (such as gzip) may have a tenth of it, uncompressed. "
        "More than 1,000 needs a longer `timeout_seconds`.",
    )
    memory_mb: int = _setting(512, whole_number(256, 10_240), "Memory of the function, and with it its CPU share.")
    reserved_concurrency: int | None = _setting(
        50,
        optional(whole_number(1, 10_000)),
        "How many deliveries, of files or of parts, run at once. "
        "`none` reserves nothing: new accounts have only 10 and cannot.",
    )
    max_write_units: int | None = _setting(
        None,
        optional(whole_number(1, 10_000_000)),
        "Write request units a second that the rows table takes at most: a bound on what a burst can cost.",
    )

    @property
    def suffix(self) -> str:
        """What ends the names of this feed's outputs and resources: `AcmeEu` for acme-eu, nothing for the default."""
        return "" if self.name == DEFAULT_FEED else "".join(word.capitalize() for word in self.name.split("-"))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole configuration of a deployment. Each field but the feeds is the context key of the same name."""

    stage: str = _setting(
        "dev",
        STAGE_NAME,
        "Name of the deployment. `dev` can be destroyed with its data, every other stage keeps it.",
    )
    alarm_email: str | None = _setting(
        None,
        optional(EMAIL_ADDRESS),
        "Who is told when an upload failed. Without it, subscribe to the topic yourself.",
    )
    log_retention_days: int = _setting(14, one_of(_LOG_RETENTION), "How long logs are kept.")
    existing_bucket: str | None = _setting(
        None,
        optional(BUCKET_NAME),
        "Ingest from a bucket of yours instead of a new one. It has to keep versions; its policies stay yours.",
    )
    kms_key: str | None = _setting(
        None,
        optional(KMS_KEY_ARN),
        "Key of the bucket, the tables, the failure queue, the alarm topic and the logs. Its policy needs two "
        "statements of `docs/settings.md` first, or no alarm reaches anybody. If an existing bucket has a key, name "
        "that key. With a key, uploading the same file again gives it another ETag, so that its rows are stored again.",
    )
    permissions_boundary: str | None = _setting(
        None, optional(POLICY_ARN), "What every role of the stack is limited to."
    )
    tags: tuple[tuple[str, str], ...] = _setting((), TAGS, "Tags of every resource that can have them.")
    feeds: tuple[FeedSettings, ...] = (FeedSettings(),)

    @property
    def names_feeds(self) -> bool:
        """Whether there is any feed but the default, so that people have to be told which one is meant."""
        return self.feeds[0].name != DEFAULT_FEED or len(self.feeds) > 1

    @property
    def stack_id(self) -> str:
        return "CsvIngest" if self.stage == "dev" else f"CsvIngest-{self.stage}"

    @property
    def keeps_data(self) -> bool:
        """Whether uploads, tables, failed events and logs outlive the stack."""
        return self.stage != "dev"

    @property
    def removal_policy(self) -> RemovalPolicy:
        return RemovalPolicy.RETAIN if self.keeps_data else RemovalPolicy.DESTROY

    @property
    def log_retention(self) -> RetentionDays:
        return _LOG_RETENTION[self.log_retention_days]


def settings_of(owner: type[FeedSettings | Settings]) -> dict[str, dataclasses.Field[Any]]:
    """The fields that are context keys, with the metadata `type` and `doc`."""
    return {each.name: each for each in dataclasses.fields(owner) if each.metadata}


FEED_SETTINGS = settings_of(FeedSettings)
DEPLOYMENT_SETTINGS = settings_of(Settings)
