"""What a template says, with CloudFormation's intrinsic functions resolved. The rules start from `Template`."""

from gates.template.arns import arn_parts, is_wild
from gates.template.errors import InvalidTemplate
from gates.template.intrinsics import as_text
from gates.template.model import Template
from gates.template.resources import (
    BUCKET,
    BUCKET_POLICY,
    FUNCTION,
    INVOKE_CONFIG,
    LOG_GROUP,
    PERMISSION,
    QUEUE,
    TOPIC,
    Resource,
)
from gates.template.statements import Statement
from gates.template.triggers import Trigger
from gates.template.values import as_list, at, document, is_false, is_true, mapping, mappings, number
from gates.template.variants import deployments

__all__ = [
    "BUCKET",
    "BUCKET_POLICY",
    "FUNCTION",
    "INVOKE_CONFIG",
    "LOG_GROUP",
    "PERMISSION",
    "QUEUE",
    "TOPIC",
    "InvalidTemplate",
    "Resource",
    "Statement",
    "Template",
    "Trigger",
    "arn_parts",
    "as_list",
    "as_text",
    "at",
    "deployments",
    "document",
    "is_false",
    "is_true",
    "is_wild",
    "mapping",
    "mappings",
    "number",
]
