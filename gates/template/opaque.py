"""The parts of a template that only CloudFormation can expand: includes, macros, and loops over unknown lists."""

from collections.abc import Iterator, Mapping
from typing import Any

from .values import UNKNOWN, as_list, mapping

LOOP = "Fn::ForEach::"
_UNDERSTOOD = {"AWS::Serverless-2016-10-31", "AWS::LanguageExtensions"}
"""Macros whose result is checked."""


def is_opaque(key: Any) -> bool:
    """Whether what stands under a key is replaced by something else at the deployment."""
    return key == UNKNOWN or str(key).startswith(LOOP)


def is_opaque_resource(name: Any, resource: Any) -> bool:
    """Whether only the deployment knows the resources under a name."""
    return is_opaque(name) or (isinstance(resource, Mapping) and UNKNOWN in resource and "Type" not in resource)


def opaque_parts(template: Mapping[str, Any], resources: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What cannot be checked: the logical id of its resource or its section, the path there, and what it is.

    `resources` are those that are deployed.
    """
    for macro in as_list(template.get("Transform")):
        if _name(macro) not in _UNDERSTOOD:
            yield "Transform", _name(macro), "what the macro changes in the whole template"
    if UNKNOWN in template:
        yield from _parts("Template", {UNKNOWN: template[UNKNOWN]})
    for section in ("Parameters", "Mappings", "Conditions"):
        yield from _parts(section, template.get(section))
    for name, resource in mapping(template.get("Resources")).items():
        if is_opaque_resource(name, resource):
            for _, _, what in _parts(name, {name: resource}):
                yield name, "Resources", what.replace("what", "the resources that", 1)
        elif name in resources:
            yield from _parts(name, resource)


def _parts(owner: str, node: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            here = f"{path}.{key}".lstrip(".")
            if key == UNKNOWN:
                for macro in as_list(value):
                    yield owner, here, f"what {_name(macro)} puts here"
            elif is_opaque(key):
                yield owner, here, "what the loop makes, since only the deployment knows its list"
            else:
                yield from _parts(owner, value, here)
    elif isinstance(node, list):
        for number, each in enumerate(node):
            yield from _parts(owner, each, f"{path}.{number}")


def _name(macro: Any) -> str:
    """The name of a macro, which stands alone or with parameters."""
    return str(mapping(macro).get("Name", macro))
