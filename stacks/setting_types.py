"""The types of the settings that a deployment has, and its feeds have not."""

import re
from collections.abc import Mapping
from typing import Any

from csv_ingest.settings import SettingType, each_once, matching, several


def _parse_prefixes(text: str) -> tuple[str, ...]:
    prefixes = tuple(prefix.strip() for prefix in text.split(","))
    if not all(prefix and prefix.isprintable() for prefix in prefixes) or len(set(prefixes)) < len(prefixes):
        raise ValueError(text)
    return prefixes


_KEY = r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/(mrk-)?[0-9a-f-]{32,36}"

_MAX_FORMER_KEYS = 3
"""Each is in several policies, whose lengths IAM limits."""

# AWS allows fifty tags for a resource, and CloudFormation adds some of its own.
_MAX_TAGS = 40

# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
_TAG_NAME = re.compile(r"(?i:(?!aws:))[\w .:/=+@-]{1,128}")
_TAG_VALUE = re.compile(r"[\w .:/=+@-]{0,256}")


def _parse_tags(text: str) -> tuple[tuple[str, str], ...]:
    tags: dict[str, str] = {}
    for pair in text.split(","):
        name, equals, value = (part.strip() for part in pair.partition("="))
        well_formed = equals and _TAG_NAME.fullmatch(name) and _TAG_VALUE.fullmatch(value)
        # IAM ignores the case of tag names.
        repeated = name.lower() in map(str.lower, tags)
        if not well_formed or repeated or len(tags) == _MAX_TAGS:
            raise ValueError(text)
        tags[name] = value
    return tuple(tags.items())


def _tags_to_text(tags: Mapping[str, Any]) -> str:
    """Raises ValueError for a name or a value that the text could not be split at again."""
    if not all(isinstance(each, str) and "," not in each and "=" not in name for name, each in tags.items()):
        raise ValueError(tags)
    return ",".join(f"{name}={each}" for name, each in tags.items())


IGNORED_PREFIXES = several("beginnings of object keys such as reports/,tmp/, each once", _parse_prefixes)
EMAIL_ADDRESS = matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")
EVENT_BUS = matching(
    r"(arn:aws[a-z-]*:events:[a-z0-9-]+:\d{12}:event-bus/)?(?!none$)[A-Za-z0-9._/-]{1,256}",
    "the name of an event bus, or its ARN",
)
BUCKET_NAME = matching(
    r"(?!none$|xn--|.*\.\.|[\d.]+$|.*--x-s3$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "the name of a bucket"
)
KMS_KEY_ARN = matching(_KEY, "the ARN of a KMS key")
KMS_KEY_ARNS = each_once(_KEY, "ARNs of KMS keys, each once", most=_MAX_FORMER_KEYS)
POLICY_ARN = matching(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+", "the ARN of a managed policy")
TAGS = SettingType(
    "name=value pairs such as team=orders,cost=42, or an object in cdk.json",
    _parse_tags,
    from_json={dict: _tags_to_text},
)
