"""Which functions uploads start, and which functions are invoked asynchronously."""

from dataclasses import dataclass
from typing import Any

from gates.template.notifications import from_buckets, from_eventbridge, subscriptions
from gates.template.resources import EVENT_SOURCE, PERMISSION, QUEUE, RULE, SCHEDULE, TOPIC, Invoked, Resources

_ASYNCHRONOUS = frozenset({"s3.amazonaws.com", "sns.amazonaws.com", "events.amazonaws.com"})
"""Principals that do not wait for the function's answer: Lambda retries a failed event, then discards it."""


@dataclass(frozen=True)
class Trigger:
    """Uploads to a bucket, of keys with a prefix and a suffix, that start a function."""

    resource: str
    path: str
    bucket: str
    function: str
    events: tuple[str, ...]
    prefix: str
    suffix: str

    @property
    def created(self) -> set[str]:
        """The kinds of creation that start the function, such as `Put` or `*`; empty for other events only."""
        creation = "s3:ObjectCreated:"
        return {event.removeprefix(creation) for event in self.events if event.startswith(creation)}


def triggers(resources: Resources) -> list[Trigger]:
    """What uploads start, directly or through topics, queues and EventBridge."""
    return [
        Trigger(
            resource=each.resource,
            path=each.path,
            bucket=resources.bucket_and_keys(each.bucket)[0],
            function=function,
            events=each.events,
            prefix=each.prefix,
            suffix=each.suffix,
        )
        for each in [*from_buckets(resources), *from_eventbridge(resources)]
        for function in sorted(_started_by(resources, each.target))
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
    """What S3, SNS, EventBridge or EventBridge Scheduler invokes."""
    started = _targets_of_events(resources)
    # A permission counts only for a function that nothing else starts: what it allows may be an alias of it.
    known = {invoked.function for invoked in started}
    return frozenset(started | {invoked for invoked in _permitted(resources) if invoked.function not in known})


def _targets_of_events(resources: Resources) -> set[Invoked]:
    targets: list[Any] = [each.target for each in from_buckets(resources)]
    targets += [target.get("Arn") for rule in resources.of_type(RULE) for target in rule.mappings("Targets")]
    targets += [target.get("Arn") for each in resources.of_type(SCHEDULE) for target in each.mappings("Target")]
    targets += [endpoint for _, endpoint in subscriptions(resources)]
    return {invoked for target in targets if (invoked := resources.invoked(target))}


def _permitted(resources: Resources) -> set[Invoked]:
    """What an asynchronous principal has the permission to invoke."""
    return {
        invoked
        for permission in resources.of_type(PERMISSION)
        if str(permission.get("Principal")) in _ASYNCHRONOUS
        and (invoked := resources.invoked(permission.get("FunctionName")))
    }
