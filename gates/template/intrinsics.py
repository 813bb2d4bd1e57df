"""CloudFormation's intrinsic functions (`Ref`, `Fn::Sub`, ...), resolved as far as the template alone allows."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .conditions import Conditions
from .errors import MALFORMED, InvalidTemplate
from .opaque import is_opaque, is_opaque_resource
from .values import UNKNOWN, is_unknown, mapping

_NO_VALUE = object()
_DYNAMIC_REFERENCE = re.compile(r"\{\{(resolve:[^{}]*)\}\}")
_NO_SYNTAX = str.maketrans({**dict.fromkeys('"*?$\\'), ":": ".", "/": "|", "{": "(", "}": ")"})


@dataclass(frozen=True)
class Given:
    """What is assumed of a deployment, instead of the defaults."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Values of parameters or pseudo parameters; None for a value that is not known."""
    comparisons: Mapping[str, bool] = field(default_factory=dict)
    """Results of comparisons in conditions, by their `comparison_key`."""


def resolve(template: Mapping[str, Any], given: Given | None = None) -> dict[str, Any]:
    """The resources as deployed with the given values, and with the defaults of the other parameters.

    What only the deployment knows becomes text as in Fn::Sub: `${Name}`, `${Name.Attribute}`. Resources whose
    condition does not hold are left out, and so are properties whose value is AWS::NoValue. In a list, None takes the
    place of AWS::NoValue, so that the other values keep their numbers. Resources that a macro adds are left out.
    Raises InvalidTemplate.
    """
    resources = template.get("Resources") if isinstance(template, Mapping) else None
    if not isinstance(resources, Mapping):
        raise InvalidTemplate("it has no Resources")
    known = {name: resource for name, resource in resources.items() if not is_opaque_resource(name, resource)}
    for name, resource in known.items():
        if not isinstance(resource, Mapping) or not isinstance(resource.get("Type"), str):
            raise InvalidTemplate(f"the resource {name} has no Type")
    resolver = Resolver(template, given)
    return {
        name: resolver.value(resource)
        for name, resource in known.items()
        if resolver.conditions.holds(resource.get("Condition"))
    }


def as_text(value: Any) -> str:
    """One value resolved to text without a template, so that each reference stays `${Name}`."""
    return str(Resolver({}).value(value))


class Resolver:
    """Resolves the values of one template."""

    def __init__(self, template: Mapping[str, Any], given: Given | None = None) -> None:
        given = given or Given()
        self._given = given.parameters
        # A section can be present and empty.
        self._parameters = template.get("Parameters") or {}
        self._mappings = template.get("Mappings") or {}
        self.conditions = Conditions(template.get("Conditions") or {}, self.value, given.comparisons)
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
        """A value with every function in it resolved. Raises InvalidTemplate."""
        if isinstance(node, list):
            return [None if value is _NO_VALUE else value for value in map(self.value, node)]
        if isinstance(node, str):
            return _DYNAMIC_REFERENCE.sub(lambda reference: _unknown(reference[1]), node)
        if not isinstance(node, Mapping):
            return node
        name = next(iter(node)) if len(node) == 1 else None
        if name in self._functions:
            return self._call(name, node[name])
        if str(name).startswith("Fn::"):
            return _unknown(node)
        opaque = {key: each for key, each in node.items() if is_opaque(key)}
        values = {key: self.value(each) for key, each in node.items() if key not in opaque}
        known = {key: value for key, value in values.items() if value is not _NO_VALUE}
        return {**known, UNKNOWN: _unknown(opaque)} if opaque else known

    def _call(self, name: str, argument: Any) -> Any:
        try:
            return self._functions[name](argument)
        except InvalidTemplate:
            raise
        except MALFORMED as error:
            raise InvalidTemplate(f"{name} cannot take {json.dumps(argument, default=str)[:200]}") from error

    def _ref(self, reference: Any) -> Any:
        name = self.value(reference)  # with AWS::LanguageExtensions, it may be a function
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self._given:
            return f"${{{name}}}" if self._given[name] is None else self._given[name]
        parameter = self._parameters.get(name) or {}
        kind = parameter.get("Type", "")
        # The default of an SSM parameter is the path of its value, not the value.
        if "Default" not in parameter or kind.startswith("AWS::SSM::"):
            return f"${{{name}}}"
        default = parameter["Default"]
        return [item.strip() for item in str(default).split(",")] if "List" in kind else default

    def _get_att(self, argument: Any) -> str:
        parts = self.value(argument) if isinstance(argument, list) else [argument]
        return f"${{{'.'.join(map(str, parts))}}}"

    def _sub(self, argument: Any) -> str:
        text, variables = argument if isinstance(argument, list) else (argument, {})
        text = self.value(text)

        def replacement(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in variables:
                return str(self.value(variables[name]))
            return f"${{{name}}}" if "." in name else str(self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", replacement, text)

    def _join(self, argument: Any) -> str:
        delimiter, parts = argument[0], self.value(argument[1])
        if not isinstance(parts, list):
            return _unknown({"Fn::Join": argument})
        return str(delimiter.join(str(part) for part in parts if part is not None))

    def _if(self, argument: Any) -> Any:
        condition, then, otherwise = argument
        return self.value(then if self.conditions.holds(condition) else otherwise)

    def _select(self, argument: Any) -> Any:
        index, parts = map(self.value, argument)
        parts = [part for part in parts if part is not None] if isinstance(parts, list) else parts
        known = isinstance(parts, list) and str(index).isdigit() and int(index) < len(parts)
        return parts[int(index)] if known else _unknown({"Fn::Select": argument})

    def _split(self, argument: Any) -> Any:
        delimiter, text = map(self.value, argument)
        if delimiter == ":" and (arn := re.fullmatch(r"\$\{(\w+)\.Arn\}", str(text))):
            # The sixth part of a queue's or a topic's ARN is its name.
            return [
                *(f"${{{part}}}" for part in ("arn", "AWS::Partition", "service", "AWS::Region", "AWS::AccountId")),
                f"${{{arn[1]}.Name}}",
            ]
        # A text with ${...} in it cannot be split: the delimiter may occur in the unknown value.
        return _unknown({"Fn::Split": argument}) if is_unknown(text) else str(text).split(delimiter)

    def _find_in_map(self, argument: Any) -> Any:
        found = self._mappings
        for key in map(self.value, argument[:3]):
            found = mapping(found).get(str(key))
        return _unknown({"Fn::FindInMap": argument}) if found is None else self.value(found)


def _unknown(node: Any) -> str:
    """A text for an unknown value: the same text for the same expression, without what has a meaning in ARNs.

    It has a blank or a bracket, unlike a reference to a resource.
    """
    text = json.dumps(node, default=str, sort_keys=True, separators=(", ", " ")).replace("Fn::", "")[1:-1]
    return f"${{{text.translate(_NO_SYNTAX)}}}"
