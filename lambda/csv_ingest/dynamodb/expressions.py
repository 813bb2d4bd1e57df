"""What DynamoDB is told: expressions with their aliases, and PartiQL statements, each for one item. Pure.

Names of attributes are whatever somebody has called them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, BatchStatementRequestTypeDef

Attribute: TypeAlias = "AttributeValueTypeDef"
"""A value, in DynamoDB's JSON."""

Item = dict[str, Attribute]
"""Attributes by their names, in DynamoDB's JSON."""

Found = Mapping[str, Attribute]
"""An item that was read, which may be empty."""

MAX_REMOVED = 100
"""Names in one expression, which may have 300 operators.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""

MAX_REMOVING = 2_000
"""Characters of a statement that remove attributes. It may have 8,192, of which declared columns take at most 6,000.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementRequest.html"""


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


class Update(NamedTuple):
    """An update of one item, made only if the item is as it was read."""

    key: Item
    there: Item
    """Attributes that the item has to have."""
    attributes: Item
    """Attributes to set."""
    removed: Sequence[str]
    """Names of attributes to remove: any texts, since others may have chosen them."""


def insert(table: str, item: Item) -> "BatchStatementRequestTypeDef":
    """Insert an item, unless its key is in the table already."""
    return {"Statement": _insert(table, tuple(item)), "Parameters": list(item.values())}


def update(table: str, wanted: Update) -> "BatchStatementRequestTypeDef":
    """Update the item if it is as it was read.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.update.html
    """
    as_read = wanted.key | wanted.there
    text = _update(table, tuple(as_read), tuple(wanted.attributes), tuple(wanted.removed))
    return {"Statement": text, "Parameters": [*wanted.attributes.values(), *as_read.values()]}


def delete(table: str, item: Item) -> "BatchStatementRequestTypeDef":
    """Delete the item that has some attributes, its key among them."""
    return {"Statement": _delete(table, tuple(item)), "Parameters": list(item.values())}


def can_remove(names: Sequence[str]) -> bool:
    """Whether `update` can remove some attributes, whoever has called them so."""
    plain = [re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) for name in names]
    return all(plain) and sum(len(f'REMOVE "{name}" ') for name in names) <= MAX_REMOVING


# The texts are remembered: of the items of a table, many have attributes of the same names.
@lru_cache(maxsize=1_000)
def _insert(table: str, names: tuple[str, ...]) -> str:
    return f'INSERT INTO "{table}" VALUE {{' + ", ".join(f"'{name}': ?" for name in names) + "}"


@lru_cache(maxsize=1_000)
def _update(table: str, there: tuple[str, ...], names: tuple[str, ...], removed: tuple[str, ...]) -> str:
    changes = [*(f'SET "{name}" = ?' for name in names), *(f'REMOVE "{name}"' for name in removed)]
    return f'UPDATE "{table}" {" ".join(changes)} {_where(there)}'


@lru_cache(maxsize=1_000)
def _delete(table: str, there: tuple[str, ...]) -> str:
    return f'DELETE FROM "{table}" {_where(there)}'  # noqa: S608 - the names are the table's own


def _where(names: Iterable[str]) -> str:
    return "WHERE " + " AND ".join(f'"{name}" = ?' for name in names)
