"""CloudWatch alarms: each can fire."""

import re
from collections.abc import Iterator

from ..template import QUEUE, TOPIC, Alarm, Metric, Template, is_unknown
from .metrics import DIMENSIONS, HIGHEST, METRICS, ONLY_ATTRIBUTES, SQS
from .rule import CheckContext, Violation, rule, unknown

_NO_NAME = {QUEUE, TOPIC, "AWS::Lambda::Alias", "AWS::Lambda::Version"}
"""Types whose Ref is a URL or an ARN."""


@rule(
    "alarm-can-fire",
    why="An alarm on a metric that does not exist, or with a limit out of reach, stays silent whatever happens.",
    fix="Use a metric of the service's documentation with its own dimensions, and a threshold that it can reach.",
)
def alarm_can_fire(context: CheckContext) -> Iterator[Violation]:
    for alarm in context.template.alarms:
        for metric in alarm.metrics:
            yield from _metric_violations(alarm, metric)
            if metric.namespace in METRICS:
                yield from _dimension_violations(context.template, alarm, metric)
                yield from _threshold_violations(alarm, metric)


RULES = (alarm_can_fire,)


def is_name(template: Template, value: str) -> bool:
    """Whether the value of a dimension may be a name. An ARN or a URL is none."""
    reference = re.fullmatch(r"\$\{(\w+)(\.Arn)?\}", value)
    resource = template.by_id.get(reference[1]) if reference else None
    if resource is None:
        return not re.search("[:/]", value.replace("::", ""))
    return resource.type not in _NO_NAME and not (reference and reference[2])


def _metric_violations(alarm: Alarm, metric: Metric) -> Iterator[Violation]:
    """Metrics that do not exist. A namespace that is unknown, or that is in no table, may have any metric."""
    namespace, name, id_ = metric.namespace, metric.name, alarm.resource.id
    proper = {each.lower(): each for each in METRICS}.get(namespace.lower(), namespace)
    home = next((each for each, names in METRICS.items() if name in names), namespace)
    if namespace != proper:
        yield Violation(id_, "Namespace", f"{namespace} is no namespace: {proper} is one")
    elif home != namespace and (namespace in METRICS or (home == SQS and namespace.startswith("AWS/"))):
        yield Violation(id_, "MetricName", f"{name} is a metric of {home}, not of {namespace}")
    elif namespace not in METRICS or name in METRICS[namespace]:
        return
    elif is_unknown(name):
        yield unknown(id_, "MetricName", name)
    elif name in ONLY_ATTRIBUTES:
        yield Violation(id_, "MetricName", f"{name} is an attribute of queues, but no metric")
    else:
        yield Violation(id_, "MetricName", f"{name} is not in the table of metrics.py", warning=True)


def _dimension_violations(template: Template, alarm: Alarm, metric: Metric) -> Iterator[Violation]:
    id_, names = alarm.resource.id, [name for name, _ in metric.dimensions]
    if unknown_names := list(filter(is_unknown, names)):
        yield unknown(id_, "Dimensions", ", ".join(unknown_names))
    elif metric.namespace == SQS and names != ["QueueName"]:
        given = ", ".join(names) or "none"
        yield Violation(id_, "Dimensions", f"{given}: a metric of a queue has the dimension QueueName alone")
    elif others := [name for name in names if name not in DIMENSIONS]:
        yield Violation(id_, "Dimensions", f"{', '.join(others)} is not in the table of metrics.py", warning=True)
    for name, value in metric.dimensions:
        if name in ("QueueName", "FunctionName") and not is_name(template, value):
            yield Violation(id_, "Dimensions", f"{name} is {value}, which is a URL or an ARN, but no name")


def _threshold_violations(alarm: Alarm, metric: Metric) -> Iterator[Violation]:
    highest = HIGHEST.get(metric.name)
    if highest is not None and not alarm.is_sum and alarm.rises and alarm.exceeds(highest):
        threshold = alarm.resource.get("Threshold")
        yield Violation(alarm.resource.id, "Threshold", f"{threshold}, but the metric is at most {highest:,}")
