"""Upload files under keys that are ingested."""

from collections.abc import Callable
from pathlib import Path

from csv_ingest.model import ObjectVersion
from ops.pipeline import Pipeline


class NotIngested(ValueError):
    """An object under this key would not be ingested."""


def key_for(pipeline: Pipeline, file: Path, prefix: str) -> str:
    """The key of a file below a prefix; raises NotIngested if no upload under it triggers the function."""
    key = prefix + file.name
    if not pipeline.is_ingested(key):
        wanted = ", ".join(f"{before}*{after}" for before, after in pipeline.triggers)
        raise NotIngested(f"{key} would not be ingested: only {wanted} is")
    return key


def upload(pipeline: Pipeline, file: Path, key: str, progress: Callable[[int], None]) -> ObjectVersion:
    """Upload a file, in parts if it is large; `progress` is told the bytes that were sent since the last call."""
    pipeline.s3.upload_file(str(file), pipeline.upload_bucket, key, Callback=progress)
    return pipeline.latest(key)
