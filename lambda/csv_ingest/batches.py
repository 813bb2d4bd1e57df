"""DynamoDB in batches: put-if-absent, 25 items a request, and strongly consistent reads, 100 a request."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from csv_ingest.errors import ItemsNotRead, RowsNotWritten

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, KeysAndAttributesUnionTypeDef

    Item = dict[str, AttributeValueTypeDef]

MAX_STATEMENTS = 25
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html"""

MAX_KEYS = 100
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""

TRANSIENT = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
        "TransactionConflict",
    }
)
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html"""

_THROTTLED_REQUESTS = frozenset(
    {"InternalServerError", "ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)
"""Codes of whole requests that may pass, once botocore has given up on them."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds


class Pace:
    """How fast a table lets us go. All requests of an invocation to a table share one, and so slow down together.

    Each throttled request doubles the pauses, up to two seconds, and each that went well halves them: also the first
    attempt of a request waits when those before it had to. Invocations do not know of each other; the jitter keeps
    them apart.
    """

    def __init__(self, time_left: Callable[[], float]) -> None:
        self._time_left = time_left  # seconds
        self._longest = 0.0

    def attempts(self) -> Iterator[None]:
        """Yield once, and again after each pause that time is left for."""
        if self._longest:
            time.sleep(max(0, min(self._pause(), self._time_left())))
        yield
        while (pause := self._pause()) < self._time_left():
            time.sleep(pause)
            yield

    def slower(self) -> None:
        self._longest = min(max(self._longest * 2, _FIRST_PAUSE), _LONGEST_PAUSE)

    def faster(self) -> None:
        self._longest = self._longest / 2 if self._longest > _FIRST_PAUSE else 0.0

    def _pause(self) -> float:
        return random.uniform(self._longest / 10, self._longest)  # noqa: S311 - jitter, not a secret


def insert_if_absent(client: "DynamoDBClient", table: str, items: "Sequence[Item]", *, pace: Pace) -> "list[Item]":
    """Write each item unless its key is in the table already; return those whose key was, in their order.

    On return every key is known to be in the table. At most 25 items, all with the same attribute names and with
    different keys: DynamoDB refuses the whole request for two equal ones.

    A request answers for each of its statements, and a 200 can hold throttled ones, which boto3 does not retry.
    They are sent again at the table's pace. Raises RowsNotWritten when time is used up, and at once for an error that
    will not pass.
    """
    if not items:
        return []
    names = ", ".join(f"'{name}': ?" for name in items[0])
    statement = f'INSERT INTO "{table}" VALUE {{{names}}}'
    present: list[int] = []
    pending = list(range(len(items)))
    refused: dict[int, str] = {}
    for _ in pace.attempts():
        try:
            answers = client.batch_execute_statement(
                Statements=[{"Statement": statement, "Parameters": list(items[i].values())} for i in pending]
            )["Responses"]
        except ClientError as error:
            refused = dict.fromkeys(pending, throttled(error))
            pace.slower()
            continue
        errors = {i: answer["Error"]["Code"] for i, answer in zip(pending, answers, strict=True) if "Error" in answer}
        present += [i for i, code in errors.items() if code == "DuplicateItem"]
        refused = {i: code for i, code in errors.items() if code != "DuplicateItem"}
        if not refused:
            pace.faster()
            return [items[i] for i in sorted(present)]
        if not TRANSIENT.issuperset(refused.values()):
            break
        pace.slower()
        pending = list(refused)
    codes = ", ".join(sorted(set(refused.values())))
    raise RowsNotWritten(f"{table} refused {len(refused)} of {len(items)} items: {codes}")


def get_items(client: "DynamoDBClient", table: str, keys: "Sequence[Item]", *, pace: Pace) -> "list[Item]":
    """Read the items of at most 100 different keys, strongly consistent, in any order; a key may have none.

    Raises ItemsNotRead if DynamoDB leaves some unprocessed until time is used up.
    """
    found: list[Item] = []
    wanted: Mapping[str, KeysAndAttributesUnionTypeDef] = {table: {"Keys": keys, "ConsistentRead": True}}
    for _ in pace.attempts():
        try:
            answer = client.batch_get_item(RequestItems=wanted)
        except ClientError as error:
            throttled(error)
            pace.slower()
            continue
        found += answer["Responses"].get(table, [])
        wanted = answer.get("UnprocessedKeys", {})
        if not wanted:
            pace.faster()
            return found
        pace.slower()
    raise ItemsNotRead(f"{table} gave {len(found)} of {len(keys)} items")


def throttled(error: ClientError) -> str:
    """The code of a request that can be sent again later; any other error is raised again."""
    code = error.response["Error"]["Code"]
    if code not in _THROTTLED_REQUESTS:
        raise error
    return code
