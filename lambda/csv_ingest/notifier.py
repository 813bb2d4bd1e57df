"""The Lambda handler of the notifier: tells whoever waits for a file what became of it.

It is invoked by the files table's stream, by a schedule, and by itself for what is tried again.
"""

import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from csv_ingest import clients, configuration, ledger, queues, reporting
from csv_ingest.model import Deadline, NotTold, PipelineError
from csv_ingest.notices import bus, changes, failed, mail, missing, outcomes, returns
from csv_ingest.notices.notice import Kind, Notice

TIME_TO_REPORT = 5
"""Seconds of the timeout kept back."""

CLOCKS = timedelta(minutes=5)
"""How much the times of the stream and of the ledger may differ."""

TOLD_AT_ONCE = 25

MAIL_AFTER = timedelta(minutes=4)
"""How old the oldest notice of a mail is at least, so that two mails are as far from each other."""


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
        case {"change": record}:
            notifier.tell_change(record)
        case {"rejects": record}:
            notifier.return_rejects(record)
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
            notice = self._tell_outcome(change)
            if notice.rejects_uri:
                self._dispatch({"rejects": record})

    def tell_again(self, since: datetime, until: datetime) -> None:
        """Tell again what was settled in a time. Of forgotten files, the ledger knows nothing."""
        for feed in self.config.feeds:
            for status, kind in ((ledger.COMPLETE, Kind.COMPLETE), (ledger.REJECTED, Kind.REJECTED)):
                for record in self._files.listed(feed, status, since=since.isoformat(), before=until.isoformat()):
                    self.deadline.check("while outcomes were told again")
                    if record.is_settled:
                        self._tell_outcome(changes.Change(kind, feed, record))

    def _tell_outcome(self, change: changes.Change) -> Notice:
        known = outcomes.Outcomes(self._files, self.config.upload_bucket, self._returns)
        try:
            notice = known.notice_of(change)
        except (KeyError, TypeError, ValueError) as error:
            raise NotTold("the ledger's record of the file is not as this release writes it") from error
        self._tell(notice)
        about = {"kind": change.kind.value, "object_key": change.record.object_key, "entry": change.record.entry}
        reporting.logger.info("told", extra=about)
        return notice

    def return_rejects(self, record: Mapping[str, Any]) -> None:
        """Write the rejected rows of a complete file for its sender."""
        if change := changes.change_of(record):
            self._returns.write(change.feed, change.record, self._files, clients.s3())

    def look(self, now: datetime, mail_after: timedelta) -> None:
        """Tell of uploads that failed and of files that are missing; then send a mail, if one is due."""
        # What cannot be looked at fails this run, and keeps nothing else from being told.
        with ExitStack() as then:  # the callback that is added last is called first
            then.callback(self._send_mail, now, mail_after)
            for feed in random.sample(list(self.config.feeds), len(self.config.feeds)):
                then.callback(self._look_for_missing, feed, now)
            self._look_for_failed()

    def _look_for_failed(self) -> None:
        found = failed.look(clients.sqs(), self.config.failure_queue, deadline=self.deadline)
        messages = {each.id: each for each in found if failed.is_failed(each)}
        fresh = iter(messages.keys() - self._files.notices.told(messages))
        # In small steps: an invocation that is killed has told few that it has not marked.
        while some := list(islice(fresh, TOLD_AT_ONCE)):
            for notice in failed.notices_of([messages[id_] for id_ in some], self._files, self.config.intake):
                self._tell(notice)
            self._files.notices.mark(some)

    def _look_for_missing(self, feed: str, now: datetime) -> None:
        if not (expect := self.config.feeds[feed].expect):
            return
        notice = missing.missing(feed, expect, self._files, now=now)
        reporting.count_for_feed("FilesMissing", feed, int(notice is not None))
        if notice:
            mark = f"missing {feed} {notice.expected_until}"
            if not self._files.notices.told([mark]):
                self._tell(notice)
                self._files.notices.mark([mark])

    def _send_mail(self, now: datetime, mail_after: timedelta) -> None:
        waiting = self._files.notices.waiting_mails()
        if not waiting or waiting[0].since > now - mail_after:
            return
        sent = mail.digest([Notice.from_json(each.text) for each in waiting], stack=self.config.stack)
        clients.sns().publish(TopicArn=self.config.alarm_topic, Subject=sent.subject, Message=sent.text)
        self._files.notices.remove_mails(waiting)

    def _tell(self, notice: Notice) -> None:
        """Send the event; have a notice that a person has to look at wait for the next mail."""
        config = self.config
        bus.EventBus(clients.events(), config.event_bus, config.stack, config.upload_bucket).put(notice)
        if notice.is_mailed:
            self._files.notices.add_mail(notice.to_json())

    def _dispatch(self, event: Mapping[str, Any]) -> None:
        queues.dispatch(clients.lambda_(), self.function, event)

    @property
    def _files(self) -> ledger.FilesTable:
        return ledger.FilesTable(clients.dynamodb(), self.config.files_table, deadline=self.deadline)

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
