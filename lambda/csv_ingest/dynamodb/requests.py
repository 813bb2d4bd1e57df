"""Requests to one DynamoDB table that are sent again while DynamoDB throttles them, until the deadline."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from csv_ingest.backoff import AdaptiveBackoff
from csv_ingest.dynamodb.expressions import Item
from csv_ingest.model import Deadline, ItemsNotRead, RowsNotWritten

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient, type_defs

MAX_STATEMENTS = 25
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html"""

MAX_KEYS = 100
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""

_THROTTLED = frozenset(
    {"InternalServerError", "ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)
"""Codes of whole requests that may pass, once botocore has given up on them."""

_TRANSIENT = _THROTTLED | {"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"}
"""Codes of single statements that may pass, and those of the request they were in.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html"""

_CONFLICT = "TransactionConflictException"

CONDITION_FAILED = "ConditionalCheckFailed"


class RepeatedRequests:
    """The requests, with the backoff that all of them share.

    When no time is left, they raise RowsNotWritten or ItemsNotRead. An error that will not pass is raised at once: for
    a single statement as RowsNotWritten, otherwise as botocore's ClientError.
    """

    def __init__(self, client: "DynamoDBClient", table: str, *, deadline: Deadline) -> None:
        self._client = client
        self._table = table
        self._backoff = AdaptiveBackoff(deadline)

    def execute(self, statements: "Sequence[type_defs.BatchStatementRequestTypeDef]", *, unless: str) -> list[int]:
        """Run at most 25 statements; return the positions of those that were answered with the code `unless`.

        A request answers for each of its statements, and a 200 can hold throttled ones, which boto3 does not retry:
        only those are sent again. A statement that is refused for good raises RowsNotWritten at once.
        """
        if not statements:
            return []
        declined: list[int] = []
        pending = list(range(len(statements)))
        refused: dict[int, str] = {}
        for _ in self._backoff.attempts():
            refused = self._execute_once({i: statements[i] for i in pending})
            declined += [i for i, code in refused.items() if code == unless]
            refused = {i: code for i, code in refused.items() if code != unless}
            if not refused:
                self._backoff.on_success()
                return sorted(declined)
            if not _TRANSIENT.issuperset(refused.values()):
                break
            self._backoff.on_throttle()
            pending = list(refused)
        codes = ", ".join(sorted(set(refused.values())))
        raise RowsNotWritten(f"{self._table} refused {len(refused)} of {len(statements)} items: {codes}")

    def _execute_once(self, statements: "Mapping[int, type_defs.BatchStatementRequestTypeDef]") -> dict[int, str]:
        """Run some statements in one request; return the error codes of those that had no effect, by number.

        clients.py encodes the body of this request itself.
        """
        try:
            answers = self._client.batch_execute_statement(Statements=list(statements.values()))["Responses"]
        except ClientError as error:
            return dict.fromkeys(statements, _transient_code(error))
        return {i: answer["Error"]["Code"] for i, answer in zip(statements, answers, strict=True) if "Error" in answer}

    def get(self, keys: Sequence[Item]) -> list[Item]:
        """The items of at most 100 different keys, strongly consistent, in any order; a key may have none."""
        found: list[Item] = []
        wanted: Mapping[str, type_defs.KeysAndAttributesUnionTypeDef] = {
            self._table: {"Keys": keys, "ConsistentRead": True}
        }
        for _ in self._backoff.attempts():
            try:
                answer = self._client.batch_get_item(RequestItems=wanted)
            except ClientError as error:
                _transient_code(error)
                self._backoff.on_throttle()
                continue
            found += answer["Responses"].get(self._table, [])
            wanted = answer.get("UnprocessedKeys", {})
            if not wanted:
                self._backoff.on_success()
                return found
            self._backoff.on_throttle()
        raise ItemsNotRead(f"{self._table} returned {len(found)} of {len(keys)} items")

    def delete(self, keys: Sequence[Item]) -> None:
        """Delete the items under at most 25 different keys."""
        wanted: Any = {self._table: [{"DeleteRequest": {"Key": key}} for key in keys]}
        for _ in self._backoff.attempts():
            try:
                wanted = self._client.batch_write_item(RequestItems=wanted)["UnprocessedItems"]
            except ClientError as error:
                _transient_code(error)
            if not wanted:
                self._backoff.on_success()
                return
            self._backoff.on_throttle()
        raise RowsNotWritten(f"{self._table} deleted not all of {len(keys)} items")

    def update(self, key: Item, told: Mapping[str, Any]) -> Item | None:
        """Send UpdateItem, with what it is told beside the key; returns None, or the item as it stayed."""
        code = ""
        for _ in self._backoff.attempts():
            try:
                self._client.update_item(
                    TableName=self._table, Key=key, **told, ReturnValuesOnConditionCheckFailure="ALL_OLD"
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
        raise RowsNotWritten(f"{self._table} did not take an update: {code}")

    def transact(self, writes: "Sequence[type_defs.TransactWriteItemTypeDef]") -> bool:
        """Apply all writes or none; return whether the condition of the first one held.

        Raises botocore's TransactionCanceledException if the condition of another one did not hold.
        """
        codes: list[str] = []
        for _ in self._backoff.attempts():
            try:
                self._client.transact_write_items(TransactItems=writes)
            except self._client.exceptions.TransactionCanceledException as error:
                reasons: Any = error.response["CancellationReasons"]
                codes = [reason["Code"] for reason in reasons]
                if codes[0] == CONDITION_FAILED:
                    return False
                if CONDITION_FAILED in codes or "ValidationError" in codes:
                    raise
                self._backoff.on_throttle()
            except ClientError as error:
                codes = [_transient_code(error)]
                self._backoff.on_throttle()
            else:
                self._backoff.on_success()
                return True
        raise RowsNotWritten(f"{self._table} did not take a transaction: {', '.join(codes)}")


def _transient_code(error: ClientError, *also: str) -> str:
    """The code of an error after which the request can be sent again; any other error is raised again."""
    code = error.response["Error"]["Code"]
    if code not in _THROTTLED.union(also):
        raise error
    return code
