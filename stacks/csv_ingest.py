"""The pipeline, as a construct for any stack: `from csv_ingest_cdk import CsvIngest, Feed`."""

from collections.abc import Mapping, Sequence

from aws_cdk import RemovalPolicy, Stack, Token
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_logs import RetentionDays
from constructs import Construct

from csv_ingest.feed import Feed

from .ingestion import Ingestion
from .key_policy import let_services_use
from .limits import problems
from .monitoring import Monitoring
from .people import People
from .practices import Keeping
from .storage import Storage


class CsvIngest(Construct):
    """Uploads to a bucket become rows in the table of their feed; what fails is in the failure queue, and alarms.

    A stack can have several of these constructs. `bucket` is one of yours that keeps versions, instead of a new one,
    and `topic` one that alarms may notify. `event_bus` gets an event per outcome; by default that is the account's
    default bus. `key` encrypts what the construct creates; under `former_keys` there are uploads from before. The
    ledger keeps what it has of a settled upload for `keep_files_days`, by default for ever. Nobody is told of objects
    below `ignored_prefixes` that no feed takes. Raises ValueError for feeds that cannot be deployed together.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        feeds: Sequence[Feed] = (Feed(),),
        bucket: s3.IBucket | None = None,
        ignored_prefixes: Sequence[str] = (),
        key: kms.IKey | None = None,
        former_keys: Sequence[kms.IKey] = (),
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
        log_retention: RetentionDays = RetentionDays.TWO_WEEKS,
        keep_files_days: int | None = None,
        topic: sns.ITopic | None = None,
        alarm_email: str | None = None,
        event_bus: events.IEventBus | None = None,
    ) -> None:
        super().__init__(scope, id_)
        self.name = _name_of(self)
        """Under which its logs, metrics and events are found, and which `csv-ingest --stack` takes: `Shop.Orders`."""
        named = None
        if bucket:
            named = "" if Token.is_unresolved(bucket.bucket_name) else bucket.bucket_name
        for problem in problems(
            feeds,
            service=self.name,
            ignored_prefixes=ignored_prefixes,
            existing_bucket=named,
            keep_files_days=keep_files_days,
        ):
            raise ValueError(problem)
        keeping = Keeping(
            key=key,
            former_keys=former_keys,
            removal_policy=removal_policy,
            log_retention=log_retention,
            files_days=keep_files_days,
        )
        if key:
            let_services_use(self, key, events=not all(feed.is_notified for feed in feeds))
        storage = Storage(self, "Storage", feeds=feeds, bucket=bucket, keeping=keeping)
        bus = event_bus or events.EventBus.from_event_bus_name(self, "DefaultBus", "default")
        ingestion = Ingestion(
            self,
            "Ingestion",
            storage=storage,
            ignored_prefixes=ignored_prefixes,
            event_bus=bus,
            service=self.name,
        )
        self.bucket: s3.IBucket = storage.uploads
        self.tables: Mapping[str, dynamodb.ITable] = storage.tables
        self.files: dynamodb.ITable = storage.files
        self.functions: Mapping[str, lambda_.IFunction] = {each.feed.name: each.function for each in ingestion.ingest}
        self.failures: sqs.IQueue = ingestion.failures
        monitoring = Monitoring(
            self,
            "Monitoring",
            ingestion=ingestion,
            event_bus=bus,
            topic=topic,
            email=alarm_email,
            service=self.name,
        )
        self.topic = monitoring.topic
        people = People(self, "People", storage=storage, ingestion=ingestion, notifier=monitoring.notifier)
        self.outputs = {
            **self._outputs(storage, ingestion),
            "NotifierFunctionName": monitoring.notifier.function.function_name,
            **people.outputs,
        }

    def grant_read(self, grantee: iam.IGrantable, *, feed: str) -> iam.Grant:
        """Let somebody read the rows of a feed in DynamoDB; raises KeyError for another one."""
        return self.tables[feed].grant_read_data(grantee)

    def _outputs(self, storage: Storage, ingestion: Ingestion) -> Mapping[str, str]:
        """By the names under which `csv-ingest` finds them among the outputs of a stack."""
        return {
            "UploadBucketName": self.bucket.bucket_name,
            **{f"RowsTableName{feed.suffix}": storage.rows_name(feed) for feed in storage.feeds},
            "FilesTableName": self.files.table_name,
            "FailureQueueUrl": self.failures.queue_url,
            **{f"IngestFunctionName{each.feed.suffix}": each.function.function_name for each in ingestion.ingest},
            "AlarmTopicArn": self.topic.topic_arn,
            **ingestion.sweep.outputs,
        }


def _name_of(construct: Construct) -> str:
    """The stack's name and the ids below it: no other construct of the stack has the same."""
    stack = Stack.of(construct)
    ids = construct.node.path.removeprefix(f"{stack.node.path}/").split("/")
    return ".".join([stack.stack_name, *(each for each in ids if each != "Default")])
