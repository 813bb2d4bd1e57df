"""One run of the sweep: its share of a scan of the bucket, and the deliveries of what it found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from csv_ingest import configuration, events, ignored, ledger, listing, queues, reporting
from csv_ingest.model import Deadline, ItemsNotRead, NotAccepted, OutOfTime, Upload
from csv_ingest.sweeping.checkpoint import Checkpoint
from csv_ingest.sweeping.due import DueUploads
from csv_ingest.sweeping.scanner import Scanner

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

ALWAYS_ASKED = 10_000
"""About so many uploads the ledger is asked in each scan, however old they are: 0.001 dollars."""

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
    all. If time is used up, the next run goes on where this one ended. What cannot be read, and a function that does
    not take an event, keep nothing else from being delivered; then the first such error is raised.
    """
    now = datetime.now(UTC)
    files = ledger.FilesTable(dynamodb, config.files_table, deadline=deadline)
    left = files.sweeps.checkpoint()
    checkpoint = Checkpoint.from_json(left)
    deployed_at = ignored.deployed_at(dynamodb, config.files_table)
    scan = checkpoint.begin_run(
        config.intake,
        bucket=config.upload_bucket,
        now=now,
        before=before,
        deployed_at=deployed_at,
        days={name: feed.days for name, feed in config.feeds.items()},
        always_asked=always_asked,
    )
    scanner = Scanner(config, files, scan, checkpoint, deployed_at=deployed_at, before=before)
    run = _Run(config, scanner, s3, lambda_, deadline)
    is_complete = run.do(checkpoint)
    if not files.sweeps.save(checkpoint.to_json(), instead_of=left):
        reporting.logger.warning("another run of the sweep ended meanwhile: the next one goes on from there")
    if run.failures:
        raise run.failures[0]
    return Swept(
        uploads=scan.listed,
        unsettled=checkpoint.known("unsettled"),
        delivered=run.delivered,
        ignored=checkpoint.known("ignored"),
        newest_ignored=scanner.ignored,
        completed_at=checkpoint.completed_at or now,
        is_complete=is_complete,
    )


@dataclass
class _Run:
    """What a run does, one step after the other; an error of a step is kept, and the next step is done all the same."""

    config: configuration.SweepConfig
    scanner: Scanner
    s3: "S3Client"
    lambda_: "LambdaClient"
    deadline: Deadline
    delivered: int = 0
    failures: list[Exception] = field(default_factory=list)

    def do(self, checkpoint: Checkpoint) -> bool:
        """Look at the bucket while there is time, and deliver; returns whether the scan is complete."""
        is_complete = self._attempt(self._look_at_pages)
        for name, feed in self.config.feeds.items():
            self._attempt(partial(self._deliver, feed, self.scanner.due[name]))
        if is_complete:
            if not self._attempt(self._look_beside_feeds):
                # Not less than before: nobody has counted them.
                self.scanner.scan.ignored = checkpoint.known("ignored")
            checkpoint.end_scan(datetime.now(UTC))
        return is_complete

    def _attempt(self, step: Callable[[], bool]) -> bool:
        """Whether a step came to its end."""
        try:
            return step()
        except (ClientError, BotoCoreError, NotAccepted, OutOfTime, ItemsNotRead) as error:
            self.failures.append(error)
            return False

    def _look_at_pages(self) -> bool:
        """Look at one page of the bucket after the other; returns whether there was time for the last one, too."""
        kept = SHARE_TO_DELIVER * self.deadline.seconds_left()
        prefixes = self.config.intake.prefixes if self.config.existing_bucket else [""]
        after = self.scanner.scan.after
        pages = listing.pages(self.s3, self.config.upload_bucket, prefixes=prefixes, after=after)
        while self.deadline.seconds_left() > kept:
            if not (page := next(pages, None)):
                return True
            self.scanner.look_at(page)
        return False

    def _deliver(self, feed: configuration.SweptFeed, due: DueUploads) -> bool:
        """Deliver what is due of a feed; returns whether there was time for all of it."""
        for digest, version in due.in_order():
            if self.deadline.seconds_left() <= 0:
                return False
            queues.dispatch(self.lambda_, feed.function, events.upload_event(version))
            self.scanner.scan.note_delivery(digest)
            self.delivered += 1
        return True

    def _look_beside_feeds(self) -> bool:
        """Count what is below no prefix of a feed, but below something like one, in a bucket of another owner."""
        if self.config.existing_bucket:
            bucket, intake = self.config.upload_bucket, self.config.intake
            self.scanner.add_ignored(ignored.resembling(self.s3, bucket, intake=intake, deadline=self.deadline))
        return True
