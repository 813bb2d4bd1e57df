"""Where resources send what failed."""

from collections.abc import Iterator
from typing import Any

from ..template import Resource, at, document


def on_failure_destination(resource: Resource) -> Any:
    """The ARN to which a Lambda configuration sends failed events; None if it sends them nowhere."""
    return resource.get("DestinationConfig", "OnFailure", "Destination")


def dead_letter_queue(function: Resource) -> Any:
    """The ARN of a function's dead-letter queue or topic; None if it has none."""
    return function.get("DeadLetterConfig", "TargetArn")


def failure_targets(resource: Resource) -> Iterator[Any]:
    """The ARNs to which a function, a queue or an EventBridge rule sends what failed."""
    for target in resource.mappings("Targets"):
        yield at(target, "DeadLetterConfig", "Arn")
    yield document(resource.get("RedrivePolicy")).get("deadLetterTargetArn")
    yield dead_letter_queue(resource)
    yield on_failure_destination(resource)
