"""Whether a CloudWatch alarm watches a queue or a topic."""

import re

from gates.template import Resource, Template, as_list, at, is_false, mapping

_ALARM = "AWS::CloudWatch::Alarm"
_COMPOSITE_ALARM = "AWS::CloudWatch::CompositeAlarm"
_RISING_METRICS = {
    "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessages",
    "ApproximateAgeOfOldestMessage",
    "NumberOfMessagesSent",
    "NumberOfMessagesPublished",
}
"""The metrics of a queue or a topic that rise when a message arrives."""


def is_alarmed(template: Template, target: Resource) -> bool:
    """Whether an alarm with an action watches a queue or a topic, by itself or as part of a composite alarm."""
    return any(
        _rises(alarm) and _watches(template, alarm, target) and (_acts(alarm) or _is_in_composite(template, alarm))
        for alarm in template.of_type(_ALARM)
    )


def _watches(template: Template, alarm: Resource, target: Resource) -> bool:
    """Whether an alarm watches a metric of a queue or a topic, directly or by metric math."""
    inner = [mapping(at(each, "MetricStat", "Metric")) for each in alarm.mappings("Metrics")]
    return any(
        str(metric.get("MetricName")) in _RISING_METRICS
        and template.find(target.type, at(dimension, "Value")) == target
        for metric in (alarm.properties, *inner)
        for dimension in as_list(metric.get("Dimensions"))
    )


def _rises(alarm: Resource) -> bool:
    return not str(alarm.get("ComparisonOperator")).startswith("LessThan")


def _acts(alarm: Resource) -> bool:
    return any(as_list(alarm.get("AlarmActions"))) and not is_false(alarm.get("ActionsEnabled"))


def _is_in_composite(template: Template, alarm: Resource) -> bool:
    """Whether a composite alarm with an action names an alarm, by its logical id, its ARN or its name."""
    reference = f"${{{alarm.id}}}"
    names = {reference, f"${{{alarm.id}.Arn}}", str(alarm.get("AlarmName") or reference)}
    composites = [each for each in template.of_type(_COMPOSITE_ALARM) if _acts(each)]
    return any(names & set(re.split(r"[\s()\"']+", str(each.get("AlarmRule")))) for each in composites)
