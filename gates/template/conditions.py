"""A template's conditions, decided."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from .errors import MALFORMED, InvalidTemplate
from .opaque import is_opaque


def comparison_key(arguments: Any) -> str:
    """A text for the arguments of `Fn::Equals`, equal for equal arguments."""
    return json.dumps(arguments, sort_keys=True, default=str)


class Conditions:
    """The `Conditions` section of a template.

    `value` resolves the values that the conditions compare. `results` are given results of comparisons, by their
    `comparison_key`.
    """

    def __init__(
        self, declared: Mapping[str, Any], value: Callable[[Any], Any], results: Mapping[str, bool] | None = None
    ) -> None:
        self._declared = declared
        self._value = value
        self._results = results or {}
        self._decided = cache(self._decide)

    def holds(self, name: Any) -> bool:
        """Whether a resource with this condition, or with none, is deployed. Raises InvalidTemplate.

        A condition is a name, or `{"Condition": name}`, which SAM nests.
        """
        try:
            return name is None or (self._is_true(name) if isinstance(name, Mapping) else self._decided(name))
        except InvalidTemplate:
            raise
        except MALFORMED as error:
            raise InvalidTemplate(f"the condition {name} cannot be decided") from error

    def _decide(self, name: str) -> bool:
        if name not in self._declared:
            # A macro may declare it: what depends on it is checked. Otherwise CloudFormation itself reports the error.
            return any(map(is_opaque, self._declared))
        return self._is_true(self._declared[name])

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
                first, second = map(self._value, argument)
                return self._results.get(comparison_key(argument), str(first) == str(second))
        raise ValueError(node)
