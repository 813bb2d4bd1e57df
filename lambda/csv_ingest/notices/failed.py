"""Uploads whose deliveries have used up their attempts, as the failure queue has them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from csv_ingest import failure, intake, ledger, queues
from csv_ingest.model import Deadline, ObjectVersion, Upload
from csv_ingest.notices import notice
from csv_ingest.notices.notice import Kind, Notice

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

HIDE_SECONDS = 30
"""How long a look through many messages hides them at most: it puts them back at its end."""

MAX_RECEIVED, FRUITLESS = 10, 5
"""Messages of one answer; and answers without a new message, after which every one of so few was seen."""


def look(sqs: "SQSClient", queue: str, *, deadline: Deadline) -> list[failure.Failure]:
    """The messages of the failure queue, each once; they stay there. Raises botocore's errors.

    Up to ten are looked at without hiding them from an operator's command. Of more, SQS would answer with the same ones
    again and again: they are hidden during the look, which takes seconds.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
    """
    visible = queues.count_messages(sqs, queue).visible
    hide = HIDE_SECONDS if visible > MAX_RECEIVED else 0
    seen: dict[str, MessageTypeDef] = {}
    fruitless = 0 if visible else FRUITLESS
    try:
        while fruitless < FRUITLESS and deadline.seconds_left() > 0:
            received = sqs.receive_message(
                QueueUrl=queue,
                MaxNumberOfMessages=MAX_RECEIVED,
                VisibilityTimeout=hide,
                WaitTimeSeconds=1,  # asks all servers of the queue; answers at once if there is a message
                MessageSystemAttributeNames=["SentTimestamp"],
            ).get("Messages", [])
            if not received:
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
    for start in range(0, len(messages), MAX_RECEIVED):
        some = enumerate(messages[start : start + MAX_RECEIVED])
        sqs.change_message_visibility_batch(
            QueueUrl=queue,
            Entries=[
                {"Id": str(number), "ReceiptHandle": each["ReceiptHandle"], "VisibilityTimeout": 0}
                for number, each in some
            ],
        )


def is_failed(message: failure.Failure) -> bool:
    """Whether a message is about uploads of which nobody else tells: a rejection is told from the ledger."""
    return bool(message.subjects) and message.condition != failure.REJECTION


def notices_of(messages: Sequence[failure.Failure], files: ledger.FilesTable, taken: intake.Intake) -> Iterator[Notice]:
    """One notice per upload that some messages name; none of an upload that is settled by now."""
    latest: dict[ObjectVersion, failure.Failure] = {}
    unknown: dict[str, failure.Failure] = {}
    for message in sorted(messages, key=lambda each: each.sent_at):
        for subject in message.subjects:
            if subject.version:
                latest[subject.version] = message
            else:
                unknown[subject.key] = message
    uploads = (Upload(version, message.sent_at) for version, message in latest.items())
    for (version, _), record in files.records(uploads):
        if not record.is_settled:
            yield _notice(version.key, latest[version], taken, version, record)
    for key, message in unknown.items():
        yield _notice(key, message, taken)


def _notice(
    key: str,
    message: failure.Failure,
    taken: intake.Intake,
    version: ObjectVersion | None = None,
    record: ledger.FileRecord | None = None,
) -> Notice:
    about: dict[str, Any] = {}
    if version:
        about |= {"etag": version.etag, "version_id": version.version_id, "size": version.size}
    if record:
        about |= {"status": record.status, "started_at": record.attributes.get("started_at")}
        about |= {"uploaded_at": record.uploaded_at or None, **notice.about_counts(record.counts)}
    reason = f"{message.condition}: {message.reason or failure.NO_REASON}"
    return Notice(
        kind=Kind.FAILED,
        feed=taken.feed_of(key),
        object_key=key,
        reason=reason[: notice.MAX_REASON],
        settled_at=message.sent_at.isoformat(timespec="milliseconds"),
        **about,
    )
