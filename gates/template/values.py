"""Values of a template, which may have any shape: the value in the shape that is asked for, or an empty one."""

import json
from collections.abc import Mapping
from typing import Any


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, otherwise an empty mapping."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> list[Any]:
    """The value as CloudFormation reads it where it allows a list: a single value is a list of one, lists are joined.

    None is an empty list.
    """
    if value is None:
        return []
    return [inner for each in value for inner in as_list(each)] if isinstance(value, list) else [value]


def at(value: Any, *path: str) -> Any:
    """The value under a path of names in nested mappings; None if there is none."""
    for name in path:
        value = mapping(value).get(name)
    return value


def mappings(parent: Any, *names: str) -> list[Mapping[str, Any]]:
    """The mappings, one or a list of them, under each of some names in a mapping."""
    return [mapping(each) for name in names for each in as_list(mapping(parent).get(name))]


def document(value: Any) -> Mapping[str, Any]:
    """A policy or an event pattern, which may also be JSON text; an empty mapping if the value is neither."""
    if isinstance(value, str):
        try:
            return mapping(json.loads(value))
        except ValueError:
            return {}
    return mapping(value)


def number(value: Any) -> int | None:
    """A whole number, given as a number or as text; None if only the deployment knows it."""
    text = str(value)
    return int(text) if text.isdecimal() and len(text) < 20 else None  # noqa: PLR2004  no number here is that large


def is_true(value: Any) -> bool:
    return str(value).lower() == "true"


def is_false(value: Any) -> bool:
    return str(value).lower() == "false"
