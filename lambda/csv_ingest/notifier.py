"""The Lambda handler of the notifier: tells whoever waits for a file what became of it.

It is invoked by the files table's stream, by a schedule, and by itself for what is tried again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from csv_ingest import clients, configuration, dynamodb, ledger, queues, reporting
from csv_ingest.model import FILES_KEY, Deadline, NotTold, PipelineError
from csv_ingest.notices import bus, changes, lookout, outcomes, returns, telling
from csv_ingest.notices.notice import Kind

TIME_TO_REPORT = 5
"""Seconds of the timeout kept back."""

CLOCKS = timedelta(minutes=5)
"""How much the times of the stream and of the ledger may differ."""

MAIL_AFTER = timedelta(minutes=4)
"""How old the oldest notice of a mail is at least, so that two mails are as far from each other."""

KINDS = {ledger.COMPLETE: Kind.COMPLETE, ledger.REJECTED: Kind.REJECTED}


@reporting.logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext, *, mail_after: timedelta = MAIL_AFTER) -> None:
    """Tell what an event is about.

    Of a batch of the stream, each record is told by itself; one that cannot be told goes into Lambda's queue, as an
    event of its own for this function, and keeps no other one waiting. Such an event raises if it fails, so that Lambda
    tries it twice more, and then sends it to the failure queue. The schedule's event is any other one.
    """
    config = configuration.NotifierConfig.from_environment()
    deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000 - TIME_TO_REPORT)
    notifier = Notifier(config, context.function_name, deadline)
    match event:
        case {"Records": [*records]}:
            notifier.tell_each(records)
        case {"change": change}:
            notifier.tell_change(change)
        case {"rejects": upload}:
            notifier.return_rejects(upload)
        case {"again": {"object_key": _} as upload}:
            notifier.tell_upload(upload)
        case {"again": {"feed": _} as period}:
            notifier.tell_period(period)
        case {"again": {"since": since, "until": until}}:
            notifier.tell_again(datetime.fromisoformat(since) - CLOCKS, datetime.fromisoformat(until) + CLOCKS)
        case _:
            notifier.look(datetime.now(UTC), mail_after)


@dataclass(frozen=True)
class Notifier:
    """What one invocation tells."""

    config: configuration.NotifierConfig
    function: str
    """The name of this function."""
    deadline: Deadline

    def tell_each(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Tell each record of the stream, or put it into Lambda's queue. Raises if Lambda does not take it."""
        for record in records:
            try:
                self.deadline.check("before a record of the stream was told")
                self.tell_change(record)
            except (PipelineError, ClientError, BotoCoreError) as error:
                reporting.logger.warning("not told yet", extra={"error": type(error).__name__, **_about(record)})
                self._dispatch({"change": record})

    def tell_change(self, record: Mapping[str, Any]) -> None:
        """Tell what a record of the stream is about, if it is a new outcome; at least once."""
        if change := changes.change_of(record):
            self._tell(change)

    def tell_again(self, since: datetime, until: datetime) -> None:
        """Tell again what was settled in a time: by an event of its own for each feed and status.

        The ledger knows nothing of forgotten files, nor of a version that was rejected before one with the same bytes.
        """
        for feed in self.config.feeds:
            for status in KINDS:
                self._dispatch_period(feed, status, since.isoformat(), until.isoformat())

    def tell_period(self, period: Mapping[str, str]) -> None:
        """Tell what is settled of a feed with a status: by an event of its own for each upload, the latest first.

        What there is no time for is left to one more event.
        """
        feed, status, since, until = (period[name] for name in ("feed", "status", "since", "until"))
        for entry in self._files.index(feed, status, since=since, before=until):
            if self.deadline.seconds_left() <= 0:
                self._dispatch_period(feed, status, since, f"{entry.at}~")
                return
            self._dispatch({"again": {name: value["S"] for name, value in entry.key.items()}})

    def tell_upload(self, upload: Mapping[str, str]) -> None:
        """Tell what became of an upload, by its key in the ledger, if it is settled."""
        record = self._record(upload)
        if record and record.is_settled and record.status:
            self._tell(changes.Change(KINDS[record.status], record.feed_of_status, record))

    def return_rejects(self, upload: Mapping[str, str]) -> None:
        """Write the rejected rows of a complete file for its sender, unless it is forgotten or reloaded by now."""
        record = self._record(upload)
        if record and record.is_complete and (feed := record.feed_of_status):
            self._returns.write(feed, record, self._files, clients.s3())

    def look(self, now: datetime, mail_after: timedelta) -> None:
        """As Lookout.look."""
        config = self.config
        look = lookout.Lookout(
            telling=self._telling,
            taken=config.intake,
            expected={name: feed.expect for name, feed in config.feeds.items() if feed.expect},
            pipeline=config.pipeline,
            count_missing=partial(reporting.count_for_feed, "FilesMissing"),
            deadline=self.deadline,
        )
        queue, topic = config.failure_queue, config.alarm_topic
        look.look(clients.sqs(), queue, clients.sns(), topic, now=now, mail_after=mail_after)

    def _tell(self, change: changes.Change) -> None:
        record = change.record
        known = outcomes.Outcomes(self._files, self.config.upload_bucket, self.config.intake, self._returns)
        try:
            notice = known.notice_of(change)
        except (KeyError, TypeError, ValueError) as error:
            raise NotTold("the ledger's record of the file is not as this release writes it") from error
        self._telling.tell(notice)
        upload = {"object_key": record.object_key, "entry": record.entry}
        if change.kind is Kind.COMPLETE and notice.rejects_uri:
            self._dispatch({"rejects": upload})
        reporting.logger.info("told", extra={"kind": change.kind.value, **upload})

    def _record(self, upload: Mapping[str, str]) -> ledger.FileRecord | None:
        """The record under a key of the ledger; None if there is none."""
        key: dynamodb.Item = {name: {"S": upload[name]} for name in FILES_KEY}
        return next(iter(self._files.records_under([key])), None)

    def _dispatch_period(self, feed: str, status: str, since: str, until: str) -> None:
        self._dispatch({"again": {"feed": feed, "status": status, "since": since, "until": until}})

    def _dispatch(self, event: Mapping[str, Any]) -> None:
        queues.dispatch(clients.lambda_(), self.function, event)

    @cached_property
    def _files(self) -> ledger.FilesTable:
        return ledger.FilesTable(clients.dynamodb(), self.config.files_table, deadline=self.deadline)

    @property
    def _telling(self) -> telling.Telling:
        config = self.config
        events = bus.EventBus(clients.events(), config.event_bus, config.pipeline, config.upload_bucket)
        return telling.Telling(events, self._files)

    @property
    def _returns(self) -> returns.Returns:
        places = {
            name: returns.Place.parse(feed.rejects_to, self.config.upload_bucket)
            for name, feed in self.config.feeds.items()
            if feed.rejects_to
        }
        return returns.Returns(places, self.config.upload_bucket, self.config.intake.takes)


def _about(record: Mapping[str, Any]) -> dict[str, str]:
    """Which item of the ledger a record of the stream is about, for the log."""
    match record:
        case {"dynamodb": {"Keys": {"object_key": {"S": str(key)}, "entry": {"S": str(entry)}}}}:
            return {"object_key": key, "entry": entry}
    return {}
