"""What keeps data: the upload bucket, the rows table of each DynamoDB feed, and the files table."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Annotations, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from csv_ingest.feed import Feed
from csv_ingest.model import (
    FILE_EXPIRES_AT,
    FILES_INDEX,
    FILES_INDEX_KEY,
    FILES_KEY,
    ROW_EXPIRES_AT,
    ROWS_INDEX,
    ROWS_KEY,
)

from .notifications import NotificationsHandler
from .practices import Keeping
from .upload_bucket import existing_bucket, let_upload, new_bucket

NEW_TABLE, WARM_UNIT = 4_000, 0.00065
"""The write units per second of a new table, and the dollars of each that is warm beyond them."""


class Storage(Construct):
    """The upload bucket and the tables. `tables` holds the rows tables of the DynamoDB feeds by the feed's name."""

    def __init__(
        self, scope: Construct, id_: str, *, feeds: Sequence[Feed], bucket: s3.IBucket | None, keeping: Keeping
    ) -> None:
        super().__init__(scope, id_)
        self.feeds = feeds
        self.keeping = keeping
        self.notifications: NotificationsHandler | None = None
        # In a bucket of another owner, nothing is configured for EventBridge: that would remove what others configured.
        is_configured = not bucket or any(feed.is_notified for feed in feeds)
        if is_configured and not isinstance(bucket, s3.Bucket) and not NotificationsHandler.exists(self):
            self.notifications = NotificationsHandler(self, "Notifications", keeping=keeping)
        role = self.notifications.role if self.notifications else None
        self.has_existing_bucket = bucket is not None
        self.uploads = existing_bucket(self, bucket, role) if bucket else new_bucket(self, feeds, keeping, role)
        if not bucket and not all(feed.is_notified for feed in feeds):
            self.uploads.enable_event_bridge_notification()
        for feed in feeds:
            let_upload(self.uploads, feed)
        # docs/reference.md describes the keys and the attributes.
        self.tables: dict[str, dynamodb.ITable] = {
            feed.name: self._existing_rows(feed) if feed.rows_table else self._rows(feed)
            for feed in feeds
            if not feed.is_postgresql
        }
        self.files = self._files()

    @property
    def stream(self) -> str:
        """The ARN of the stream of what changes in the files table."""
        return self.files.table_stream_arn or ""

    def rows_name(self, feed: Feed) -> str:
        """The name of a feed's rows table, wherever it is."""
        return feed.database_table or "" if feed.is_postgresql else self.tables[feed.name].table_name

    def rows_capacity(self, feed: Feed) -> list[cloudwatch.IMetric]:
        """Of the DynamoDB table of a feed, and of its index, if it has one. A PostgreSQL feed has neither."""
        if feed.is_postgresql:
            return []
        table = self.tables[feed.name]
        rows = _write_capacity(table, "rows")
        of_index = {"TableName": table.table_name, "GlobalSecondaryIndexName": ROWS_INDEX}
        return [rows, *([rows.with_(dimensions_map=of_index, label="index")] if feed.file_index else [])]

    def files_capacity(self) -> cloudwatch.IMetric:
        return _write_capacity(self.files, "files")

    def _files(self) -> dynamodb.Table:
        # The stream is the outbox: who has to be told of an outcome learns it from there.
        table = self._table(
            "Files",
            _keys(*FILES_KEY),
            stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            time_to_live_attribute=FILE_EXPIRES_AT if self.keeping.files_days else None,
        )
        partition, sort = _keys(*FILES_INDEX_KEY).values()
        table.add_global_secondary_index(
            index_name=FILES_INDEX,
            partition_key=partition,
            sort_key=sort,
            # A checkpoint changes nothing in the index, and costs nothing there.
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        return table

    def _existing_rows(self, feed: Feed) -> dynamodb.ITable:
        """A table of another owner. The stack changes nothing about it."""
        return dynamodb.Table.from_table_name(self, f"Rows{feed.suffix}", feed.rows_table or "")

    def _rows(self, feed: Feed) -> dynamodb.Table:
        most = feed.max_write_units
        warm = dynamodb.WarmThroughput(write_units_per_second=feed.warm_write_units) if feed.warm_write_units else None
        table = self._table(
            f"Rows{feed.suffix}",
            _keys(*ROWS_KEY),
            max_write_request_units=most,
            warm_throughput=warm,
            time_to_live_attribute=ROW_EXPIRES_AT if feed.keep_rows_days else None,
        )
        if feed.warm_write_units:
            Annotations.of(table).add_info_v2("csv-ingest:warm-throughput", _price_of_warmth(feed))
        if feed.file_index:
            table.add_global_secondary_index(
                index_name=ROWS_INDEX,
                partition_key=dynamodb.Attribute(name="etag", type=dynamodb.AttributeType.STRING),
                sort_key=dynamodb.Attribute(name="line", type=dynamodb.AttributeType.NUMBER),
                # Who reads a row fetches it from the table, which is consistent, and the index is not.
                projection_type=dynamodb.ProjectionType.KEYS_ONLY,
                max_write_request_units=most,
                warm_throughput=warm,
            )
        return table

    def _table(self, id_: str, keys: dict[str, Any], **properties: Any) -> dynamodb.Table:
        key = self.keeping.key
        return dynamodb.Table(
            self,
            id_,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if key else dynamodb.TableEncryption.AWS_MANAGED,
            encryption_key=key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=self.keeping.outlives_stack,
            removal_policy=self.keeping.removal_policy,
            **keys,
            **properties,
        )


def _price_of_warmth(feed: Feed) -> str:
    """What `warm_write_units` costs, for the synthesis to say.

    https://aws.amazon.com/blogs/database/pre-warming-amazon-dynamodb-tables-with-warm-throughput
    """
    units = (feed.warm_write_units or 0) - NEW_TABLE
    times = 2 if feed.file_index else 1
    return (
        f"feed {feed.name}: warm_write_units={feed.warm_write_units:,} costs {units * times * WARM_UNIT:,.2f} dollars "
        "in us-east-1, once: when it is deployed first, or what it is raised by. It cannot be lowered"
    )


def _write_capacity(table: dynamodb.ITable, label: str) -> cloudwatch.Metric:
    return table.metric_consumed_write_capacity_units(period=Duration.minutes(5), label=label)


def _keys(*names: str) -> dict[str, dynamodb.Attribute]:
    """The properties of a table for one or two key attributes, which are text."""
    attributes = (dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING) for name in names)
    return dict(zip(("partition_key", "sort_key"), attributes, strict=False))
