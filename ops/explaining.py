"""Why uploads are not settled, or not in the bucket."""

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from ops import brake, failures, presence, status
from ops.failure import Failure
from ops.pipeline import DeployedFeed, Pipeline

AT_ONCE = 10
"""How many keys are looked up at the same time."""


def explained(pipeline: Pipeline, statuses: Iterable[status.UploadStatus]) -> list[status.UploadStatus]:
    """The statuses, each with whether its object is in the bucket.

    Unsettled uploads also have their progress, their message in the failure queue, and the end of a pause.
    """
    found = list(statuses)
    keys = dict.fromkeys(each.key for each in found)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        absences = dict(zip(keys, pool.map(partial(presence.absence, pipeline), keys), strict=True))
    found = [replace(each, absence=absences[each.key]) for each in found]
    if all(each.is_settled for each in found):
        return found
    messages, paused = _messages(pipeline), brake.paused(pipeline.feeds)
    return [each if each.is_settled else _explain(pipeline, each, messages, paused) for each in found]


def _messages(pipeline: Pipeline) -> dict[tuple[str, str], Failure]:
    """The latest message about each version, by its key and its ETag, and by its key and its version id."""
    # A look hides messages from others for a moment: not without need.
    found = failures.peek(pipeline) if failures.count(pipeline).visible else []
    return {
        (version.key, name): failure
        for failure in found
        for version in failure.versions
        for name in (version.etag, version.version_id)
    }


def _explain(
    pipeline: Pipeline,
    unsettled: status.UploadStatus,
    messages: Mapping[tuple[str, str], Failure],
    paused: Collection[DeployedFeed],
) -> status.UploadStatus:
    record = unsettled.record
    name = str(record.version_id) if record.mode.each_version else unsettled.etag
    feed = next((feed for feed in paused if feed.takes(unsettled.key)), None)
    return replace(
        unsettled,
        progress=status.progress_in_parts(pipeline, record),
        failure=messages.get((unsettled.key, name)),
        next_command=brake.resume_words(pipeline, feed) if feed else (),
    )
