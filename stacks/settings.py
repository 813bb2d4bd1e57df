"""The settings of a deployment: those of its feeds are in csv_ingest/feed.py. stacks/context.py reads them."""

from dataclasses import dataclass

from aws_cdk.aws_logs import RetentionDays

from csv_ingest.feed import FORMAT_SETTINGS, Feed
from csv_ingest.settings import NAME, one_of, optional, setting, settings_of, whole_number

from .setting_types import (
    BUCKET_NAME,
    EMAIL_ADDRESS,
    EVENT_BUS,
    IGNORED_PREFIXES,
    KMS_KEY_ARN,
    KMS_KEY_ARNS,
    POLICY_ARN,
    TAGS,
)

__all__ = ["DEPLOYMENT_SETTINGS", "FEED_SETTINGS", "Settings"]

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


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole configuration of a deployment. Each field but the feeds is the context key of the same name."""

    stage: str = setting(
        "dev",
        NAME,
        "Name of the deployment. `dev` can be destroyed with its data, every [other stage](feeds.md#stages) keeps it.",
    )
    alarm_email: str | None = setting(
        None,
        optional(EMAIL_ADDRESS),
        "Who is told when an upload failed. Without it, subscribe to the topic yourself.",
    )
    event_bus: str | None = setting(
        None,
        optional(EVENT_BUS),
        "The event bus that gets [an event per outcome of a file](reference.md#events): its name, or its ARN. Without "
        "it, the account's default bus.",
    )
    log_retention_days: int = setting(14, one_of(_LOG_RETENTION), "How long logs are kept.")
    keep_files_days: int | None = setting(
        None,
        optional(whole_number(60, 36_500)),
        "How many days the ledger [keeps](feeds.md#how-long-things-are-kept) what became of a file, after it was "
        "settled. Without it, for ever.",
    )
    existing_bucket: str | None = setting(
        None,
        optional(BUCKET_NAME),
        "Ingest from [a bucket of yours](own-app.md#your-own-bucket) instead of a new one. It has to keep versions; "
        "its policies stay yours.",
    )
    ignored_prefixes: tuple[str, ...] = setting(
        (),
        IGNORED_PREFIXES,
        "What no feed takes below them is meant to be there, and [nobody is "
        "told](feeds.md#objects-that-no-feed-takes).",
    )
    kms_key: str | None = setting(
        None,
        optional(KMS_KEY_ARN),
        "Key of the bucket, the tables, the failure queue, the alarm topic and the logs. Its policy needs [two "
        "statements](own-app.md#your-own-key) first, or no alarm reaches anybody. If an existing bucket has a key, "
        "name that key. With a key, uploading the same file again gives it another ETag, so that its rows are stored "
        "again.",
    )
    former_kms_keys: tuple[str, ...] = setting(
        (),
        KMS_KEY_ARNS,
        "Keys that `kms_key` was before, as long as there are [uploads under them](own-app.md#your-own-key).",
    )
    permissions_boundary: str | None = setting(
        None, optional(POLICY_ARN), "What every role of the stack is limited to."
    )
    tags: tuple[tuple[str, str], ...] = setting((), TAGS, "Tags of every resource that can have them.")
    feeds: tuple[Feed, ...] = (Feed(),)

    @property
    def names_feeds(self) -> bool:
        """Whether there is any feed but the default, so that people have to be told which one is meant."""
        return any(feed.suffix for feed in self.feeds)

    @property
    def stack_id(self) -> str:
        return "CsvIngest" if self.stage == "dev" else f"CsvIngest-{self.stage}"

    @property
    def keeps_data(self) -> bool:
        """Whether uploads, tables, failed events and logs outlive the stack."""
        return self.stage != "dev"

    @property
    def log_retention(self) -> RetentionDays:
        return _LOG_RETENTION[self.log_retention_days]


DEPLOYMENT_SETTINGS = settings_of(Settings)

_OF_FEEDS = settings_of(Feed)
_BEFORE_FORMAT = ("key_prefix", "key_suffixes")
FEED_SETTINGS = {name: _OF_FEEDS[name] for name in _BEFORE_FORMAT} | FORMAT_SETTINGS | _OF_FEEDS
"""Which uploads are of the feed, how these are read, and the others."""
