"""CloudFormation's functions in a template, worked out as far as the template alone tells."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

_NO_VALUE = object()


class InvalidTemplate(ValueError):
    """What is not a CloudFormation template; the message says where and why."""


_NO_SHAPE = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)
"""What is raised where a template is of another shape than CloudFormation takes."""

Given = Mapping[str, Any]
"""Values of parameters or pseudo parameters other than their defaults; None if it is another one that nobody knows."""


def resolve(template: Mapping[str, Any], given: Given | None = None) -> dict[str, Any]:
    """The resources as they would be deployed with the values given, and the defaults of the other parameters.

    What only the deployment knows is left as text in Fn::Sub's way: `${Name}`, `${Name.Attribute}`. Resources whose
    condition does not hold are left out, and so are properties that are AWS::NoValue. Raises InvalidTemplate.
    """
    resources = template.get("Resources") if isinstance(template, Mapping) else None
    if not isinstance(resources, Mapping):
        raise InvalidTemplate("it has no Resources")
    for name, resource in resources.items():
        if not isinstance(resource, Mapping) or not isinstance(resource.get("Type"), str):
            raise InvalidTemplate(f"the resource {name} has no Type")
    resolver = _Resolver(template, given)
    return {
        name: resolver.value(resource)
        for name, resource in resources.items()
        if resolver.holds(resource.get("Condition"))
    }


def deployments(template: Mapping[str, Any]) -> Iterator[tuple[str, Given]]:
    """Each kind of deployment that the template's conditions tell apart, with what has to be given for it.

    First the one with all defaults. Then, for each comparison of a parameter with a value, the one where it comes out
    the other way, described in words; so that what is only there in production is looked at, and what is only there
    elsewhere, without trying every combination, of which most are never deployed. Raises InvalidTemplate.
    """
    yield "", {}
    resolver = _Resolver(template)
    for comparison in _comparisons(template.get("Conditions")):
        try:
            [name] = [each["Ref"] for each in comparison if isinstance(each, Mapping) and set(each) == {"Ref"}]
            [value] = [each for each in comparison if not isinstance(each, Mapping | list)]
            equal = str(resolver.value({"Ref": name})) == str(value)
        except _NO_SHAPE:
            continue  # between other things than a parameter and a value
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


def as_text(value: Any) -> str:
    """One value of a template in the same way, without the template's parameters."""
    return str(_Resolver({}).value(value))


class _Resolver:
    def __init__(self, template: Mapping[str, Any], given: Given | None = None) -> None:
        self._given = given or {}
        # A section may be there and empty.
        self._parameters = template.get("Parameters") or {}
        self._mappings = template.get("Mappings") or {}
        self._conditions = template.get("Conditions") or {}
        self._known = cache(self._is_true_by_name)
        self._functions = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::If": self._if,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::FindInMap": self._find_in_map,
        }

    def value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value is not _NO_VALUE]
        if not isinstance(node, Mapping):
            return node
        if len(node) == 1:
            [(name, argument)] = node.items()
            if name in self._functions:
                try:
                    return self._functions[name](argument)
                except InvalidTemplate:
                    raise
                except _NO_SHAPE as error:
                    raise InvalidTemplate(f"{name} cannot take {json.dumps(argument, default=str)[:200]}") from error
            if name.startswith("Fn::"):
                return _unknown(node)
        return {key: value for key, each in node.items() if (value := self.value(each)) is not _NO_VALUE}

    def holds(self, condition: str | None) -> bool:
        """Whether a resource with this condition, or with none, is there."""
        try:
            return condition is None or self._known(condition)
        except InvalidTemplate:
            raise
        except _NO_SHAPE as error:
            raise InvalidTemplate(f"the condition {condition} cannot be decided") from error

    def _is_true_by_name(self, condition: str) -> bool:
        # A condition that is not declared is the template's error, which CloudFormation reports.
        return condition in self._conditions and self._is_true(self._conditions[condition])

    def _is_true(self, node: Any) -> bool:
        name: str
        argument: Any
        name, argument = next(iter(node.items())) if isinstance(node, Mapping) and len(node) == 1 else ("", [])
        match name:
            case "Condition":
                return self.holds(argument)
            case "Fn::Not":
                return not self._is_true(argument[0])
            case "Fn::And":
                return all(map(self._is_true, argument))
            case "Fn::Or":
                return any(map(self._is_true, argument))
            case "Fn::Equals":
                first, second = map(self.value, argument)
                return str(first) == str(second)
        raise ValueError(node)

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self._given:
            return f"${{{name}}}" if self._given[name] is None else self._given[name]
        parameter = self._parameters.get(name) or {}
        kind = parameter.get("Type", "")
        # The default of an SSM parameter is where its value is, not what it is.
        if "Default" not in parameter or kind.startswith("AWS::SSM::"):
            return f"${{{name}}}"
        default = parameter["Default"]
        return [item.strip() for item in str(default).split(",")] if "List" in kind else default

    def _get_att(self, argument: Any) -> str:
        parts = argument if isinstance(argument, list) else [argument]
        return f"${{{'.'.join(map(str, parts))}}}"

    def _sub(self, argument: Any) -> str:
        text, given = argument if isinstance(argument, list) else (argument, {})

        def replacement(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in given:
                return str(self.value(given[name]))
            return f"${{{name}}}" if "." in name else str(self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", replacement, text)

    def _join(self, argument: Any) -> str:
        delimiter, parts = argument[0], self.value(argument[1])
        return delimiter.join(map(str, parts)) if isinstance(parts, list) else _unknown({"Fn::Join": argument})

    def _if(self, argument: Any) -> Any:
        condition, then, otherwise = argument
        return self.value(then if self.holds(condition) else otherwise)

    def _select(self, argument: Any) -> Any:
        index, parts = map(self.value, argument)
        known = isinstance(parts, list) and str(index).isdigit() and int(index) < len(parts)
        return parts[int(index)] if known else _unknown({"Fn::Select": argument})

    def _split(self, argument: Any) -> Any:
        delimiter, text = map(self.value, argument)
        if delimiter == ":" and (arn := re.fullmatch(r"\$\{(\w+)\.Arn\}", str(text))):
            # Its sixth part is the name, of queues and topics.
            return [
                *(f"${{{part}}}" for part in ("arn", "AWS::Partition", "service", "AWS::Region", "AWS::AccountId")),
                f"${{{arn[1]}}}",
            ]
        # Inside of ${...} nothing can be told apart.
        return _unknown({"Fn::Split": argument}) if "${" in str(text) else str(text).split(delimiter)

    def _find_in_map(self, argument: Any) -> Any:
        found = self._mappings
        for key in map(self.value, argument[:3]):
            found = found.get(str(key)) if isinstance(found, Mapping) else None
        return _unknown({"Fn::FindInMap": argument}) if found is None else self.value(found)


def _unknown(node: Any) -> str:
    """A text for what cannot be known here: the same for the same expression, and no wildcard."""
    return f"${{{json.dumps(node, default=str, sort_keys=True)}}}".replace("*", "")
