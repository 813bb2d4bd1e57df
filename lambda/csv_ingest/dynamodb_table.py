"""One DynamoDB table: batched put-if-absent, consistent reads, conditional writes.

Knows requests and their limits, and nothing of what the items mean.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from csv_ingest import dynamodb_expressions as expressions
from csv_ingest.deadline import AdaptiveBackoff, Deadline
from csv_ingest.errors import ItemsNotRead, RowsNotWritten

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        BatchStatementRequestTypeDef,
        DeleteItemInputTypeDef,
        KeysAndAttributesUnionTypeDef,
        PutItemInputTypeDef,
        TransactWriteItemTypeDef,
    )

Item = dict[str, "AttributeValueTypeDef"]
"""Attributes by their names, in DynamoDB's JSON."""


class Update(NamedTuple):
    """What is to become of an item, if it is as it was read."""

    key: Item
    there: Item
    """Attributes that it has to have."""
    attributes: Item
    """Those to set."""
    removed: Sequence[str]
    """The names of those to remove: of any text, since others may have chosen them."""


MAX_STATEMENTS = 25
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html"""

MAX_KEYS = 100
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""

_TRANSIENT = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
        "TransactionConflict",
    }
)
"""Codes of single statements that may pass.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html"""

_THROTTLED_REQUESTS = frozenset(
    {"InternalServerError", "ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)
"""Codes of whole requests that may pass, once botocore has given up on them."""

_CONFLICT = "TransactionConflictException"

_CONDITION_FAILED = "ConditionalCheckFailed"


class DynamoDbTable:
    """A table, with the backoff that all requests of this invocation to it share.

    Methods that say so, and `get_many`, `update`, `transact` and `delete_many`, repeat throttled requests until the
    deadline, and then raise RowsNotWritten or ItemsNotRead. The other methods rely on botocore's own retries. An error
    that will not pass is raised at once: for a single statement as RowsNotWritten, otherwise as botocore's ClientError.
    """

    def __init__(self, client: "DynamoDBClient", name: str, *, deadline: Deadline) -> None:
        self._client = client
        self._name = name
        self._backoff = AdaptiveBackoff(deadline)

    def insert_absent(self, items: Sequence[Item]) -> list[int]:
        """Write each item unless its key is in the table already; return the positions of those whose key was.

        On return every key is known to be in the table. At most 25 items with different keys: DynamoDB refuses the
        whole request for two equal keys. Repeats what was throttled, as `_run` says.
        """
        inserts: list[BatchStatementRequestTypeDef] = [
            {"Statement": expressions.insert(self._name, tuple(item)), "Parameters": list(item.values())}
            for item in items
        ]
        return self._run(inserts, unless="DuplicateItem")

    def update_each(self, updates: Sequence[Update]) -> list[int]:
        """Update at most 25 items; return the positions of those that are not as they were read.

        Repeats what was throttled, as `_run` says. Attributes whose names no statement takes are removed before.
        """
        statements: dict[int, BatchStatementRequestTypeDef] = {}
        for i, (key, there, attributes, removed) in enumerate(updates):
            by_statement = expressions.can_remove(removed)
            if not (by_statement or self._remove(updates[i])):
                continue
            as_read = key | there
            names = tuple(as_read), tuple(attributes), tuple(removed) if by_statement else ()
            values = [*attributes.values(), *as_read.values()]
            statements[i] = {"Statement": expressions.update(self._name, *names), "Parameters": values}
        sent = list(statements)
        refused = {sent[i] for i in self._run(list(statements.values()), unless=_CONDITION_FAILED)}
        return [i for i in range(len(updates)) if i not in statements or i in refused]

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
        statements: list[BatchStatementRequestTypeDef] = [
            {"Statement": expressions.delete(self._name, tuple(item)), "Parameters": list(item.values())}
            for item in items
        ]
        return self._run(statements, unless=_CONDITION_FAILED)

    def _run(self, statements: "Sequence[BatchStatementRequestTypeDef]", *, unless: str) -> list[int]:
        """Run each of some statements; return the positions of those that were answered with a code.

        A request answers for each of its statements, and a 200 can hold throttled ones, which boto3 does not retry:
        only those are sent again. A statement that is refused for good raises RowsNotWritten at once.
        """
        if not statements:
            return []
        declined: list[int] = []
        pending = list(range(len(statements)))
        refused: dict[int, str] = {}
        for _ in self._backoff.attempts():
            refused = self._execute({i: statements[i] for i in pending})
            declined += [i for i, code in refused.items() if code == unless]
            refused = {i: code for i, code in refused.items() if code != unless}
            if not refused:
                self._backoff.on_success()
                return sorted(declined)
            if not _TRANSIENT.union(_THROTTLED_REQUESTS).issuperset(refused.values()):
                break
            self._backoff.on_throttle()
            pending = list(refused)
        codes = ", ".join(sorted(set(refused.values())))
        raise RowsNotWritten(f"{self._name} refused {len(refused)} of {len(statements)} items: {codes}")

    def get(self, key: Item) -> "Mapping[str, AttributeValueTypeDef]":
        """The item under a key, strongly consistent; empty if there is none."""
        return self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item", {})

    def get_many(self, keys: Sequence[Item]) -> list[Item]:
        """The items of at most 100 different keys, strongly consistent, in any order; a key may have none."""
        found: list[Item] = []
        wanted: Mapping[str, KeysAndAttributesUnionTypeDef] = {self._name: {"Keys": keys, "ConsistentRead": True}}
        for _ in self._backoff.attempts():
            try:
                answer = self._client.batch_get_item(RequestItems=wanted)
            except ClientError as error:
                _transient_code(error)
                self._backoff.on_throttle()
                continue
            found += answer["Responses"].get(self._name, [])
            wanted = answer.get("UnprocessedKeys", {})
            if not wanted:
                self._backoff.on_success()
                return found
            self._backoff.on_throttle()
        raise ItemsNotRead(f"{self._name} returned {len(found)} of {len(keys)} items")

    def update(
        self,
        key: Item,
        attributes: Item,
        *,
        condition: str,
        values: Item | None = None,
        remove: Sequence[str] = (),
    ) -> Item | None:
        """Set and remove attributes of the item under a key, if the condition holds.

        In the condition, `#name` is an attribute and `:name` a value, of `attributes` or of `values`. Returns None if
        the item was updated, otherwise the item as it stayed.
        """
        told = expressions.update_item(attributes, condition=condition, values=values or {}, remove=remove)
        code = ""
        for _ in self._backoff.attempts():
            try:
                self._client.update_item(
                    TableName=self._name,
                    Key=key,
                    **told,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as error:
                stayed: Item = error.response.get("Item", {})  # type: ignore[assignment] # the stubs do not know it
                return stayed
            except ClientError as error:
                code = _transient_code(error, _CONFLICT)
                self._backoff.on_throttle()
            else:
                self._backoff.on_success()
                return None
        raise RowsNotWritten(f"{self._name} did not take an update: {code}")

    def transact(self, writes: "Sequence[TransactWriteItemTypeDef]") -> bool:
        """Apply all writes or none; return False if the condition of the first one did not hold.

        Raises botocore's TransactionCanceledException if the condition of another one did not hold.
        """
        codes: list[str] = []
        for _ in self._backoff.attempts():
            try:
                self._client.transact_write_items(TransactItems=writes)
            except self._client.exceptions.TransactionCanceledException as error:
                reasons: Any = error.response["CancellationReasons"]
                codes = [reason["Code"] for reason in reasons]
                if codes[0] == _CONDITION_FAILED:
                    return False
                if _CONDITION_FAILED in codes or "ValidationError" in codes:
                    raise
                self._backoff.on_throttle()
            except ClientError as error:
                codes = [_transient_code(error)]
                self._backoff.on_throttle()
            else:
                self._backoff.on_success()
                return True
        raise RowsNotWritten(f"{self._name} did not take a transaction: {', '.join(codes)}")

    def query(self, condition: str, values: Item, *, index: str | None = None, **more: Any) -> Iterator[Item]:
        """The items that a key condition finds, in the order of their sort key, strongly consistent.

        With the name of an index: what the index has of them, which may be what the table had a moment ago.
        """
        where: dict[str, Any] = {"IndexName": index} if index else {"ConsistentRead": True}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=expressions.as_values(values),
            **where,
            **more,
        )
        for page in pages:
            yield from page["Items"]

    def scan(self) -> Iterator[Item]:
        """Every item of the table, strongly consistent, in any order."""
        for page in self._client.get_paginator("scan").paginate(TableName=self._name, ConsistentRead=True):
            yield from page["Items"]

    def has_index(self, name: str) -> bool:
        """Whether the table has an index that can be asked: not one that is still being filled, or deleted."""
        found = self._client.describe_table(TableName=self._name)["Table"].get("GlobalSecondaryIndexes", [])
        not_ready = ("CREATING", "DELETING")
        return any(each["IndexName"] == name and each.get("IndexStatus") not in not_ready for each in found)

    def put(self, item: Item, *, condition: str = "", values: Item | None = None) -> bool:
        """Write an item, whatever is stored under its key, if the condition holds for that; returns whether it did."""
        only_if: PutItemInputTypeDef = {"TableName": self._name, "Item": item}
        if condition:
            only_if |= {
                "ConditionExpression": condition,
                "ExpressionAttributeValues": expressions.as_values(values or {}),
            }
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
        values = expressions.as_values(attributes) | {":member": {"SS": [member]}}
        answer = self._client.update_item(
            TableName=self._name,
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
                TableName=self._name,
                Key=key,
                UpdateExpression=f"DELETE {name} :members",
                ConditionExpression=f"contains({name}, :member)",
                ExpressionAttributeValues={":members": {"SS": [member]}, ":member": {"S": member}},
            )

    def delete(self, key: Item, *, condition: str = "") -> None:
        """Delete the item under a key, if there is one, and the condition holds for it."""
        only_if: DeleteItemInputTypeDef = {"TableName": self._name, "Key": key}
        if condition:
            only_if["ConditionExpression"] = condition
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.delete_item(**only_if)

    def delete_many(self, keys: Sequence[Item]) -> None:
        """Delete the items under at most 25 different keys. Raises RowsNotWritten, as `insert_absent`."""
        wanted: Any = {self._name: [{"DeleteRequest": {"Key": key}} for key in keys]}
        for _ in self._backoff.attempts():
            try:
                wanted = self._client.batch_write_item(RequestItems=wanted)["UnprocessedItems"]
            except ClientError as error:
                _transient_code(error)
            if not wanted:
                self._backoff.on_success()
                return
            self._backoff.on_throttle()
        raise RowsNotWritten(f"{self._name} deleted not all of {len(keys)} items")

    @property
    def name(self) -> str:
        return self._name

    def _execute(self, statements: "Mapping[int, BatchStatementRequestTypeDef]") -> dict[int, str]:
        """Run some statements in one request; return the error codes of those that had no effect, by number.

        clients.py encodes the body of this request itself.
        """
        try:
            answers = self._client.batch_execute_statement(Statements=list(statements.values()))["Responses"]
        except ClientError as error:
            return dict.fromkeys(statements, _transient_code(error))
        return {i: answer["Error"]["Code"] for i, answer in zip(statements, answers, strict=True) if "Error" in answer}


def _transient_code(error: ClientError, *also: str) -> str:
    """The code of an error after which the request can be sent again; any other error is raised again."""
    code = error.response["Error"]["Code"]
    if code not in _THROTTLED_REQUESTS.union(also):
        raise error
    return code
