"""What a template says, with CloudFormation's intrinsic functions resolved. The rules start from `Template`."""

from .alarms import COMPOSITE_ALARM, Alarm, Metric, acts
from .arns import arn_parts, is_wild
from .decisions import Decision, either, every, opposite
from .errors import InvalidTemplate
from .intrinsics import as_text
from .loops import expanded
from .model import Template
from .notifications import Notification
from .opaque import is_opaque_resource
from .resources import (
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
from .statements import Attached, Statement
from .triggers import Trigger
from .values import (
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
from .variants import deployments

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
