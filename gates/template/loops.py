"""`Fn::ForEach`, expanded as the macro AWS::LanguageExtensions does."""

import re
from collections.abc import Mapping
from typing import Any

from .errors import InvalidTemplate
from .intrinsics import Resolver
from .opaque import LOOP
from .values import as_list, is_unknown

_LOOP_PARTS = 3
_SECTIONS = ("Conditions", "Resources")


def expanded(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template with its loops expanded, as far as the lists are known with the defaults of the parameters.

    A loop over an unknown list stays as it is. Raises InvalidTemplate.
    """
    resolver = Resolver(template)
    return {name: _expand(each, resolver) if name in _SECTIONS else each for name, each in template.items()}


def _expand(node: Any, resolver: Resolver) -> Any:
    if isinstance(node, list):
        return [_expand(each, resolver) for each in node]
    if not isinstance(node, Mapping):
        return node
    result: dict[Any, Any] = {}
    for key, each in node.items():
        result |= _iterations(key, each, resolver) if str(key).startswith(LOOP) else {key: _expand(each, resolver)}
    return result


def _iterations(key: str, loop: Any, resolver: Resolver) -> Mapping[Any, Any]:
    """What a loop becomes, or the loop itself if its list is unknown."""
    if not (isinstance(loop, list) and len(loop) == _LOOP_PARTS and isinstance(loop[2], Mapping)):
        raise InvalidTemplate(f"{key} is no list of an identifier, a collection and a mapping")
    identifier, collection, body = loop
    values = resolver.value(collection)
    if not isinstance(values, list) or any(map(is_unknown, as_list(values))):
        return {key: loop}
    result: dict[Any, Any] = {}
    for value in map(str, as_list(values)):
        result |= _expand(_replaced(body, str(identifier), value), resolver)
    return result


def _replaced(node: Any, identifier: str, value: str) -> Any:
    """The body of a loop for one value: `${Name}` is the value, `&{Name}` its letters and digits."""
    if isinstance(node, str):
        text = node.replace(f"${{{identifier}}}", value)
        return text.replace(f"&{{{identifier}}}", re.sub(r"[^0-9A-Za-z]", "", value))
    if isinstance(node, list):
        return [_replaced(each, identifier, value) for each in node]
    if not isinstance(node, Mapping):
        return node
    if dict(node) == {"Ref": identifier}:
        return value
    return {_replaced(key, identifier, value): _replaced(each, identifier, value) for key, each in node.items()}
