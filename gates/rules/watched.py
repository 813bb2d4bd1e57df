"""Whether a CloudWatch alarm watches a queue or a topic."""

import re

from ..template import (
    COMPOSITE_ALARM,
    QUEUE,
    TOPIC,
    Alarm,
    Decision,
    Metric,
    Resource,
    Template,
    acts,
    either,
    every,
    number,
    opposite,
)
from .alarms import is_name
from .metrics import HIGHEST, SQS

MANY_MESSAGES = 100_000
"""Failed messages: who waits for more does not notice a failure."""
_DEFAULT_RETENTION = 345_600  # seconds, of SQS
_AGE = "ApproximateAgeOfOldestMessage"
_RISING = {
    QUEUE: (SQS, "QueueName", {"ApproximateNumberOfMessagesVisible", _AGE, "NumberOfMessagesSent"}),
    TOPIC: ("AWS/SNS", "TopicName", {"NumberOfMessagesPublished"}),
}
"""For a queue and a topic: the namespace, the dimension, and the metrics that rise when a message arrives."""


def is_alarmed(template: Template, target: Resource) -> Decision:
    """Whether an alarm with an action watches a queue or a topic, by itself or as part of a composite alarm."""
    return either(
        every(_watches(template, alarm, target), opposite(alarm.exceeds(_limit(alarm, target))))
        for alarm in template.alarms
    )


def out_of_reach(template: Template, target: Resource) -> list[str]:
    """The alarms, by logical id, that would watch a queue or a topic if their threshold were lower."""
    return [
        alarm.resource.id
        for alarm in template.alarms
        if _watches(template, alarm, target) and alarm.exceeds(_limit(alarm, target))
    ]


def _watches(template: Template, alarm: Alarm, target: Resource) -> Decision:
    """Whether an alarm with an action rises with a metric of a queue or a topic, directly or by metric math."""
    measured = [_measures(template, metric, target) for metric in alarm.metrics]
    queried = [None for each in alarm.expressions if _may_query(each, target)]
    return every(
        alarm.rises,
        either([*measured, *queried]),
        either([acts(alarm.resource), _is_in_composite(template, alarm.resource)]),
    )


def _measures(template: Template, metric: Metric, target: Resource) -> Decision:
    """Whether a metric is of a queue or a topic, and rises when a message arrives there."""
    namespace, dimension, names = _RISING[target.type]
    return every(
        _is_one_of(template, metric.namespace, {namespace}),
        _is_one_of(template, metric.name, names),
        len(metric.dimensions) == 1,
        *(_is_one_of(template, name, {dimension}) for name, _ in metric.dimensions),
        *(is_name(template, value) and template.is_at(target, value) for _, value in metric.dimensions),
    )


def _may_query(expression: str, target: Resource) -> bool:
    """Whether a query of Metrics Insights, or a search, is about a metric that rises with a queue or a topic."""
    return bool(re.search("SELECT|SEARCH", expression)) and any(name in expression for name in _RISING[target.type][2])


def _is_one_of(template: Template, value: str, wanted: set[str]) -> Decision:
    return True if value in wanted else None if template.is_outside(value) else False


def _limit(alarm: Alarm, target: Resource) -> int:
    """The value that an alarm's metric does not exceed, or not before anybody should have noticed."""
    if _AGE not in [metric.name for metric in alarm.metrics]:
        return MANY_MESSAGES
    given = target.get("MessageRetentionPeriod")
    return _DEFAULT_RETENTION if given is None else number(given) or HIGHEST[_AGE]


def _is_in_composite(template: Template, alarm: Resource) -> Decision:
    """Whether a composite alarm with an action names an alarm, by its logical id, its ARN or its name."""
    reference = f"${{{alarm.id}}}"
    names = {reference, f"${{{alarm.id}.Arn}}", str(alarm.get("AlarmName") or reference)}
    return either(
        every(acts(composite), _names(template, str(composite.get("AlarmRule")), names))
        for composite in template.of_type(COMPOSITE_ALARM)
    )


def _names(template: Template, rule: str, names: set[str]) -> Decision:
    """Whether the rule of a composite alarm has one of some names in it."""
    if names & set(re.split(r"[\s()\"']+", rule)):
        return True
    return None if template.is_outside(rule) else False
