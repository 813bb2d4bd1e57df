"""Uploads whose deliveries have used up their attempts, as the failure queue has them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from csv_ingest import failure, intake, ledger, queues
from csv_ingest.model import Deadline, ObjectVersion
from csv_ingest.notices import notice
from csv_ingest.notices.notice import Kind, Notice

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

MAX_SEEN = 2_000
"""Messages of one look: of more, others are seen the next time, since SQS answers with them at random."""

HIDE_SECONDS = 30
"""How long a look through many messages hides them at most: it puts them back at its end."""

FRUITLESS = 5
"""Answers without a new message, after which every one of so few messages was seen."""


def look(sqs: "SQSClient", queue: str, *, deadline: Deadline) -> list[failure.Failure]:
    """The messages of the failure queue, each once; they stay there. Raises botocore's errors.

    Up to ten are looked at without hiding them from an operator's command. Of more, SQS would answer with the same ones
    again and again: they are hidden during the look, which takes seconds.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
    """
    visible = queues.count_messages(sqs, queue).visible
    hide = HIDE_SECONDS if visible > queues.MAX_RECEIVED else 0
    seen: dict[str, MessageTypeDef] = {}
    fruitless = 0 if visible else FRUITLESS
    try:
        while fruitless < FRUITLESS and len(seen) < MAX_SEEN and deadline.seconds_left() > 0:
            if not (received := queues.receive(sqs, queue, hide_seconds=hide)):
                break
            before = len(seen)
            seen |= {each["MessageId"]: each for each in received}
            fruitless = 0 if len(seen) > before else fruitless + 1
    finally:
        if hide:
            _put_back(sqs, queue, list(seen.values()))
    return list(map(failure.failure_of, seen.values()))


def _put_back(sqs: "SQSClient", queue: str, messages: "Sequence[MessageTypeDef]") -> None:
    """Make messages visible again; one that is not hidden any more is an error in the answer, and no harm."""
    for start in range(0, len(messages), queues.MAX_RECEIVED):
        some = enumerate(messages[start : start + queues.MAX_RECEIVED])
        sqs.change_message_visibility_batch(
            QueueUrl=queue,
            Entries=[
                {"Id": str(number), "ReceiptHandle": each["ReceiptHandle"], "VisibilityTimeout": 0}
                for number, each in some
            ],
        )


@dataclass
class FailedUpload:
    """An upload, and the messages about it: those of its parts are one failure."""

    key: str
    version: ObjectVersion | None
    """None if the event does not name one."""
    last: failure.Failure
    messages: list[str]
    """Their ids."""


def uploads_of(found: Iterable[failure.Failure]) -> list[FailedUpload]:
    """The uploads that some messages are about, and of which nobody else tells.

    A rejection is told from the ledger; other messages are about no upload.
    """
    uploads: dict[tuple[str, ObjectVersion | None], FailedUpload] = {}
    for message in sorted(found, key=lambda each: each.sent_at):
        for subject in message.subjects if message.condition != failure.REJECTION else ():
            new = FailedUpload(subject.key, subject.version, message, [])
            upload = uploads.setdefault((subject.key, subject.version), new)
            upload.last = message
            upload.messages.append(message.id)
    return list(uploads.values())


def notice_of(upload: FailedUpload, files: ledger.FilesTable, taken: intake.Intake) -> Notice | None:
    """The notice about a failed upload; None if exactly this version is settled by now."""
    version, about = upload.version, dict[str, Any]()
    if version:
        about = {"etag": version.etag, "version_id": version.version_id, "size": version.size}
        record = files.record(version)
        # The record can be that of another version with the same bytes, which says nothing of this one.
        if record.version_id == version.version_id:
            if record.is_settled:
                return None
            about |= {"status": record.status, "started_at": record.attributes.get("started_at")}
            about |= {"uploaded_at": record.uploaded_at or None, **notice.about_counts(record.counts)}
    reason = f"{upload.last.condition}: {upload.last.reason or failure.NO_REASON}"
    return Notice(
        kind=Kind.FAILED,
        feed=taken.feed_of(upload.key),
        object_key=upload.key,
        reason=reason[: notice.MAX_REASON],
        settled_at=ledger.text_of_time(upload.last.sent_at),
        **about,
    )
