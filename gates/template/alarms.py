"""What CloudWatch alarms measure, and when they act."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .decisions import Decision, every
from .resources import Resource
from .values import as_list, at, is_false, is_unknown, mapping

ALARM = "AWS::CloudWatch::Alarm"
COMPOSITE_ALARM = "AWS::CloudWatch::CompositeAlarm"


@dataclass(frozen=True)
class Metric:
    """A metric of an alarm. A value that is not given is the text `None`."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    """Names and values."""


class Alarm:
    """An alarm on one metric, or on metric math."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        queries = resource.mappings("Metrics")
        inner = [mapping(at(each, "MetricStat", "Metric")) for each in queries]
        self.metrics = [_metric(each) for each in (resource.properties, *inner) if at(each, "MetricName") is not None]
        self.expressions = [str(each["Expression"]) for each in queries if "Expression" in each]
        statistics = [resource.get("Statistic"), *(at(each, "MetricStat", "Stat") for each in queries)]
        self.is_sum = "Sum" in map(str, statistics)

    @property
    def rises(self) -> Decision:
        """Whether the alarm is raised by high values."""
        operator = str(self.resource.get("ComparisonOperator"))
        return None if is_unknown(operator) else "Greater" in operator

    def exceeds(self, limit: float) -> Decision:
        """Whether no value up to a limit raises the alarm. The values of expressions have other scales."""
        threshold = self.resource.get("Threshold")
        if self.expressions:
            return False
        if is_unknown(threshold):
            return None
        try:
            wanted = float(threshold)
        except (OverflowError, TypeError, ValueError):
            return False
        return wanted > limit if "OrEqual" in str(self.resource.get("ComparisonOperator")) else wanted >= limit


def acts(alarm: Resource) -> Decision:
    """Whether an alarm, or a composite alarm, has an action. An unknown action is an action."""
    enabled = alarm.get("ActionsEnabled")
    return every(any(as_list(alarm.get("AlarmActions"))), None if is_unknown(enabled) else not is_false(enabled))


def _metric(properties: Mapping[str, Any]) -> Metric:
    dimensions = [(str(at(each, "Name")), str(at(each, "Value"))) for each in as_list(at(properties, "Dimensions"))]
    return Metric(str(at(properties, "Namespace")), str(at(properties, "MetricName")), tuple(dimensions))
