"""What the checks of one run work with: the deployment, a feed of it, and a folder of their own below its prefix."""

import io
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from boto3.s3.transfer import TransferConfig

from csv_ingest.commands import DEFAULT_STACK
from csv_ingest.failure import Failure
from csv_ingest.model import VERIFY_FOLDER, ObjectVersion

from .. import failures, waiting
from ..feed import DeployedFeed
from ..pipeline import Pipeline
from ..status import UploadStatus
from ..wording import Progress, silent
from .report import Failed, Skipped

PATIENCE = 600.0
"""Seconds to wait for what Lambda does by itself. It tries an event again after one and after two minutes:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""

LOOK_SECONDS = 2.0

MEGABYTE = 1 << 20
IN_PARTS = TransferConfig(multipart_threshold=5 * MEGABYTE, multipart_chunksize=5 * MEGABYTE)
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html: the least size of a part that is not the last."""


@dataclass
class Trial:
    """One run. What it uploads is below `folder`, and is forgotten at its end."""

    pipeline: Pipeline
    feed: DeployedFeed
    stack: str = DEFAULT_STACK
    """What `--stack` was, for the commands that are advised."""
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    progress: Progress = silent
    patience: float = PATIENCE
    keys: list[str] = field(default_factory=list)
    """What was uploaded, or may have been."""
    uploaded: list[ObjectVersion] = field(default_factory=list)
    awaits_malformed: bool = False
    """Whether a message about an event that nobody understands is still to come to the failure queue."""
    rows: int = 0
    """Of the files that were ingested."""
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def is_local(self) -> bool:
        """Whether this is a local AWS, which cannot do all that AWS does."""
        return "AWS_ENDPOINT_URL" in os.environ

    @property
    def name(self) -> str:
        """What nothing else is called."""
        return f"{VERIFY_FOLDER}{self.run}"

    @property
    def folder(self) -> str:
        return f"{self.feed.settings.key_prefix}{self.name}/"

    def key(self, name: str, suffix: str = "") -> str:
        """A key below the folder that the feed takes."""
        return f"{self.folder}{name}{suffix or self.feed.settings.key_suffixes[0]}"

    def upload(self, key: str, content: bytes) -> ObjectVersion:
        """Upload an object, in parts if it has more than 5 MB; it has to be forgotten, whatever comes."""
        self.keys.append(key)
        body, s3 = io.BytesIO(content), self.pipeline.clients.s3
        s3.upload_fileobj(body, self.pipeline.upload_bucket, key, Config=IN_PARTS)
        self.uploaded.append(self.pipeline.latest(key))
        return self.uploaded[-1]

    def settled(self, version: ObjectVersion, begun: datetime) -> UploadStatus:
        """Wait until an upload is settled; raises Failed if it is not."""
        [found] = waiting.wait(self.pipeline, [version], begun=begun, seconds=self.patience, progress=self.progress)
        if not found.is_settled:
            why = found.remark or (found.failure and found.failure.reason) or "for a reason that nobody has recorded"
            raise Failed(f"{version.key}: {why}: see `csv-ingest status {version.key}`, and docs/runbook.md")
        return found

    def now(self) -> datetime:
        """On the clock of SQS."""
        return failures.clock(self.pipeline)

    def failure(
        self,
        is_wanted: Callable[[Failure], bool],
        what: str,
        *,
        seconds: float = PATIENCE,
        unless_settled: ObjectVersion | None = None,
    ) -> Failure:
        """Wait for a message in the failure queue; raises Failed, or Skipped if a version is settled meanwhile."""
        found: list[Failure] = []

        def came() -> bool:
            # Without asking for the number of messages first, which SQS knows a minute later.
            found.extend(filter(is_wanted, failures.peek(self.pipeline)))
            if not found and unless_settled and self.pipeline.files.record(unless_settled).is_settled:
                raise Skipped(f"{unless_settled.key} was ingested all the same: the pause came too late")
            return bool(found)

        otherwise = f"no message about {what} came to the failure queue: see EventsDropped in the runbook"
        self.wait_until(came, otherwise, seconds=seconds)
        return found[0]

    def is_own(self, failure: Failure) -> bool:
        """Whether a message is about this run."""
        return any(self.folder in key for key in failure.keys) or self.is_malformed(failure)

    def is_malformed(self, failure: Failure) -> bool:
        """Whether a message is about the malformed event of this run."""
        return (failure.event or {}).get("verify") == self.run

    def wait_until(self, condition: Callable[[], bool], otherwise: str, *, seconds: float = PATIENCE) -> None:
        """Wait for a condition; raises Failed with a sentence if it does not come about."""
        most = min(seconds, self.patience)
        deadline = time.monotonic() + most
        while not condition():
            if time.monotonic() > deadline:
                raise Failed(f"{otherwise} (after {most:,.0f} s)")
            time.sleep(LOOK_SECONDS)
