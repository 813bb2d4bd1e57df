"""Expressions of DynamoDB's requests, with their aliases. Pure.

Names of attributes are whatever somebody has called them.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Item = dict[str, "AttributeValueTypeDef"]
"""Attributes by their names, in DynamoDB's JSON."""

MAX_REMOVED = 100
"""Names in one expression, which may have 300 operators.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""


def update_item(attributes: Item, condition: str, values: Item, remove: Sequence[str]) -> dict[str, Any]:
    """What UpdateItem is told: to set and remove attributes of any names if the condition holds.

    In the condition, `#name` is an attribute and `:name` a value, of `values` or else of `attributes`.
    """
    names: dict[str, str] = {}
    texts: dict[str, Any] = {}

    # Short aliases: an expression may have 4 KB, and a row many columns.
    def alias(name: str) -> str:
        return names.setdefault(name, f"#n{len(names)}")

    def given(value: Any) -> str:
        texts[text := f":v{len(texts)}"] = value
        return text

    def in_condition(found: re.Match[str]) -> str:
        mark, name = found.groups()
        return alias(name) if mark == "#" else given((attributes | values)[name])

    sets = ", ".join(f"{alias(name)} = {given(value)}" for name, value in attributes.items())
    removes = ", ".join(map(alias, remove))
    told = {
        "UpdateExpression": " ".join(["SET " + sets] * bool(sets) + ["REMOVE " + removes] * bool(removes)),
        "ConditionExpression": re.sub(r"([#:])(\w+)", in_condition, condition),
        "ExpressionAttributeNames": {text: name for name, text in names.items()},
    }
    return told | ({"ExpressionAttributeValues": texts} if texts else {})


def as_values(attributes: Item) -> Item:
    """Attributes under the names that expressions have for their values."""
    return {f":{name}": value for name, value in attributes.items()}
