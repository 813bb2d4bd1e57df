"""The different deployments that one template describes by its conditions."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .conditions import comparison_key
from .errors import MALFORMED
from .intrinsics import Given, Resolver
from .values import as_list, at


def deployments(template: Mapping[str, Any]) -> Iterator[tuple[str, Given]]:
    """Each deployment to check: a description, and what is assumed of it.

    The first deployment has every default, and no description. Then, for each comparison in a condition, follows the
    deployment in which that comparison has the opposite result, such as `if Env is 'prod'`. So what exists only in
    production is checked, without trying every combination. Raises InvalidTemplate.
    """
    yield "", Given()
    resolver = Resolver(template)
    for comparison in _comparisons(template.get("Conditions")):
        try:
            first, second = map(resolver.value, comparison)
        except MALFORMED:
            continue  # the condition is reported if something depends on it
        equal = str(first) == str(second)
        if parameter := _parameter_and_value(comparison):
            yield _with_parameter(template, *parameter, equal=equal)
        elif any(isinstance(each, Mapping | list) for each in comparison):  # two constants are equal or not, always
            opposite = {comparison_key(comparison): not equal}
            yield _description(comparison, first, second, equal=equal), Given(comparisons=opposite)


def _description(comparison: Any, first: Any, second: Any, *, equal: bool) -> str:
    """The deployment in which a comparison has the opposite result: by its parameters, if it has any."""
    if names := sorted({match[1] for match in re.finditer(r"'Ref': '([^']+)'", str(comparison))}):
        return f"with another {', '.join(names)}"
    return f"if {first} is {'not ' if equal else ''}{second}"


def _parameter_and_value(comparison: Any) -> tuple[str, Any] | None:
    """The name of the parameter, and the value, that a comparison compares; None if it compares something else."""
    references = [each["Ref"] for each in comparison if isinstance(each, Mapping) and isinstance(each.get("Ref"), str)]
    values = [each for each in comparison if not isinstance(each, Mapping | list)]
    return (references[0], values[0]) if len(references) == len(values) == 1 else None


def _with_parameter(template: Mapping[str, Any], name: str, value: Any, *, equal: bool) -> tuple[str, Given]:
    """The deployment in which a parameter is a value, or is another value if it is equal by default."""
    allowed = as_list(at(template, "Parameters", name, "AllowedValues"))
    other = next((each for each in allowed if str(each) != str(value)), None) if equal else value
    description = f"if {name} is not {value!r}" if other is None else f"if {name} is {other!r}"
    return description, Given(parameters={name: other})


def _comparisons(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        if "Fn::Equals" in node:
            yield node["Fn::Equals"]
        for each in node.values():
            yield from _comparisons(each)
    elif isinstance(node, list):
        for each in node:
            yield from _comparisons(each)
