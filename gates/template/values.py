"""Values of a template, which may have any shape: the value in the shape that is asked for, or an empty one.

What only the deployment knows is text with `${...}` in it. Whatever is looked for in an unknown value is unknown too.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .decisions import Decision

UNKNOWN = "Fn::Transform"
"""The key of an unknown value in a mapping. The mapping may have any other name, too."""


def is_unknown(value: Any) -> bool:
    """Whether a value, or a part of it, is known only to the deployment."""
    return "${" in str(value)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, an unknown mapping if the value is unknown, otherwise an empty mapping."""
    if isinstance(value, str) and is_unknown(value):
        return {UNKNOWN: value}
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> list[Any]:
    """The value as CloudFormation reads it where it allows a list: a single value is a list of one, lists are joined.

    None is an empty list.
    """
    return [each for _, each in numbered(value)]


def numbered(value: Any) -> Iterator[tuple[int, Any]]:
    """The values of `as_list`, each with its number in the template's list, where AWS::NoValue counts too."""
    for number, each in enumerate(value if isinstance(value, list) else [value]):
        if isinstance(each, list):
            yield from ((number, inner) for inner in as_list(each))
        elif each is not None:
            yield number, each


def at(value: Any, *path: str) -> Any:
    """The value under a path of names in nested mappings; None if there is none."""
    for name in path:
        parent = mapping(value)
        value = parent.get(name, parent.get(UNKNOWN))
    return value


def mappings(parent: Any, *names: str) -> list[Mapping[str, Any]]:
    """The mappings, one or a list of them, under each of some names in a mapping."""
    return [mapping(each) for name in names for each in as_list(at(parent, name))]


def document(value: Any) -> Mapping[str, Any]:
    """A policy or an event pattern, which may also be JSON text; an empty mapping if the value is neither."""
    if isinstance(value, str):
        try:
            return mapping(json.loads(value))
        except ValueError:
            return mapping(value)
    return mapping(value)


def number(value: Any) -> int | None:
    """A whole number, given as a number or as text; None if only the deployment knows it."""
    text = str(value)
    return int(text) if text.isdecimal() and len(text) < 20 else None  # noqa: PLR2004  no number here is that large


def may_be_service(principal: str, beginning: str) -> Decision:
    """Whether a principal is a service whose name begins with a text, such as `s3.`, or everybody."""
    if principal == "*" or principal.startswith(beginning):
        return True
    return None if is_unknown(principal) and beginning.startswith(principal.partition("${")[0]) else False


def is_true(value: Any) -> bool:
    return str(value).lower() == "true"


def is_false(value: Any) -> bool:
    return str(value).lower() == "false"
