"""Wait for what a deployment does by itself: demonstrations and tests do."""

import time
from collections.abc import Callable

from csv_ingest.ledger import FileRecord
from csv_ingest.model import ObjectVersion
from ops.pipeline import Pipeline


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    """Wait for a condition; raises TimeoutError saying which one did not come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s, and still not: {what}")
        time.sleep(0.1)


def wait_until_settled(pipeline: Pipeline, version: ObjectVersion, *, seconds: float) -> FileRecord:
    """Wait until an upload is settled; its record then. Raises TimeoutError.

    What became of another version with the same ETag does not count: its content may be another one, and the
    settings may have been others.
    """

    def is_settled() -> bool:
        record = pipeline.files.record(version)
        return record.is_settled and record.version_id == version.version_id

    wait_until(is_settled, f"{version.key} is settled", seconds=seconds)
    return pipeline.files.record(version)
