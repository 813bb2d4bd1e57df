"""ARNs and wildcards in the policies of a template."""

import re


def arn_parts(resource: str) -> list[str]:
    """The parts of an ARN: six, or fewer if a wildcard replaces several of them.

    An empty list for a reference to a resource, such as `${Queue.Arn}`.
    """
    text = re.sub(r"\$\{AWS::(\w+)\}", r"${\1}", resource)
    return text.split(":", 5) if text.startswith("arn:") or text == "*" or set(text) == {"*"} else []


def is_wild(text: str) -> bool:
    return "*" in text or "?" in text
