"""The different deployments that one template describes by its conditions."""

from collections.abc import Iterator, Mapping
from typing import Any

from gates.template.errors import MALFORMED
from gates.template.intrinsics import Given, Resolver


def deployments(template: Mapping[str, Any]) -> Iterator[tuple[str, Given]]:
    """Each deployment to check: a description, and the values of parameters that it needs.

    The first deployment has every default, and no description. Then, for each comparison of a parameter with a value,
    follows the deployment in which that comparison has the opposite result, such as `if Env is 'prod'`. So what exists
    only in production is checked, without trying every combination. Raises InvalidTemplate.
    """
    yield "", {}
    resolver = Resolver(template)
    for comparison in _comparisons(template.get("Conditions")):
        try:
            [name] = [each["Ref"] for each in comparison if isinstance(each, Mapping) and set(each) == {"Ref"}]
            [value] = [each for each in comparison if not isinstance(each, Mapping | list)]
            equal = str(resolver.value({"Ref": name})) == str(value)
        except MALFORMED:
            continue  # not a comparison of a parameter with a value
        yield (f"if {name} is not {value!r}", {name: None}) if equal else (f"if {name} is {value!r}", {name: value})


def _comparisons(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        if "Fn::Equals" in node:
            yield node["Fn::Equals"]
        for each in node.values():
            yield from _comparisons(each)
    elif isinstance(node, list):
        for each in node:
            yield from _comparisons(each)
