"""The alarms of the stack that are on."""

import re
from dataclasses import dataclass
from datetime import datetime

from .pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """An alarm that is on."""

    name: str
    """As in docs/runbook.md; of an alarm that does not refer to it, its whole name."""
    meaning: str
    since: datetime
    full_name: str
    """As in CloudWatch."""


def on(pipeline: Pipeline) -> list[Alarm]:
    """The alarms that are on and notify the stack's topic, by name: every alarm of the stack does. One request.

    The stack's name does not tell them apart: the names of the alarms of CsvIngest-prod begin with `CsvIngest-`, too.
    """
    pages = pipeline.clients.cloudwatch.get_paginator("describe_alarms").paginate(
        ActionPrefix=pipeline.alarm_topic, StateValue="ALARM", AlarmTypes=["MetricAlarm"]
    )
    found = []
    for alarm in (each for page in pages for each in page["MetricAlarms"]):
        # The beginning of an ARN can be that of another topic's.
        if pipeline.alarm_topic in alarm["AlarmActions"]:
            meaning, full_name = alarm.get("AlarmDescription", ""), alarm["AlarmName"]
            section = re.search(r" See (\w+) in docs/runbook\.md", meaning)
            found.append(
                Alarm(
                    name=section[1] if section else full_name,
                    meaning=meaning,
                    since=alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"],
                    full_name=full_name,
                )
            )
    return sorted(found, key=lambda alarm: (alarm.name, alarm.full_name))
