"""The Lambda handler of the hourly sweep: finds uploads that never settled, and delivers them again.

It also counts the objects that no feed takes, and tells of them.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from csv_ingest import clients, configuration, events, ignored, ledger, listing, modes, queues, reporting
from csv_ingest.model import Deadline, NotAccepted, ObjectVersion, Upload
from csv_ingest.notices import bus, not_taken

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

GRACE = timedelta(hours=1)
"""How long an upload may take until it counts as unsettled: its event, two retries, and some waiting."""

PARTS_GRACE = timedelta(hours=5)
"""How much longer a file may take that is ingested in parts: Lambda keeps an event for at most six hours."""

MAX_DELIVERIES = 100
"""Uploads of a feed delivered in one run: a thousand lost events must not become a thousand invocations at once."""

TIME_TO_REPORT = 10
"""Seconds of the timeout kept back."""


class Swept(NamedTuple):
    """What a run found and did."""

    uploads: int
    unsettled: int
    delivered: int


@reporting.logger.inject_lambda_context(clear_state=True)
@reporting.metrics.log_metrics
def handler(_event: dict[str, Any], context: LambdaContext, *, grace: timedelta = GRACE) -> None:
    """Count the failed events, deliver again the uploads that never settled, count what no feed takes, and tell of it.

    The schedule's event is not used.
    """
    config = configuration.SweepConfig.from_environment()
    deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000 - TIME_TO_REPORT)
    # What cannot be read, or be delivered, fails this run, and keeps nothing else from being found.
    with ExitStack() as then:  # the callback that is added last is called first
        then.callback(_report_ignored, config, deadline)
        then.callback(_report_swept, config, deadline, before=datetime.now(UTC) - grace)
        reporting.count("FailuresWaiting", sum(queues.count_messages(clients.sqs(), config.failure_queue)))


def _report_swept(config: configuration.SweepConfig, deadline: Deadline, *, before: datetime) -> None:
    swept = sweep(
        config=config,
        s3=clients.s3(),
        dynamodb=clients.dynamodb(),
        lambda_=clients.lambda_(),
        before=before,
        deadline=deadline,
    )
    reporting.logger.info("swept", extra=swept._asdict())
    reporting.count("UnsettledFiles", swept.unsettled)


def _report_ignored(config: configuration.SweepConfig, deadline: Deadline) -> None:
    """Raises OutOfTime before it has looked at all: a number that is too small would be taken for good news."""
    intake = config.intake
    objects = ignored.objects_to_look_at(clients.s3(), config.upload_bucket, intake=intake, deadline=deadline)
    files = ledger.FilesTable(clients.dynamodb(), config.files_table, deadline=deadline)
    since = ignored.deployed_at(clients.dynamodb(), config.files_table)
    number, newest = not_taken.newest_of(ignored.find(objects, intake=intake, files=files, since=since))
    reporting.count("ObjectsIgnored", number)
    if config.event_bus:
        told_on = bus.EventBus(clients.events(), config.event_bus, config.stack, config.upload_bucket)
        not_taken.tell(newest, number, intake, files, told_on)


def sweep(
    *,
    config: configuration.SweepConfig,
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    lambda_: "LambdaClient",
    before: datetime,
    deadline: Deadline,
) -> Swept:
    """Deliver again what was uploaded before a time and is neither complete nor rejected, at most 100 uploads per feed.

    A planned file of which twelve deliveries made no progress is only counted: a person has to look. So is a file that
    a person began to reload or to forget.

    The bucket is the truth: an upload that the ledger has never heard of is found too. Nothing is stored from run to
    run, so that nothing can be stored wrongly. Raises OutOfTime if time is used up before the last upload was looked
    at: a number that is too small would be taken for good news. If the function of a feed does not take an event,
    raises NotAccepted or botocore's error after the other feeds had their turn.
    """
    table = ledger.FilesTable(dynamodb, config.files_table, deadline=deadline)
    feeds = list(config.feeds.values())
    random.shuffle(feeds)  # a feed with too many uploads must not always come before the others
    swept = Swept(0, 0, 0)
    failures: list[ClientError | BotoCoreError | NotAccepted] = []
    for feed in feeds:
        prefix, suffixes = feed.taker.prefix, feed.taker.suffixes
        uploads = listing.list_uploads(s3, config.upload_bucket, prefix=prefix, suffixes=suffixes)
        seen, unsettled = _find_unsettled(uploads, feed.mode, table, before, deadline)
        due = [version for version, record in unsettled if not _needs_a_person(record, before)]
        # At random, or a hundred files that fail for ever would keep all others waiting for ever.
        chosen = random.sample(due, min(len(due), MAX_DELIVERIES))
        swept = Swept(swept.uploads + seen, swept.unsettled + len(unsettled), swept.delivered + len(chosen))
        try:
            _deliver(chosen, feed.function, lambda_, deadline)
        except (ClientError, BotoCoreError, NotAccepted) as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return swept


def _find_unsettled(
    uploads: Iterator[Upload], mode: modes.WriteMode, table: ledger.FilesTable, before: datetime, deadline: Deadline
) -> tuple[int, list[tuple[ObjectVersion, ledger.FileRecord]]]:
    """How many uploads from before a time there are, and those of them that should be settled and are not."""
    seen = 0
    unsettled: dict[tuple[str, str], tuple[ObjectVersion, ledger.FileRecord]] = {}
    for upload, record in table.records(upload for upload in uploads if upload.modified < before):
        seen += 1
        deadline.check(f"after {seen:,} uploads, {len(unsettled):,} of them unsettled")
        version = upload.version
        if record.is_settled or _is_under_way(record, before):
            continue
        # Of the versions that are one upload, the one whose delivery has begun: others can have other content.
        name = version.key, mode.content_key(version)
        if name not in unsettled or version.version_id == record.version_id:
            unsettled[name] = version, record
    return seen, list(unsettled.values())


def _is_under_way(record: ledger.FileRecord, before: datetime) -> bool:
    """Whether parts of a file may still be in Lambda's queue. More of them would only delay each other."""
    return bool(record.part_count and record.started_at and record.started_at > before - PARTS_GRACE)


def _needs_a_person(record: ledger.FileRecord, before: datetime) -> bool:
    """Whether no delivery helps. A file without a plan is delivered all the same: that delivery rejects it."""
    return bool(record.erasing) or (record.is_stuck(before) and record.is_planned)


def _deliver(versions: Sequence[ObjectVersion], function: str, lambda_: "LambdaClient", deadline: Deadline) -> None:
    for version in versions:
        deadline.check(f"while {len(versions):,} uploads were delivered")
        queues.dispatch(lambda_, function, events.upload_event(version))
