"""Functions that are invoked asynchronously, by S3, SNS, EventBridge or EventBridge Scheduler.

Nobody waits for their answer. Lambda retries a failed event, then sends it to the on-failure destination or, without
one, discards it.
"""

from collections.abc import Iterator
from typing import Any

from ..template import (
    INVOKE_CONFIG,
    QUEUE,
    TOPIC,
    Decision,
    Resource,
    Template,
    arn_parts,
    either,
    is_unknown,
    number,
)
from .failures import dead_letter_queue, on_failure_destination
from .rule import CheckContext, Violation, rule, undecided, unknown
from .watched import is_alarmed, out_of_reach

_DEFAULT_TIMEOUT = 3  # seconds


@rule(
    "async-timeout",
    why="A function that times out midway is retried from the beginning, and times out again.",
    fix="Set Timeout to the time that the largest input needs.",
)
def timeout_is_set(context: CheckContext) -> Iterator[Violation]:
    for function in _asynchronous_functions(context):
        given = function.get("Timeout")
        if given is None:
            yield Violation(function.id, "Timeout", f"not set: {_DEFAULT_TIMEOUT} s")
        elif is_unknown(given):
            yield unknown(function.id, "Timeout", given)
        elif (seconds := number(given)) is not None and seconds <= _DEFAULT_TIMEOUT:
            yield Violation(function.id, "Timeout", f"{seconds} s")


@rule(
    "async-retries",
    why="The number of retries and the age of events decide which events are lost, so they must be explicit.",
    fix="Add an AWS::Lambda::EventInvokeConfig with MaximumRetryAttempts and MaximumEventAgeInSeconds.",
)
def retries_are_set(context: CheckContext) -> Iterator[Violation]:
    for function in _asynchronous_functions(context):
        for configs in _invoke_configs(context, function.id):
            if not configs:
                yield _no_config(context, function, "EventInvokeConfig")
            for config in configs:
                for name in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds"):
                    if config.get(name) is None:
                        yield Violation(config.id, name, "not set")


@rule(
    "async-on-failure",
    why="Lambda discards an event after its last retry: nobody can find out which event, or deliver it again.",
    fix="Set DestinationConfig.OnFailure of its AWS::Lambda::EventInvokeConfig to an SQS queue.",
)
def failed_events_are_kept(context: CheckContext) -> Iterator[Violation]:
    for function in _asynchronous_functions(context):
        for configs in _invoke_configs(context, function.id):
            if any(on_failure_destination(config) for config in configs):
                continue
            if dead_letter_queue(function):
                detail = "a dead-letter queue gets the event, but not the reason why it failed"
                yield Violation(function.id, "DeadLetterConfig", detail, warning=True)
            else:
                yield _no_config(context, function, "EventInvokeConfig.DestinationConfig.OnFailure")


@rule(
    "async-failures-alarmed",
    why="Without an alarm nobody notices a failed event, and SQS deletes it after fourteen days at the latest.",
    fix="Add an AWS::CloudWatch::Alarm with AlarmActions on the queue's ApproximateNumberOfMessagesVisible.",
)
def failed_events_raise_an_alarm(context: CheckContext) -> Iterator[Violation]:
    template = context.template
    for resource, path, target in _failure_targets(context):
        queue, topic = template.find(QUEUE, target), template.find(TOPIC, target)
        if queue and (alarmed := is_alarmed(template, queue)) is not True:
            what = f"no alarm with an action watches the queue {queue.id}"
            high = "".join(f"; the threshold of {alarm} is too high" for alarm in out_of_reach(template, queue))
            yield _not_alarmed(alarmed, resource, path, what + high)
        elif topic and (told := either([template.has_subscriber(topic), is_alarmed(template, topic)])) is not True:
            yield _not_alarmed(told, resource, path, f"nobody is subscribed to the topic {topic.id}")
        elif not queue and not topic and _may_be_queue_or_topic(template, target):
            yield undecided(resource.id, path, f"the template does not have the queue or the topic {target}")


@rule(
    "async-reserved-concurrency",
    why="A burst of events can take the whole account's concurrency: Lambda then throttles every other function.",
    fix="Set ReservedConcurrentExecutions to what the function, and the systems that it writes to, can handle.",
)
def concurrency_is_reserved(context: CheckContext) -> Iterator[Violation]:
    for function in _asynchronous_functions(context):
        if function.get("ReservedConcurrentExecutions") is None:
            yield Violation(function.id, "ReservedConcurrentExecutions", "not set")


RULES = (
    timeout_is_set,
    retries_are_set,
    failed_events_are_kept,
    failed_events_raise_an_alarm,
    concurrency_is_reserved,
)


def _asynchronous_functions(context: CheckContext) -> list[Resource]:
    invoked = {each.function for each in context.template.asynchronous}
    return [function for function in context.functions if function.id in invoked]


def _invoke_configs(context: CheckContext, function: str) -> Iterator[list[Resource]]:
    """The configurations of a function's asynchronous invocations, one list for each qualifier that is invoked."""
    template = context.template
    for invoked in sorted(template.asynchronous):
        if invoked.function == function:
            yield [
                config
                for config in template.of_type(INVOKE_CONFIG)
                if (target := template.invoked(config.get("FunctionName")))
                and target.function == function
                and str(config.get("Qualifier")) == invoked.qualifier
            ]


def _no_config(context: CheckContext, function: Resource, path: str) -> Violation:
    """What is wrong if no configuration is known to be the one of a function's qualifier."""
    template = context.template
    for config in template.of_type(INVOKE_CONFIG):
        target, qualifier = config.get("FunctionName"), config.get("Qualifier")
        invoked = template.invoked(target)
        if template.is_outside(target) or (invoked and invoked.function == function.id and is_unknown(qualifier)):
            return undecided(function.id, path, f"only the deployment knows which function {config.id} is for")
    return Violation(function.id, path, "none for the qualifier that is invoked")


def _not_alarmed(decision: Decision, resource: Resource, path: str, what: str) -> Violation:
    return undecided(resource.id, path, f"whether {what}") if decision is None else Violation(resource.id, path, what)


def _may_be_queue_or_topic(template: Template, target: Any) -> bool:
    return arn_parts(str(target))[2:3] in (["sqs"], ["sns"]) or template.is_outside(target)


def _failure_targets(context: CheckContext) -> Iterator[tuple[Resource, str, Any]]:
    """Where failed events go: the resource and the property that configure it, and the ARN of the target."""
    for function in _asynchronous_functions(context):
        yield function, "DeadLetterConfig.TargetArn", dead_letter_queue(function)
        for configs in _invoke_configs(context, function.id):
            for config in configs:
                yield config, "DestinationConfig.OnFailure.Destination", on_failure_destination(config)
