"""A template's conditions, decided."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from gates.template.errors import MALFORMED, InvalidTemplate


class Conditions:
    """The `Conditions` section of a template. `value` resolves the values that the conditions compare."""

    def __init__(self, declared: Mapping[str, Any], value: Callable[[Any], Any]) -> None:
        self._declared = declared
        self._value = value
        self._decided = cache(self._decide)

    def holds(self, name: str | None) -> bool:
        """Whether a resource with this condition, or with none, is deployed. Raises InvalidTemplate."""
        try:
            return name is None or self._decided(name)
        except InvalidTemplate:
            raise
        except MALFORMED as error:
            raise InvalidTemplate(f"the condition {name} cannot be decided") from error

    def _decide(self, name: str) -> bool:
        # A condition that is not declared does not hold: CloudFormation itself reports the error.
        return name in self._declared and self._is_true(self._declared[name])

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
                return str(first) == str(second)
        raise ValueError(node)
