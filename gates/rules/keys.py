"""The keys of a bucket that a policy's resource and a trigger have in common."""

import re
from fnmatch import fnmatchcase

from gates.template import Template, Trigger, arn_parts, is_wild


def overlaps(template: Template, resource: str, trigger: Trigger) -> bool:
    """Whether a policy's resource includes at least one key that starts the function."""
    keys = _keys(template, resource, trigger)
    if keys is None:
        return False
    if not re.search(r"[*?]|\$\{", keys):
        return keys.startswith(trigger.prefix) and keys.endswith(trigger.suffix)
    head, tail = _ends(keys)
    starts = head.startswith(trigger.prefix) or trigger.prefix.startswith(head)
    return starts and (tail.endswith(trigger.suffix) or trigger.suffix.endswith(tail))


def covers(template: Template, resource: str, trigger: Trigger) -> bool:
    """Whether a policy's resource includes every key that starts the function."""
    keys = _keys(template, resource, trigger)
    if keys is None or keys.count("*") != 1 or "?" in keys or "$" in keys:
        return False
    head, tail = _ends(keys)
    return trigger.prefix.startswith(head) and trigger.suffix.endswith(tail)


def _keys(template: Template, resource: str, trigger: Trigger) -> str | None:
    """The pattern of keys that a policy's resource includes in the trigger's bucket; None for another bucket."""
    parts = arn_parts(resource)
    if parts and (len(parts) < 6 or "*" in parts[2]):  # noqa: PLR2004  an ARN has six parts
        return "*"  # of every service
    bucket, keys = template.bucket_and_keys(resource)
    # In IAM, a wildcard at the end of a bucket's name includes its objects.
    if not keys and bucket.endswith("*"):
        keys = "*"
    return keys if keys and _matches(template, bucket, trigger.bucket) else None


def _matches(template: Template, pattern: str, bucket: str) -> bool:
    """Whether a pattern of buckets' names includes a bucket, given by logical id or by name."""
    declared = template.by_id.get(bucket)
    name = str(declared.get("BucketName")) if declared else bucket
    return pattern in ("*", bucket) or (is_wild(pattern) and fnmatchcase(name, pattern))


def _ends(keys: str) -> tuple[str, str]:
    """What a pattern of keys begins with, and what it ends with."""
    return re.split(r"[*?]|\$\{", keys)[0], re.split(r"[*?]|\}", keys)[-1]
