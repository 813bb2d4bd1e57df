"""The function that ingests the uploads of a feed."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from csv_ingest.configuration import IngestConfig, SweptFeed
from csv_ingest.feed import Feed
from csv_ingest.metrics import service_of

from .async_function import AsyncFunction
from .database_access import deny_network, join_network, login
from .practices import USE_OF_TABLES, acknowledge, allow, allow_key, wildcard_resource
from .storage import Storage


class IngestFunction(AsyncFunction):
    """Reads uploads of its feed, writes their rows, and records in the files table what became of them.

    It can read no upload of another feed, and write no row of another feed.
    """

    def __init__(
        self, scope: Construct, id_: str, *, storage: Storage, failures: sqs.Queue, feed: Feed, service: str
    ) -> None:
        self.feed = feed
        service = service_of(service, feed.name)
        uploads = storage.uploads.arn_for_objects(f"{feed.key_prefix}*")
        config = IngestConfig(
            upload_bucket=storage.uploads.bucket_name,
            rows_table=storage.rows_name(feed),
            files_table=storage.files.table_name,
            failure_queue=failures.queue_url,
            feed=feed,
            keep_files_days=storage.keeping.files_days,
        )
        self._files_days = storage.keeping.files_days
        super().__init__(
            scope,
            id_,
            handler="csv_ingest.handler.handler",
            description=(
                "Writes every row of an uploaded CSV file to "
                f"{'PostgreSQL' if feed.is_postgresql else 'DynamoDB'} exactly once."
            ),
            environment=config.to_environment(service),
            permissions=_permissions(storage, uploads, _rows_permissions(scope, storage, feed)),
            failures=failures,
            keeping=storage.keeping,
            service=service,
            timeout_seconds=feed.timeout_seconds,
            memory_mb=feed.memory_mb,
            reserved_concurrency=feed.reserved_concurrency,
        )
        acknowledge(
            self.role,
            "The keys of uploads are not known in advance: the function may read any, by one action, in one bucket, "
            "below the key prefix.",
            wildcard_resource(self, uploads),
        )
        if feed.is_postgresql:
            join_network(self, self.function, self.role, feed)

    @property
    def swept(self) -> SweptFeed:
        return SweptFeed.of(self.feed, self.function.function_name, self._files_days)

    def own_permissions(self) -> list[iam.PolicyStatement]:
        """What names the function itself, so that it cannot be in the role that the function needs first."""
        # The function dispatches the parts of large files to itself.
        dispatch = allow(self.live.function_arn, "lambda:InvokeFunction")
        return [dispatch, *([deny_network(self.function)] if self.feed.is_postgresql else [])]


def _rows_permissions(scope: Construct, storage: Storage, feed: Feed) -> list[iam.PolicyStatement]:
    if feed.is_postgresql:
        return login(scope, feed, storage.keeping.key)
    rows = storage.tables[feed.name].table_arn
    # Of the rows of older uploads, and of rows that have to be kept for longer.
    replace = ["dynamodb:PartiQLUpdate"] if feed.mode.supersedes or feed.keep_rows_days else []
    describe = ["dynamodb:DescribeTable"] if feed.rows_table else []
    return [allow(rows, "dynamodb:PartiQLInsert", "dynamodb:BatchGetItem", "dynamodb:UpdateItem", *replace, *describe)]


def _permissions(storage: Storage, uploads: str, rows: list[iam.PolicyStatement]) -> list[iam.PolicyStatement]:
    files, key = storage.files.table_arn, storage.keeping.key
    expired = ["dynamodb:PartiQLDelete"] if storage.keeping.files_days else []
    return [
        allow(uploads, "s3:GetObjectVersion"),
        *rows,
        allow(files, "dynamodb:PartiQLInsert", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem", *expired),
        *storage.keeping.allow_reading("s3"),
        *allow_key(key, "dynamodb", *USE_OF_TABLES),
    ]
