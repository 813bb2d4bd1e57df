"""One DynamoDB table: batched put-if-absent, consistent reads, conditional writes."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from csv_ingest.dynamodb import expressions, requests
from csv_ingest.dynamodb.expressions import Found, Item, Update, as_values
from csv_ingest.model import Deadline

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient, type_defs


class DynamoDbTable:
    """A table, with the backoff that all requests of this invocation to it share.

    `update`, `transact` and the methods for several items repeat throttled requests, as RepeatedRequests says. The
    other methods rely on botocore's own retries.
    """

    def __init__(self, client: "DynamoDBClient", name: str, *, deadline: Deadline) -> None:
        self.name = name
        self._client = client
        self._repeated = requests.RepeatedRequests(client, name, deadline=deadline)

    def insert_absent(self, items: Sequence[Item]) -> list[int]:
        """Write each item unless its key is in the table already; return the positions of those whose key was.

        On return every key is known to be in the table. At most 25 items with different keys: DynamoDB refuses the
        whole request for two equal keys.
        """
        return self._repeated.execute([expressions.insert(self.name, item) for item in items], unless="DuplicateItem")

    def update_each(self, updates: Sequence[Update]) -> list[int]:
        """Update at most 25 items; return the positions of those that are not as they were read.

        Attributes whose names no statement takes are removed before.
        """
        sent = {}
        for i, update in enumerate(updates):
            if expressions.can_remove(update.removed):
                sent[i] = expressions.update(self.name, update)
            elif self._remove(update):
                sent[i] = expressions.update(self.name, update._replace(removed=()))
        declined = self._repeated.execute(list(sent.values()), unless=requests.CONDITION_FAILED)
        refused = {list(sent)[position] for position in declined}
        return [i for i in range(len(updates)) if i not in sent or i in refused]

    def _remove(self, update: Update) -> bool:
        """Only remove attributes, as many as they are, of an item; returns whether it is as it was read."""
        as_read = " AND ".join(f"#{name} = :{name}" for name in update.there)
        starts = range(0, len(update.removed), expressions.MAX_REMOVED)
        chunks = (update.removed[start : start + expressions.MAX_REMOVED] for start in starts)
        return all(
            self.update(update.key, {}, condition=as_read, values=update.there, remove=some) is None for some in chunks
        )

    def delete_each(self, items: Sequence[Item]) -> list[int]:
        """Delete at most 25 items, each if it has these attributes, key included; as `update_each`."""
        deletes = [expressions.delete(self.name, item) for item in items]
        return self._repeated.execute(deletes, unless=requests.CONDITION_FAILED)

    def get_many(self, keys: Iterable[Item]) -> list[Item]:
        """The items of different keys, strongly consistent, in any order; a key may have none."""
        found: list[Item] = []
        remaining = iter(keys)
        while some := list(islice(remaining, requests.MAX_KEYS)):
            found += self._repeated.get(some)
        return found

    def delete_many(self, keys: Iterable[Item]) -> None:
        """Delete the items under different keys."""
        remaining = iter(keys)
        while some := list(islice(remaining, requests.MAX_STATEMENTS)):
            self._repeated.delete(some)

    def transact(self, writes: "Sequence[type_defs.TransactWriteItemTypeDef]") -> bool:
        """As RepeatedRequests.transact."""
        return self._repeated.transact(writes)

    def get(self, key: Item) -> Found:
        """The item under a key, strongly consistent; empty if there is none."""
        return self._client.get_item(TableName=self.name, Key=key, ConsistentRead=True).get("Item", {})

    def update(
        self, key: Item, attributes: Item, *, condition: str, values: Item | None = None, remove: Sequence[str] = ()
    ) -> Item | None:
        """Set and remove attributes of the item under a key, if the condition holds.

        In the condition, `#name` is an attribute and `:name` a value, of `attributes` or of `values`. Returns None if
        the item was updated, otherwise the item as it stayed.
        """
        return self._repeated.update(key, expressions.update_item(attributes, condition, values or {}, remove))

    def query(self, condition: str, values: Item, *, index: str | None = None, **more: Any) -> Iterator[Item]:
        """The items that a key condition finds, in the order of their sort key, strongly consistent.

        With the name of an index: what the index has of them, which may be what the table had a moment ago.
        """
        where: dict[str, Any] = {"IndexName": index} if index else {"ConsistentRead": True}
        pages = self._client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=as_values(values),
            **where,
            **more,
        )
        for page in pages:
            yield from page["Items"]

    def scan(self) -> Iterator[Item]:
        """Every item of the table, strongly consistent, in any order."""
        for page in self._client.get_paginator("scan").paginate(TableName=self.name, ConsistentRead=True):
            yield from page["Items"]

    def has_index(self, name: str) -> bool:
        """Whether the table has an index that can be asked: not one that is still being filled, or deleted."""
        found = self._client.describe_table(TableName=self.name)["Table"].get("GlobalSecondaryIndexes", [])
        not_ready = ("CREATING", "DELETING")
        return any(each["IndexName"] == name and each.get("IndexStatus") not in not_ready for each in found)

    def put(self, item: Item, *, condition: str = "", values: Item | None = None) -> bool:
        """Write an item, whatever is stored under its key, if the condition holds for that; returns whether it did."""
        only_if: type_defs.PutItemInputTypeDef = {"TableName": self.name, "Item": item}
        if condition:
            only_if["ConditionExpression"] = condition
        if values:
            only_if["ExpressionAttributeValues"] = as_values(values)
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.put_item(**only_if)
            return True
        return False

    def add_to_set(self, key: Item, name: str, member: str, *, attributes: Item) -> Item:
        """Add a text to a set of the item under a key, and set attributes that it does not have; returns the item.

        The first of the attributes is set in any case.
        """
        first, *others = attributes
        absent = "".join(f", {other} = if_not_exists({other}, :{other})" for other in others)
        expression = f"SET {first} = :{first}{absent} ADD {name} :member"
        values = as_values(attributes) | {":member": {"SS": [member]}}
        answer = self._client.update_item(
            TableName=self.name,
            Key=key,
            UpdateExpression=expression,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )
        return dict(answer["Attributes"])

    def remove_from_set(self, key: Item, name: str, member: str) -> None:
        """Remove a text from a set of the item under a key, if there is one that has it."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self.name,
                Key=key,
                UpdateExpression=f"DELETE {name} :members",
                ConditionExpression=f"contains({name}, :member)",
                ExpressionAttributeValues={":members": {"SS": [member]}, ":member": {"S": member}},
            )

    def delete(self, key: Item, *, condition: str = "") -> None:
        """Delete the item under a key, if there is one, and the condition holds for it."""
        only_if: type_defs.DeleteItemInputTypeDef = {"TableName": self.name, "Key": key}
        if condition:
            only_if["ConditionExpression"] = condition
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.delete_item(**only_if)
