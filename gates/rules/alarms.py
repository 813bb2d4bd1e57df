"""CloudWatch alarms: whether an alarm can fire, and whether one watches a queue or a topic."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gates.rules.metrics import HIGHEST, METRICS, ONLY_ATTRIBUTES, SQS
from gates.rules.rule import CheckContext, Violation, rule, unknown
from gates.template import (
    QUEUE,
    TOPIC,
    Decision,
    Resource,
    Template,
    as_list,
    at,
    either,
    every,
    is_false,
    is_unknown,
    mapping,
    number,
    opposite,
)

_ALARM = "AWS::CloudWatch::Alarm"
_COMPOSITE_ALARM = "AWS::CloudWatch::CompositeAlarm"
_RISING = {
    QUEUE: (
        SQS,
        "QueueName",
        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage", "NumberOfMessagesSent"},
    ),
    TOPIC: ("AWS/SNS", "TopicName", {"NumberOfMessagesPublished"}),
}
"""For a queue and a topic: the namespace, the dimension, and the metrics that rise when a message arrives."""
MANY_MESSAGES = 100_000
"""Failed messages: who waits for more does not notice a failure."""
_DEFAULT_RETENTION = 345_600  # seconds

_Metric = Mapping[str, Any]


@rule(
    "alarm-can-fire",
    why="An alarm on a metric that does not exist, or with a limit out of reach, stays silent whatever happens.",
    fix="Use a metric of the service's documentation with its own dimensions, and a threshold that it can reach.",
)
def alarm_can_fire(context: CheckContext) -> Iterator[Violation]:
    for alarm in context.template.of_type(_ALARM):
        for metric in _metrics(alarm):
            yield from _metric_violations(alarm, metric)
            yield from _dimension_violations(context.template, alarm, metric)
        yield from _threshold_violations(alarm)


def _metric_violations(alarm: Resource, metric: _Metric) -> Iterator[Violation]:
    """Metrics that do not exist. A namespace that is unknown, or that is in no table, may have any metric."""
    namespace, name = str(at(metric, "Namespace")), str(at(metric, "MetricName"))
    proper = {each.lower(): each for each in METRICS}.get(namespace.lower(), namespace)
    homes = [each for each, names in METRICS.items() if name in names]
    if namespace != proper:
        yield Violation(alarm.id, "Namespace", f"{namespace} is no namespace: {proper} is one")
    elif namespace in METRICS and is_unknown(name):
        yield unknown(alarm.id, "MetricName", name)
    elif namespace in METRICS and name in ONLY_ATTRIBUTES:
        yield Violation(alarm.id, "MetricName", f"{name} is an attribute of queues, but no metric")
    elif (
        homes and namespace not in homes and (namespace in METRICS or (homes == [SQS] and namespace.startswith("AWS/")))
    ):
        yield Violation(alarm.id, "MetricName", f"{name} is a metric of {homes[0]}, not of {namespace}")
    elif namespace in METRICS and not homes:
        yield Violation(alarm.id, "MetricName", f"{name} is not in the table of metrics.py", warning=True)


def _dimension_violations(template: Template, alarm: Resource, metric: _Metric) -> Iterator[Violation]:
    namespace = str(at(metric, "Namespace"))
    if namespace not in METRICS:
        return
    dimensions = as_list(at(metric, "Dimensions"))
    names = sorted(str(at(each, "Name")) for each in dimensions)
    if namespace == SQS and names != ["QueueName"]:
        if any(map(is_unknown, names)):
            yield unknown(alarm.id, "Dimensions", ", ".join(names))
        else:
            given = ", ".join(names) or "none"
            yield Violation(alarm.id, "Dimensions", f"{given}: a metric of a queue has the dimension QueueName alone")
    for each in dimensions:
        value = at(each, "Value")
        if at(each, "Name") in ("QueueName", "FunctionName") and not _may_be_name(template, value):
            yield Violation(
                alarm.id, "Dimensions", f"{at(each, 'Name')} is {value}, which is a URL or an ARN, but no name"
            )


def _threshold_violations(alarm: Resource) -> Iterator[Violation]:
    for metric in _metrics(alarm):
        highest = HIGHEST.get(str(at(metric, "MetricName"))) if str(at(metric, "Namespace")) in METRICS else None
        if highest is not None and _statistic(alarm) != "Sum" and _rises(alarm) and _exceeds(alarm, highest):
            yield Violation(
                alarm.id, "Threshold", f"{alarm.get('Threshold')} is not below {highest:,}, the highest value"
            )


RULES = (alarm_can_fire,)


def is_alarmed(template: Template, target: Resource) -> Decision:
    """Whether an alarm with an action watches a queue or a topic, by itself or as part of a composite alarm."""
    return either(
        every(_watches(template, alarm, target), opposite(_exceeds(alarm, _limit(alarm, target))))
        for alarm in template.of_type(_ALARM)
    )


def out_of_reach(template: Template, target: Resource) -> list[str]:
    """The alarms, by logical id, that would watch a queue or a topic if their threshold were lower."""
    return [
        alarm.id
        for alarm in template.of_type(_ALARM)
        if _watches(template, alarm, target) and _exceeds(alarm, _limit(alarm, target))
    ]


def _watches(template: Template, alarm: Resource, target: Resource) -> Decision:
    """Whether an alarm with an action rises with a metric of a queue or a topic, directly or by metric math."""
    measured = either(_measures(template, metric, target) for metric in _metrics(alarm))
    queried = either(None for each in alarm.mappings("Metrics") if _queries(at(each, "Expression"), target))
    acts = either([_acts(alarm), _is_in_composite(template, alarm)])
    return every(_rises(alarm), either([measured, queried]), acts)


def _metrics(alarm: Resource) -> list[_Metric]:
    """The metrics of an alarm: its own, or those of its metric math."""
    inner = [mapping(at(each, "MetricStat", "Metric")) for each in alarm.mappings("Metrics")]
    return [each for each in (alarm.properties, *inner) if at(each, "MetricName") is not None]


def _measures(template: Template, metric: _Metric, target: Resource) -> Decision:
    """Whether a metric is of a queue or a topic, and rises when a message arrives there."""
    namespace, dimension, names = _RISING[target.type]
    dimensions = [(at(each, "Name"), at(each, "Value")) for each in as_list(at(metric, "Dimensions"))]
    return every(
        _is_one_of(template, at(metric, "Namespace"), {namespace}),
        _is_one_of(template, at(metric, "MetricName"), names),
        len(dimensions) == 1,
        *(_is_one_of(template, name, {dimension}) for name, _ in dimensions),
        *(_may_be_name(template, value) and template.is_at(target, value) for _, value in dimensions),
    )


def _queries(expression: Any, target: Resource) -> bool:
    """Whether a query of Metrics Insights, or a search, is about a metric that rises with a queue or a topic."""
    text = str(expression)
    return bool(re.search("SELECT|SEARCH", text)) and any(name in text for name in _RISING[target.type][2])


def _is_one_of(template: Template, value: Any, wanted: set[str]) -> Decision:
    return True if str(value) in wanted else None if template.is_outside(value) else False


def _may_be_name(template: Template, value: Any) -> bool:
    """Whether a value is not the ARN or the URL of a resource."""
    text = str(value).replace("::", "")
    reference = re.fullmatch(r"\$\{(\w+)(\.Arn)?\}", text)
    resource = template.by_id.get(reference[1]) if reference else None
    if resource is None:
        return not re.search("[:/]", text)
    return resource.type not in _RISING and not (reference and reference[2])


def _rises(alarm: Resource) -> Decision:
    operator = str(alarm.get("ComparisonOperator"))
    return None if is_unknown(operator) else "Greater" in operator


def _exceeds(alarm: Resource, limit: int) -> Decision:
    """Whether the threshold of an alarm is above a limit. The values of metric math have other scales."""
    threshold = alarm.get("Threshold")
    if any(at(each, "Expression") is not None for each in alarm.mappings("Metrics")):
        return False
    if is_unknown(threshold):
        return None
    try:
        reached = float(threshold)
    except (OverflowError, TypeError, ValueError):
        return False
    return reached > limit if "OrEqual" in str(alarm.get("ComparisonOperator")) else reached >= limit


def _limit(alarm: Resource, target: Resource) -> int:
    """The threshold from which on an alarm does not tell of a message in a queue or a topic."""
    if "ApproximateAgeOfOldestMessage" not in [at(each, "MetricName") for each in _metrics(alarm)]:
        return MANY_MESSAGES
    given = target.get("MessageRetentionPeriod")
    return _DEFAULT_RETENTION if given is None else number(given) or HIGHEST["ApproximateAgeOfOldestMessage"]


def _statistic(alarm: Resource) -> Any:
    inner = [at(each, "MetricStat", "Stat") for each in alarm.mappings("Metrics")]
    return alarm.get("Statistic") or next(filter(None, inner), None)


def _acts(alarm: Resource) -> Decision:
    enabled = alarm.get("ActionsEnabled")
    return every(any(as_list(alarm.get("AlarmActions"))), None if is_unknown(enabled) else not is_false(enabled))


def _is_in_composite(template: Template, alarm: Resource) -> Decision:
    """Whether a composite alarm with an action names an alarm, by its logical id, its ARN or its name."""
    reference = f"${{{alarm.id}}}"
    names = {reference, f"${{{alarm.id}.Arn}}", str(alarm.get("AlarmName") or reference)}
    return either(
        every(_acts(each), bool(names & set(re.split(r"[\s()\"']+", str(each.get("AlarmRule"))))))
        for each in template.of_type(_COMPOSITE_ALARM)
    )
