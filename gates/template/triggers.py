"""Which functions uploads start, and which functions are invoked asynchronously."""

from dataclasses import dataclass
from typing import Any

from .arns import is_wild
from .notifications import (
    CREATION,
    KeyFilter,
    created,
    from_buckets,
    notifications,
    subscriptions,
)
from .resources import (
    EVENT_SOURCE,
    LOG_SUBSCRIPTION,
    PERMISSION,
    QUEUE,
    RULE,
    SCHEDULE,
    TOPIC,
    Invoked,
    Resources,
)
from .values import at

_ASYNCHRONOUS = ("s3.", "sns.", "events.", "logs.")
"""Beginnings of principals that do not wait for the answer: Lambda retries a failed event, then discards it."""
_ELSEWHERE = KeyFilter("${the notification's prefix}", "${the notification's suffix}")


@dataclass(frozen=True)
class Trigger:
    """Uploads to a bucket, of some keys, that start a function."""

    resource: str
    path: str
    bucket: str
    function: str
    events: tuple[str, ...]
    keys: KeyFilter
    is_notified: bool = True
    """Whether the template has the notification, or only the permission."""

    @property
    def created(self) -> set[str]:
        """The kinds of creation that start the function, such as `Put` or `*`; empty for other events only.

        An unknown event may be a creation.
        """
        return created(self.events)


def triggers(resources: Resources) -> list[Trigger]:
    """What uploads start, directly or through topics, queues and EventBridge.

    The permission of a bucket is a trigger too if the template does not have its notification, which then is elsewhere.
    """
    notified = _notified(resources)
    known = {(each.bucket, each.function) for each in notified}
    return notified + [each for each in _permitted_buckets(resources) if (each.bucket, each.function) not in known]


def _notified(resources: Resources) -> list[Trigger]:
    return [
        Trigger(
            resource=each.resource,
            path=each.path,
            bucket=resources.bucket_and_keys(each.bucket)[0],
            function=function,
            events=each.events,
            keys=each.keys,
        )
        for each in notifications(resources)
        for function in sorted(_started_by(resources, each.target))
    ]


def _permitted_buckets(resources: Resources) -> list[Trigger]:
    """The buckets, by name, that have the permission to invoke a function."""
    return [
        Trigger(permission.id, "SourceArn", bucket, invoked.function, (f"{CREATION}*",), _ELSEWHERE, is_notified=False)
        for permission in resources.of_type(PERMISSION)
        if str(permission.get("Principal")).startswith("s3.")
        and (bucket := resources.bucket_and_keys(permission.get("SourceArn") or "")[0])
        and not is_wild(bucket)
        and (invoked := resources.invoked(permission.get("FunctionName")))
    ]


def _started_by(resources: Resources, target: Any) -> set[str]:
    """The functions that a message to a function, a topic or a queue starts."""
    if invoked := resources.invoked(target):
        return {invoked.function}
    receivers: list[Any] = []
    if topic := resources.find(TOPIC, target):
        receivers = [end for arn, end in subscriptions(resources) if resources.find(TOPIC, arn) == topic]
    elif queue := resources.find(QUEUE, target):
        receivers = [
            poller.get("FunctionName")
            for poller in resources.of_type(EVENT_SOURCE)
            if resources.find(QUEUE, poller.get("EventSourceArn")) == queue
        ]
    return {function for each in receivers for function in _started_by(resources, each)}


def asynchronous(resources: Resources) -> frozenset[Invoked]:
    """What S3, SNS, EventBridge, EventBridge Scheduler or a subscription to logs invokes."""
    started = _targets_of_events(resources)
    # A permission counts only for a function that nothing else starts: what it allows may be an alias of it.
    known = {invoked.function for invoked in started}
    return frozenset(started | {invoked for invoked in _permitted(resources) if invoked.function not in known})


def _targets_of_events(resources: Resources) -> set[Invoked]:
    targets: list[Any] = [each.target for each in from_buckets(resources)]
    targets += [at(target, "Arn") for rule in resources.of_type(RULE) for target in rule.mappings("Targets")]
    targets += [at(target, "Arn") for each in resources.of_type(SCHEDULE) for target in each.mappings("Target")]
    targets += [endpoint for _, endpoint in subscriptions(resources)]
    targets += [each.get("DestinationArn") for each in resources.of_type(LOG_SUBSCRIPTION)]
    return {invoked for target in targets if (invoked := resources.invoked(target))}


def _permitted(resources: Resources) -> set[Invoked]:
    """What an asynchronous principal has the permission to invoke."""
    return {
        invoked
        for permission in resources.of_type(PERMISSION)
        if str(permission.get("Principal")).startswith(_ASYNCHRONOUS)
        and (invoked := resources.invoked(permission.get("FunctionName")))
    }
