"""What the checks of one run work with: the deployment, a feed of it, and a folder of their own below its prefix."""

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from csv_ingest.failure import Failure
from csv_ingest.model import ObjectVersion
from ops import failures, redrive, waiting
from ops.feed import DeployedFeed
from ops.pipeline import Pipeline
from ops.status import UploadStatus
from ops.verifying.report import Failed
from ops.wording import Progress, silent

PATIENCE = 600.0
"""Seconds to wait for what Lambda does by itself. It tries an event again after one and after two minutes:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""

LOOK_SECONDS = 2.0


@dataclass
class Trial:
    """One run. What it uploads is below `folder`, and is forgotten at its end."""

    pipeline: Pipeline
    feed: DeployedFeed
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    progress: Progress = silent
    patience: float = PATIENCE
    uploaded: dict[str, ObjectVersion] = field(default_factory=dict)
    """By key."""
    rows: int = 0
    """Of the files that were ingested."""
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def is_local(self) -> bool:
        """Whether this is a local AWS, which cannot do all that AWS does."""
        return "AWS_ENDPOINT_URL" in os.environ

    @property
    def folder(self) -> str:
        return f"{self.feed.settings.key_prefix}csv-ingest-verify-{self.run}/"

    def key(self, name: str, suffix: str = "") -> str:
        """A key below the folder that the feed takes."""
        return f"{self.folder}{name}{suffix or self.feed.settings.key_suffixes[0]}"

    def upload(self, key: str, content: bytes) -> ObjectVersion:
        self.pipeline.clients.s3.put_object(Bucket=self.pipeline.upload_bucket, Key=key, Body=content)
        return self.note(key)

    def note(self, key: str) -> ObjectVersion:
        """Take a key that was uploaded for one that has to be forgotten; returns its version."""
        self.uploaded[key] = self.pipeline.latest(key)
        return self.uploaded[key]

    def settled(self, version: ObjectVersion, begun: datetime) -> UploadStatus:
        """Wait until an upload is settled; raises Failed if it is not."""
        [found] = waiting.wait(self.pipeline, [version], begun=begun, seconds=self.patience, progress=self.progress)
        if not found.is_settled:
            why = found.remark or (found.failure and found.failure.reason) or "for a reason that nobody has recorded"
            raise Failed(f"{version.key}: {why}: see `python -m ops status {version.key}`, and docs/runbook.md")
        return found

    def now(self) -> datetime:
        """On the clock of SQS."""
        return failures.clock(self.pipeline)

    def failure(self, is_wanted: Callable[[Failure], bool], what: str) -> Failure:
        """Wait for a message in the failure queue; raises Failed."""
        found: list[Failure] = []

        def came() -> bool:
            if failures.count(self.pipeline).visible:
                found.extend(filter(is_wanted, failures.peek(self.pipeline)))
            return bool(found)

        self.wait_until(came, f"no message about {what} came to the failure queue: see EventsDropped in the runbook")
        return found[0]

    def discard(self, is_wanted: Callable[[Failure], bool]) -> None:
        """Delete messages of this run from the failure queue."""
        redrive.redrive_all(self.pipeline, wanted=is_wanted, discard=True)

    def is_own(self, failure: Failure) -> bool:
        """Whether a message is about this run."""
        return any(self.folder in key for key in failure.keys) or (failure.event or {}).get("verify") == self.run

    def wait_until(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Wait for a condition; raises Failed with a sentence if it does not come about."""
        deadline = time.monotonic() + self.patience
        while not condition():
            if time.monotonic() > deadline:
                raise Failed(f"{otherwise} (after {self.patience:,.0f} s)")
            time.sleep(LOOK_SECONDS)
