"""What is on its way between services: queues that functions poll, EventBridge's rules, subscriptions to topics."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..template import (
    EVENT_SOURCE,
    PERMISSION,
    QUEUE,
    RULE,
    SUBSCRIPTION,
    TOPIC,
    Decision,
    Resource,
    Template,
    at,
    document,
    either,
    is_unknown,
    may_be_service,
    number,
)
from .rule import CheckContext, Violation, rule, undecided, unknown
from .watched import is_alarmed

_VISIBILITY, _TIMEOUT = 30, 3  # seconds, the defaults of SQS and of Lambda
_TIMES = 6
_RETRIED = ("lambda", "sqs", "http", "https", "firehose")
"""The protocols of subscriptions for which SNS retries, and then discards: people get no dead letters."""


@rule(
    "queue-redrive",
    why="A message that always fails comes back until the queue deletes it: nobody can find out which one it was.",
    fix="Set RedrivePolicy of the queue, with a dead-letter queue and maxReceiveCount.",
)
def polled_queues_have_a_dead_letter_queue(context: CheckContext) -> Iterator[Violation]:
    for queue in {queue.id: queue for queue, _ in _polled(context.template)}.values():
        policy = queue.get("RedrivePolicy")
        if policy is None:
            yield Violation(queue.id, "RedrivePolicy", "not set, and a function polls the queue")
        elif isinstance(policy, str) and is_unknown(policy):
            yield unknown(queue.id, "RedrivePolicy", policy)


@rule(
    "queue-visibility",
    why="A message that is still being worked on becomes visible again: it is worked on twice, and counts as failed.",
    fix="Set VisibilityTimeout of the queue to six times the function's Timeout, as AWS recommends.",
)
def messages_stay_hidden(context: CheckContext) -> Iterator[Violation]:
    for queue, function in _polled(context.template):
        if function is None:
            continue
        given = {each.id: each.get(name) for each, name in ((queue, "VisibilityTimeout"), (function, "Timeout"))}
        if texts := [str(value) for value in given.values() if is_unknown(value)]:
            yield unknown(queue.id, "VisibilityTimeout", ", ".join(texts))
            continue
        hidden = _VISIBILITY if given[queue.id] is None else number(given[queue.id]) or 0
        seconds = _TIMEOUT if given[function.id] is None else number(given[function.id]) or 0
        if hidden < _TIMES * seconds:
            detail = f"{hidden} s, and {function.id} has {seconds} s: at least {_TIMES * seconds} s"
            yield Violation(queue.id, "VisibilityTimeout", detail)


@rule(
    "dead-letters-alarmed",
    why="Without an alarm nobody notices a dead letter, and SQS deletes it after fourteen days at the latest.",
    fix="Add an AWS::CloudWatch::Alarm with AlarmActions on the queue's ApproximateNumberOfMessagesVisible.",
)
def dead_letters_raise_an_alarm(context: CheckContext) -> Iterator[Violation]:
    template = context.template
    for resource, path, target in _dead_letter_queues(template):
        if queue := template.find(QUEUE, target):
            alarmed = is_alarmed(template, queue)
            what = f"no alarm with an action watches the queue {queue.id}"
            if alarmed is None:
                yield undecided(resource.id, path, f"whether {what}")
            elif not alarmed:
                yield Violation(resource.id, path, what)


@rule(
    "rule-dead-letters",
    why="EventBridge discards an event that it cannot deliver for a day: nobody can find out which one it was.",
    fix="Set DeadLetterConfig of the rule's target to an SQS queue that lets EventBridge send.",
)
def undelivered_events_are_kept(context: CheckContext) -> Iterator[Violation]:
    # What a schedule misses, it does the next time.
    for rule_ in (each for each in context.template.of_type(RULE) if each.get("EventPattern") is not None):
        for target in rule_.mappings("Targets"):
            if at(target, "DeadLetterConfig", "Arn") is None:
                yield Violation(rule_.id, "Targets.DeadLetterConfig", f"not set for {at(target, 'Arn')}")


@rule(
    "rule-permission",
    why="Without the permission, EventBridge cannot invoke the function, and drops every event.",
    fix="Add an AWS::Lambda::Permission for events.amazonaws.com with the ARN of the rule.",
)
def functions_let_eventbridge_invoke(context: CheckContext) -> Iterator[Violation]:
    template = context.template
    for rule_ in template.of_type(RULE):
        for target in rule_.mappings("Targets"):
            if not (invoked := template.invoked(at(target, "Arn"))):
                continue
            allowed = either(
                _lets_eventbridge(template, each, invoked.function) for each in template.of_type(PERMISSION)
            )
            if allowed is None:
                yield undecided(rule_.id, "Targets.Arn", f"whether {invoked.function} lets EventBridge invoke it")
            elif not allowed:
                yield Violation(rule_.id, "Targets.Arn", f"{invoked.function} does not let EventBridge invoke it")


@rule(
    "subscription-dead-letters",
    why="SNS discards a message that it cannot deliver: nobody can find out which one it was.",
    fix="Set RedrivePolicy of the subscription, in an AWS::SNS::Subscription, with an SQS queue.",
)
def undelivered_messages_are_kept(context: CheckContext) -> Iterator[Violation]:
    for resource, path, subscription in _subscriptions(context.template):
        protocol = str(at(subscription, "Protocol"))
        if at(subscription, "RedrivePolicy") is not None:
            continue
        if is_unknown(protocol):
            yield unknown(resource.id, path, protocol)
        elif protocol in _RETRIED:
            yield Violation(resource.id, path, f"not set for {at(subscription, 'Endpoint')}")


RULES = (
    polled_queues_have_a_dead_letter_queue,
    messages_stay_hidden,
    dead_letters_raise_an_alarm,
    undelivered_events_are_kept,
    functions_let_eventbridge_invoke,
    undelivered_messages_are_kept,
)


def _polled(template: Template) -> Iterator[tuple[Resource, Resource | None]]:
    """The queues of the template that functions poll, each with its function if the template has it."""
    for poller in template.of_type(EVENT_SOURCE):
        if queue := template.find(QUEUE, poller.get("EventSourceArn")):
            invoked = template.invoked(poller.get("FunctionName"))
            yield queue, template.by_id[invoked.function] if invoked else None


def _dead_letter_queues(template: Template) -> Iterator[tuple[Resource, str, Any]]:
    """The resource and the property that name a dead-letter queue, and its ARN; functions have a rule of their own."""
    for queue in template.of_type(QUEUE):
        yield queue, "RedrivePolicy", document(queue.get("RedrivePolicy")).get("deadLetterTargetArn")
    for rule_ in template.of_type(RULE):
        for target in rule_.mappings("Targets"):
            yield rule_, "Targets.DeadLetterConfig", at(target, "DeadLetterConfig", "Arn")
    for resource, path, subscription in _subscriptions(template):
        yield resource, path, document(at(subscription, "RedrivePolicy")).get("deadLetterTargetArn")


def _subscriptions(template: Template) -> Iterator[tuple[Resource, str, Mapping[str, Any]]]:
    """The subscriptions, with the resource that has each and the path of its redrive policy."""
    for each in template.of_type(SUBSCRIPTION):
        yield each, "RedrivePolicy", each.properties
    for topic in template.of_type(TOPIC):
        for subscription in topic.mappings("Subscription"):
            yield topic, "Subscription.RedrivePolicy", subscription


def _lets_eventbridge(template: Template, permission: Resource, function: str) -> Decision:
    """Whether a permission lets EventBridge invoke a function."""
    principal, target = str(permission.get("Principal")), permission.get("FunctionName")
    invoked = template.invoked(target)
    if invoked is None:
        return None if template.is_outside(target) else False
    if invoked.function != function:
        return False
    return may_be_service(principal, "events.")
