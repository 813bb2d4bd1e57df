"""What a template says, with CloudFormation's intrinsic functions resolved. The rules start from `Template`."""

from gates.template.alarms import COMPOSITE_ALARM, Alarm, Metric, acts
from gates.template.arns import arn_parts, is_wild
from gates.template.decisions import Decision, either, every, opposite
from gates.template.errors import InvalidTemplate
from gates.template.intrinsics import as_text
from gates.template.loops import expanded
from gates.template.model import Template
from gates.template.notifications import Notification
from gates.template.opaque import is_opaque_resource
from gates.template.resources import (
    BUCKET,
    BUCKET_POLICY,
    EVENT_SOURCE,
    FUNCTION,
    INVOKE_CONFIG,
    LOG_GROUP,
    PERMISSION,
    QUEUE,
    RULE,
    SUBSCRIPTION,
    TOPIC,
    Resource,
)
from gates.template.statements import Attached, Statement
from gates.template.triggers import Trigger
from gates.template.values import (
    as_list,
    at,
    document,
    is_false,
    is_true,
    is_unknown,
    mapping,
    mappings,
    may_be_service,
    number,
)
from gates.template.variants import deployments

__all__ = [
    "BUCKET",
    "BUCKET_POLICY",
    "COMPOSITE_ALARM",
    "EVENT_SOURCE",
    "FUNCTION",
    "INVOKE_CONFIG",
    "LOG_GROUP",
    "PERMISSION",
    "QUEUE",
    "RULE",
    "SUBSCRIPTION",
    "TOPIC",
    "Alarm",
    "Attached",
    "Decision",
    "InvalidTemplate",
    "Metric",
    "Notification",
    "Resource",
    "Statement",
    "Template",
    "Trigger",
    "acts",
    "arn_parts",
    "as_list",
    "as_text",
    "at",
    "deployments",
    "document",
    "either",
    "every",
    "expanded",
    "is_false",
    "is_opaque_resource",
    "is_true",
    "is_unknown",
    "is_wild",
    "mapping",
    "mappings",
    "may_be_service",
    "number",
    "opposite",
]
