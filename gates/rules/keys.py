"""The keys of a bucket that a policy's resource and a trigger have in common."""

import re
from fnmatch import fnmatchcase
from os.path import commonprefix

from ..template import Decision, Template, Trigger, arn_parts, either, every, is_wild, opposite


def overlaps(template: Template, resource: str, trigger: Trigger) -> Decision:
    """Whether a policy's resource includes at least one key that starts the function."""
    here, keys = _keys(template, resource, trigger)
    head, tail = _ends(keys)
    prefix, suffix, excluded = trigger.keys
    starts, ends = _begins(head, prefix), _finishes(tail, suffix)
    if is_wild(keys):  # more may follow the head, and precede the tail
        starts, ends = either([starts, _begins(prefix, head)]), either([ends, _finishes(suffix, tail)])
    outside = either(every(_begins(head, start), _finishes(tail, end)) for start, end in excluded)
    return every(here, starts, ends, opposite(outside))


def covers(template: Template, resource: str, trigger: Trigger) -> Decision:
    """Whether a policy's resource includes every key that starts the function."""
    here, keys = _keys(template, resource, trigger)
    if keys.count("*") != 1 or "?" in keys:
        return False
    head, tail = _ends(keys)
    return every(here, _begins(trigger.keys.prefix, head), _finishes(trigger.keys.suffix, tail))


def _keys(template: Template, resource: str, trigger: Trigger) -> tuple[Decision, str]:
    """Whether a policy's resource is about the trigger's bucket, and the pattern of keys that it includes there."""
    parts = arn_parts(resource)
    if parts and (len(parts) < 6 or "*" in parts[2]):  # noqa: PLR2004  an ARN has six parts
        return True, "*"  # of every service
    bucket, keys = template.bucket_and_keys(resource)
    # In IAM, a wildcard at the end of a bucket's name includes its objects. An unknown ARN may include objects.
    if not keys and (bucket.endswith("*") or (bucket == resource and template.is_outside(bucket))):
        keys = "*"
    return (_matches(template, bucket, trigger.bucket) if keys else False), keys


def _matches(template: Template, pattern: str, bucket: str) -> Decision:
    """Whether a pattern of buckets' names includes a bucket, given by logical id or by name."""
    declared = template.by_id.get(bucket)
    name = str(declared.get("BucketName")) if declared else bucket
    if pattern in ("*", bucket) or (is_wild(pattern) and fnmatchcase(name, pattern)):
        return True
    return None if template.is_outside(pattern) or template.is_outside(bucket) else False


def _begins(text: str, prefix: str, opening: str = "${", closing: str = "}") -> Decision:
    """Whether a text begins with another. Both may have unknown values, between an opening and a closing."""
    if text.startswith(prefix):
        return True
    if opening not in text + prefix:
        return False
    same = commonprefix([text, prefix])  # noqa: RUF071  texts, no paths
    if same.rfind(opening) > same.rfind(closing):  # inside of different unknown values with the same beginning
        same = same[: same.rfind(opening)]
    known, wanted = (each[len(same) :].partition(opening)[0] for each in (text, prefix))
    return None if known.startswith(wanted) or wanted.startswith(known) else False


def _finishes(text: str, suffix: str) -> Decision:
    """Whether a text ends with another."""
    return _begins(text[::-1], suffix[::-1], "}", "{$")


def _ends(keys: str) -> tuple[str, str]:
    """What a pattern of keys begins with, and what it ends with."""
    return re.split(r"[*?]", keys)[0], re.split(r"[*?]", keys)[-1]
