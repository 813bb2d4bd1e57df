"""What the schedule has the notifier look for: missing files, a mail that is due, uploads that failed."""

import random
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from csv_ingest import intake, ledger
from csv_ingest.model import Deadline, NotTold
from csv_ingest.notices import failed, mail, missing
from csv_ingest.notices.notice import Notice
from csv_ingest.notices.telling import Telling

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, kw_only=True)
class Lookout:
    """One look."""

    telling: Telling
    taken: intake.Intake
    expected: Mapping[str, str]
    """`expect` of each feed that has it."""
    pipeline: str
    count_missing: Callable[[str, int], None]
    """Gets a feed, and 1 if a file of it is missing, otherwise 0."""
    deadline: Deadline

    def look(
        self, sqs: "SQSClient", queue: str, sns: "SNSClient", topic: str, *, now: datetime, mail_after: timedelta
    ) -> None:
        """Look for missing files, send a mail if its oldest notice is so old, and tell of uploads that failed.

        What cannot be looked at fails the look at its end, and keeps nothing else from being told.
        """
        with ExitStack() as then:  # the callback that is added last is called first
            then.callback(self._look_for_failed, sqs, queue)
            then.callback(self._send_mail, sns, topic, before=now - mail_after)
            for feed in random.sample(list(self.expected), len(self.expected)):
                then.callback(self._look_for_missing, feed, now)

    @property
    def _files(self) -> ledger.FilesTable:
        return self.telling.files

    def _look_for_missing(self, feed: str, now: datetime) -> None:
        notice = missing.missing(feed, self.expected[feed], self._files, now=now)
        self.count_missing(feed, int(notice is not None))
        if notice:
            mark = f"missing {feed} {notice.expected_until}"
            if not self._files.notices.told([mark]):
                self.telling.tell(notice)
                self._files.notices.mark([mark])

    def _send_mail(self, sns: "SNSClient", topic: str, *, before: datetime) -> None:
        waiting = self._files.notices.waiting_mails()
        if waiting and waiting[0].since <= before:
            sent = mail.digest([Notice.from_json(each.text) for each in waiting], pipeline=self.pipeline)
            sns.publish(TopicArn=topic, Subject=sent.subject, Message=sent.text)
            self._files.notices.remove_mails(waiting)

    def _look_for_failed(self, sqs: "SQSClient", queue: str) -> None:
        """Tell each failed upload of which the ledger has no mark for a message."""
        found = failed.look(sqs, queue, deadline=self.deadline)
        told = self._files.notices.told([each.id for each in found])
        refused: list[ClientError | BotoCoreError | NotTold] = []
        for upload in failed.uploads_of([each for each in found if each.id not in told]):
            self.deadline.check("before a failed upload was told")
            try:
                if notice := failed.notice_of(upload, self._files, self.taken):
                    self.telling.tell(notice)
                self._files.notices.mark(upload.messages)
            except (ClientError, BotoCoreError, NotTold) as error:
                refused.append(error)
        if refused:
            raise refused[0]
