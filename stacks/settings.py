"""The settings of a deployment. stacks/setting_types.py says what is allowed, stacks/context.py reads the settings."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk.aws_logs import RetentionDays

from stacks.database_types import ROUTE_TABLES, VPC_ID
from stacks.feed_settings import DEFAULT_FEED, FeedSettings
from stacks.setting_types import (
    BUCKET_NAME,
    EMAIL_ADDRESS,
    IGNORED_PREFIXES,
    KMS_KEY_ARN,
    POLICY_ARN,
    STAGE_NAME,
    TAGS,
    one_of,
    optional,
    setting,
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


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole configuration of a deployment. Each field but the feeds is the context key of the same name."""

    stage: str = setting(
        "dev",
        STAGE_NAME,
        "Name of the deployment. `dev` can be destroyed with its data, every other stage keeps it.",
    )
    alarm_email: str | None = setting(
        None,
        optional(EMAIL_ADDRESS),
        "Who is told when an upload failed. Without it, subscribe to the topic yourself.",
    )
    log_retention_days: int = setting(14, one_of(_LOG_RETENTION), "How long logs are kept.")
    existing_bucket: str | None = setting(
        None,
        optional(BUCKET_NAME),
        "Ingest from a bucket of yours instead of a new one. It has to keep versions; its policies stay yours.",
    )
    ignored_prefixes: tuple[str, ...] = setting(
        (),
        IGNORED_PREFIXES,
        "What no feed takes below them is meant to be there, and [nobody is told](#objects-that-no-feed-takes).",
    )
    kms_key: str | None = setting(
        None,
        optional(KMS_KEY_ARN),
        "Key of the bucket, the tables, the failure queue, the alarm topic and the logs. Its policy needs two "
        "statements of `docs/settings.md` first, or no alarm reaches anybody. If an existing bucket has a key, name "
        "that key. With a key, uploading the same file again gives it another ETag, so that its rows are stored again.",
    )
    permissions_boundary: str | None = setting(
        None, optional(POLICY_ARN), "What every role of the stack is limited to."
    )
    tags: tuple[tuple[str, str], ...] = setting((), TAGS, "Tags of every resource that can have them.")
    vpc_endpoints: str | None = setting(
        None,
        optional(VPC_ID),
        "Create the endpoints in this VPC that the functions of PostgreSQL feeds need, if it has neither them nor a "
        "NAT. [See below](#network).",
    )
    route_tables: tuple[str, ...] = setting(
        (), ROUTE_TABLES, "With `vpc_endpoints`: the route tables of the feeds' subnets."
    )
    feeds: tuple[FeedSettings, ...] = (FeedSettings(),)

    @property
    def names_feeds(self) -> bool:
        """Whether there is any feed but the default, so that people have to be told which one is meant."""
        return self.feeds[0].name != DEFAULT_FEED or len(self.feeds) > 1

    @property
    def postgresql_feeds(self) -> list[FeedSettings]:
        return [feed for feed in self.feeds if feed.is_postgresql]

    @property
    def ignored_prefixes_json(self) -> str:
        """A JSON list."""
        return json.dumps(self.ignored_prefixes, ensure_ascii=False, separators=(",", ":"))

    @property
    def existing_bucket_json(self) -> str:
        """`true` if the bucket is of another owner, else `false`."""
        return json.dumps(self.existing_bucket is not None)

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
