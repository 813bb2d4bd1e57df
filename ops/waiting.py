"""Wait for uploads to be settled, no longer than that can still happen."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from csv_ingest import ledger
from csv_ingest.model import ObjectVersion, Upload

from . import brake, failures, status, wording
from .pipeline import Pipeline

LOOK_SECONDS = 5  # between two looks at the failure queue and the brake

ATTEMPTS = 3
"""Of Lambda, for an event: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""

TURN_SECONDS = 0.2  # between two looks at the ledger


def wait(
    pipeline: Pipeline,
    versions: Sequence[ObjectVersion],
    *,
    begun: datetime,
    seconds: float,
    progress: wording.Progress = wording.silent,
    tell: wording.Progress = wording.silent,
    look_seconds: float = LOOK_SECONDS,
) -> list[status.UploadStatus]:
    """Wait until each upload is settled since `begun`, a time of SQS; returns what is known of each then.

    The wait for an upload ends early if the failure queue got a message about it, or its feed is paused: `remark` or
    `failure` say so. `remark` also says that time was used up. Meanwhile, `progress` is told how far it is, and `tell`
    why a delivery failed, as soon as the ledger has it.
    """
    run = _Wait(pipeline, begun, [Upload(version, datetime.now(UTC)) for version in versions], tell)
    deadline = time.monotonic() + seconds
    next_look = time.monotonic() + look_seconds
    while True:
        run.look_at_ledger()
        if not run.waiting:
            break
        if time.monotonic() >= next_look:
            next_look = time.monotonic() + look_seconds
            run.look_at_queue_and_brake()
            progress(run.progress())
        if time.monotonic() >= deadline:
            run.give_up(f"not settled after {wording.counted(round(seconds), 'second')}")
            break
        time.sleep(TURN_SECONDS)
    return [run.ended[version] for version in versions]


@dataclass
class _Wait:
    """One wait: for which uploads it lasts, and how it ended for the others."""

    pipeline: Pipeline
    begun: datetime
    waiting: list[Upload]
    tell: wording.Progress
    failed: dict[Upload, list[tuple[datetime | None, str]]] = field(default_factory=dict)
    """Of each upload, which deliveries failed, by the time they began, and why."""
    ended: dict[ObjectVersion, status.UploadStatus] = field(default_factory=dict)
    messages: int = 0
    """In the failure queue at the last look."""

    def look_at_ledger(self) -> None:
        for upload, record in self._records():
            # The outcome of another version with the same ETag does not count: its content may be another one.
            if not record.is_settled or record.version_id != upload.version.version_id:
                self._tell_failure(upload, record)
                continue
            since = status.status_of(upload, record).since
            if record.status == ledger.COMPLETE and record.is_compared:
                self._end(upload, record, remark="was complete already: the same content was ingested before")
            # That it was rejected before does not count either: the settings may be others by now.
            elif record.status == ledger.COMPLETE or (since and since >= self.begun):
                self._end(upload, record)

    def _tell_failure(self, upload: Upload, record: ledger.FileRecord) -> None:
        """Tell why a delivery failed that has begun since this wait, and whether another one follows by itself."""
        is_since = record.started_at is not None and record.started_at >= self.begun
        if not record.last_error or not is_since or record.version_id != upload.version.version_id:
            return
        failed = self.failed.setdefault(upload, [])
        failure = record.started_at, record.last_error
        if failure in failed:
            return
        is_new = record.last_error not in (reason for _, reason in failed)
        failed.append(failure)
        if is_new:
            again = ". Lambda tries it again" if len(failed) < ATTEMPTS else ""
            self.tell(f"{upload.version.key}: a delivery failed: {record.last_error}{again}")

    def progress(self) -> str:
        """How far the first file is for which this waits."""
        if not self.waiting:
            return ""
        version = self.waiting[0].version
        parts = status.progress_in_parts(self.pipeline, self.pipeline.files.record(version))
        return f"{version.key}: {parts or 'not settled'}; {wording.counted(len(self.waiting), 'file')} to go"

    def look_at_queue_and_brake(self) -> None:
        # A look hides messages from others for a moment, so that it is taken only if there may be a new one.
        before, self.messages = self.messages, failures.count(self.pipeline).visible
        if self.messages not in (0, before):
            self._end_those_that_failed()
        for feed in dict.fromkeys(self.pipeline.feed_of(upload.version.key) for upload in self.waiting):
            if brake.is_paused(feed):
                remark, words = brake.why(self.pipeline, feed), brake.resume_words(self.pipeline, feed)
                for upload, record in self._records():
                    if self.pipeline.feed_of(upload.version.key) == feed:
                        self._end(upload, record, remark=remark, next_command=words)

    def give_up(self, remark: str) -> None:
        for upload, record in self._records():
            self._end(upload, record, remark=remark)

    def _end_those_that_failed(self) -> None:
        failed = {
            (version.key, version.version_id): failure
            for failure in failures.peek(self.pipeline)
            for version in failure.versions
            if failure.sent_at >= self.begun
        }
        for upload, record in self._records():
            if failure := failed.get((upload.version.key, upload.version.version_id)):
                self._end(upload, record, failure=failure)

    def _records(self) -> list[tuple[Upload, ledger.FileRecord]]:
        """The uploads that this waits for, with what the ledger holds of their versions."""
        return list(self.pipeline.files.records(self.waiting))

    def _end(self, upload: Upload, record: ledger.FileRecord, **more: Any) -> None:
        """End the wait for an upload, with its status, and what more is known of it."""
        self.waiting = [each for each in self.waiting if each != upload]
        self.ended[upload.version] = replace(status.status_of(upload, record), **more)
