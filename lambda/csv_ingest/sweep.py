"""The Lambda handler of the hourly sweep: finds uploads that never settled, and delivers them again.

It also counts the objects that no feed takes, and tells of them.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from csv_ingest import clients, configuration, events, ignored, ledger, listing, queues, reporting
from csv_ingest.model import Deadline, ItemsNotRead, NotAccepted, OutOfTime, Upload
from csv_ingest.notices import bus, not_taken
from csv_ingest.sweeping.checkpoint import Checkpoint
from csv_ingest.sweeping.due import DueUploads
from csv_ingest.sweeping.scanner import Scanner

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

GRACE = timedelta(hours=1)
"""How long an upload may take until it counts as unsettled: its event, two retries, and some waiting."""

LONGEST_SCAN = timedelta(days=1)
"""If none was complete for so long, somebody has to know."""

ALWAYS_ASKED = 10_000
"""About so many uploads the ledger is asked in each scan, however old they are: 0.001 dollars."""

TIME_TO_REPORT = 10
"""Seconds of the timeout kept back."""

SHARE_TO_DELIVER = 0.2
"""Of the time, for what a run has to do after it has listed the bucket."""


class Swept(NamedTuple):
    """What a run found and did."""

    uploads: int
    """How many the scan has listed, also in the runs before this one."""
    unsettled: int
    delivered: int
    ignored: int
    """How many objects no feed takes."""
    newest_ignored: Sequence[Upload]
    """Of this run, at most a thousand, the oldest of them first."""
    completed_at: datetime
    """When the last scan was complete; before there is one, when the first run began."""
    is_complete: bool
    """Whether this run has come to the end of a scan."""


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
        then.callback(_report_swept, config, deadline, grace)
        reporting.count("FailuresWaiting", sum(queues.count_messages(clients.sqs(), config.failure_queue)))


def _report_swept(config: configuration.SweepConfig, deadline: Deadline, grace: timedelta) -> None:
    swept = sweep(
        config=config,
        s3=clients.s3(),
        dynamodb=clients.dynamodb(),
        lambda_=clients.lambda_(),
        before=datetime.now(UTC) - grace,
        deadline=deadline,
    )
    about = ("uploads", "unsettled", "ignored", "delivered", "is_complete")
    reporting.logger.info("swept", extra={name: value for name, value in swept._asdict().items() if name in about})
    reporting.count("UnsettledFiles", swept.unsettled)
    reporting.count("ObjectsIgnored", swept.ignored)
    if config.event_bus and swept.ignored:
        told_on = bus.EventBus(clients.events(), config.event_bus, config.stack, config.upload_bucket)
        files = ledger.FilesTable(clients.dynamodb(), config.files_table, deadline=deadline)
        not_taken.tell(swept.newest_ignored, swept.ignored, config.intake, files, told_on)
    if datetime.now(UTC) - swept.completed_at > LONGEST_SCAN:
        since = ledger.text_of_time(swept.completed_at)
        raise OutOfTime(f"out of time: no scan of the bucket was complete since {since}")


def sweep(
    *,
    config: configuration.SweepConfig,
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    lambda_: "LambdaClient",
    before: datetime,
    deadline: Deadline,
    always_asked: int = ALWAYS_ASKED,
) -> Swept:
    """Deliver again what was uploaded before a time and is neither complete nor rejected, at most 100 uploads per feed.

    A planned file of which twelve deliveries made no progress is only counted: a person has to look. So is a file that
    a person began to reload or to forget. What was in the bucket before its feed, and has no record, is not looked for.

    The bucket is the truth: a scan lists every version, so that an upload is found of which the ledger has never heard.
    The ledger is asked about those that are new, or were unsettled in the last scan, and in the scans of a day about
    all. If time is used up, the next run goes on where this one ended. If the function of a feed does not take an
    event, raises NotAccepted or botocore's error after the other feeds had their turn.
    """
    now = datetime.now(UTC)
    files = ledger.FilesTable(dynamodb, config.files_table, deadline=deadline)
    left = files.sweeps.checkpoint()
    checkpoint = Checkpoint.from_json(left) if left else Checkpoint()
    deployed_at = ignored.deployed_at(dynamodb, config.files_table)
    scan = checkpoint.begin_run(
        config.intake,
        bucket=config.upload_bucket,
        now=now,
        before=before,
        deployed_at=deployed_at,
        always_asked=always_asked,
    )
    scanner = Scanner(config, files, scan, checkpoint, deployed_at=deployed_at, before=before)
    failures: list[Exception] = []
    # What cannot be read fails the run, and keeps nothing that was found from being delivered.
    is_complete = _attempt(failures, lambda: _look_at_pages(scanner, config, s3, deadline), otherwise=False)
    delivered = _deliver(scanner, config, lambda_, deadline, failures)
    if is_complete:
        if not _attempt(failures, lambda: _look_beside_feeds(scanner, config, s3, deadline), otherwise=False):
            scan.ignored = checkpoint.known("ignored")  # not less than before: nobody has counted them
        checkpoint.end_scan(datetime.now(UTC))
    if not files.sweeps.save(checkpoint.to_json(), instead_of=left):
        reporting.logger.warning("another run of the sweep ended meanwhile: the next one goes on from there")
    if failures:
        raise failures[0]
    return Swept(
        uploads=scan.listed,
        unsettled=checkpoint.known("unsettled"),
        delivered=delivered,
        ignored=checkpoint.known("ignored"),
        newest_ignored=scanner.ignored,
        completed_at=checkpoint.completed_at or now,
        is_complete=is_complete,
    )


T = TypeVar("T")


def _attempt(failures: list[Exception], what: Callable[[], T], *, otherwise: T) -> T:
    """Do something; if AWS does not let it, or time does not, note why."""
    try:
        return what()
    except (ClientError, BotoCoreError, NotAccepted, OutOfTime, ItemsNotRead) as error:
        failures.append(error)
        return otherwise


def _look_at_pages(scanner: Scanner, config: configuration.SweepConfig, s3: "S3Client", deadline: Deadline) -> bool:
    """Look at one page after the other; returns whether there was time for the last one, too."""
    kept = SHARE_TO_DELIVER * deadline.seconds_left()
    prefixes = config.intake.prefixes if config.existing_bucket else [""]
    pages = listing.pages(s3, config.upload_bucket, prefixes=prefixes, after=scanner.scan.after)
    while deadline.seconds_left() > kept:
        if not (page := next(pages, None)):
            return True
        scanner.look_at(page)
    return False


def _look_beside_feeds(scanner: Scanner, config: configuration.SweepConfig, s3: "S3Client", deadline: Deadline) -> bool:
    """Count what is below no prefix of a feed, but below something like one; True. Raises OutOfTime."""
    if config.existing_bucket:
        beside = ignored.resembling(s3, config.upload_bucket, intake=config.intake, deadline=deadline)
        scanner.add_ignored(beside)
    return True


def _deliver(
    scanner: Scanner,
    config: configuration.SweepConfig,
    lambda_: "LambdaClient",
    deadline: Deadline,
    failures: list[Exception],
) -> int:
    """Deliver what is due while there is time; returns how much. Notes why a function did not take all of it."""
    delivered = 0

    def deliver(feed: configuration.SweptFeed, due: DueUploads) -> None:
        nonlocal delivered
        for digest, version in due.in_order():
            if deadline.seconds_left() <= 0:
                break
            queues.dispatch(lambda_, feed.function, events.upload_event(version))
            scanner.scan.note_delivery(digest)
            delivered += 1

    for name, feed in config.feeds.items():
        _attempt(failures, partial(deliver, feed, scanner.due[name]), otherwise=None)
    return delivered
